"""What several processes say when one does not do its part: nothing hangs, and ranks are named."""

import time

import pytest
from distributed_runs import finish, run, start

import rushlight as rl
from rushlight import distributed as dist


@pytest.mark.parametrize(
    "mine, theirs, words",
    [
        ("rl.ones(3)", "rl.ones(4)", ("3 elements", "4 elements")),
        ("rl.ones(3)", "rl.ones(3).int()", ("float32", "int32")),
        ("rl.ones(90_000)", "rl.ones(2)", ("90000 elements", "2 elements")),
    ],
)
def test_calls_that_do_not_match(mine, theirs, words):
    first, second = words
    run(
        f"""
    told = "mismatch: rank 0 .*{first}.*rank 1.*{second}|rank 1 .*{second}.*rank 0.*{first}"
    with raises(RuntimeError, told):
        dist.all_reduce({mine} if rank == 0 else {theirs})
    with raises(RuntimeError, "failed|lost"):
        dist.barrier()
    """,
        end="",
    )


def test_different_calls_do_not_match():
    run(
        """
    with raises(RuntimeError, "mismatch: .*(all_reduce of 3 .*barrier|barrier.* all_reduce of 3 )"):
        dist.all_reduce(rl.ones(3)) if rank == 0 else dist.barrier()
    """,
        end="",
    )
    run(
        """
    dist.group.WORLD.set_timeout(timedelta(seconds=0.5))
    with raises(RuntimeError, "waited 0.5 s for rank .*not sent|failed: .*not sent|lost rank"):
        dist.broadcast(rl.ones(3), 1 - rank)  # both wait
    """,
        end="",
    )


def test_a_message_of_another_type_or_size():
    run("""
    if rank == 0:
        dist.send(rl.ones(3), 1)
        dist.send(rl.ones(2), 1)
    else:
        for wrong in (rl.ones(3).int(), rl.ones(3)):
            with raises(RuntimeError, "mismatch: rank 1 .*rank 0"):
                dist.recv(wrong, 0)
    """)


def test_a_process_that_dies():
    store, processes = start(
        """
    dist.barrier()
    if rank == 1:
        os.kill(os.getpid(), 9)
    began = time.monotonic()
    with raises(RuntimeError, "lost rank 1|rank . failed: .*lost rank 1"):
        for _ in range(50):
            dist.all_reduce(rl.ones(100_000))
            time.sleep(0.05)
    assert time.monotonic() - began < 20
    """,
        3,
        end="",
    )
    printed = finish(processes)
    assert [process.returncode for process in processes] == [0, -9, 0], printed


def test_a_process_that_never_comes():
    _, (first, second, third) = start("", 3, limit=1, end="")
    third.kill()
    third.communicate()
    for text in finish([first, second]):
        assert "DistStoreError" in text and "rank 2 of 3 did not come within 1 s" in text, text


def test_a_process_that_is_late_is_named():
    run(
        """
    if rank == 2:
        time.sleep(4)
        os._exit(0)
    brief = dict(timeout=timedelta(milliseconds=300))
    late = "ranks? .*2 did not come within 0.3 s|rank 0 failed: .*2|waited 0.3 s for rank 0"
    with raises(RuntimeError, late):
        dist.monitored_barrier(wait_all_ranks=True, **brief)
    group = dist.new_group([0, 1, 2], **brief)
    with raises(RuntimeError, "waited 0.3 s for rank|failed: .*waited|lost rank 1"):
        dist.all_reduce(rl.ones(1), group=group)
    if rank == 0:
        work = dist.irecv(rl.ones(1), 2)
        assert not work.is_completed()
        with raises(RuntimeError, "for rank 2, which has not sent"):
            work.wait(timedelta(milliseconds=100))
    """,
        size=3,
        end="",
    )


def test_arguments_that_are_wrong_are_refused_before_anything_is_sent():
    run("""
    x = rl.ones(4)
    with raises(RuntimeError, "one entry for each"):
        dist.all_gather([x], x)
    with raises(RuntimeError, "sizes differ"):
        dist.all_gather([rl.ones(3), x], x)
    with raises(ValueError, "float64"):
        dist.all_gather([rl.ones(4).double(), x], x)
    with raises(RuntimeError, "non-integral"):
        dist.all_reduce(x, dist.ReduceOp.BAND)
    with raises(RuntimeError, "AVG of torch.int64"):
        dist.all_reduce(rl.ones(2).long(), dist.ReduceOp.AVG)
    with raises(ValueError, "does not support"):
        dist.all_reduce(rl.ones(2) * 1j, dist.ReduceOp.MAX)
    with raises(ValueError, "is this process itself"):
        dist.send(x, rank)
    with raises(ValueError, "must be given at rank"):
        dist.gather(x, None, dst=rank)
    with raises(ValueError, "must not be given but"):
        dist.scatter(x, [x, x], src=1 - rank)
    with raises(RuntimeError, "do not add up"):
        dist.all_to_all_single(x, x, [1, 2], [2, 2])
    with raises(ValueError, "int32, not torch.float32"):
        dist.all_to_all([x, x.int()], [x, x])
    with raises(TypeError, "tag must be an int"):
        dist.send(x, 1 - rank, tag="a")
    with raises(TypeError, "ProcessGroup, got int"):
        dist.all_reduce(x, group=5)
    with raises(TypeError, "timedelta"):
        dist.monitored_barrier(timeout=3)
    with raises(ValueError, "isend or irecv"):
        dist.P2POp(dist.send, x, 0)
    """)


def test_a_rank_is_taken_once(tmp_path):
    store = dist.HashStore()
    store.set("world/1/taken/0", "somebody")
    with pytest.raises(dist.DistStoreError, match="another process has rank 0"):
        from rushlight.distributed._meeting import meet

        meet(dist.PrefixStore("world/1", store), 0, 2, rl.distributed.default_pg_timeout)


def test_backends_and_limits():
    for name, error in (("nccl", RuntimeError), ("mpi", NotImplementedError)):
        with pytest.raises(error, match=name):
            dist.init_process_group(name, world_size=1, rank=0)
    with pytest.raises(TypeError, match="timedelta"):
        dist.init_process_group(world_size=1, rank=0, timeout=3)
    with pytest.raises(ValueError, match="not both"):
        dist.init_process_group("gloo", "env://", store=dist.HashStore(), rank=0, world_size=1)
    began = time.monotonic()
    short = dist.constants.timedelta(seconds=0.3)
    with pytest.raises(dist.DistNetworkError, match="nobody serves"):
        dist.TCPStore("127.0.0.1", 1, 2, False, timeout=short)
    with pytest.raises(dist.DistStoreError, match="rank 1 of 2 did not come"):
        dist.init_process_group(store=dist.HashStore(), rank=0, world_size=2, timeout=short)
    assert time.monotonic() - began < 10 and not dist.is_initialized()


def test_a_process_that_is_forked_has_no_part_in_the_group():
    run("""
    pid = os.fork()
    if pid == 0:
        with raises(RuntimeError, "forked from"):
            dist.all_reduce(rl.ones(1))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    dist.all_reduce(rl.ones(1))
    """)
