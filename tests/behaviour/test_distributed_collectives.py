"""Tensors and objects that several processes exchange: values, groups, handles."""

from distributed_runs import run


def test_reductions_of_two_processes():
    run("""
    op = dist.ReduceOp
    x = rl.arange(4.0) + rank
    assert dist.all_reduce(x) is None and x.tolist() == [1, 3, 5, 7]
    for dtype in (rl.uint8, rl.int32, rl.int64, rl.float16, rl.bfloat16, rl.float64):
        for name, expected in (("SUM", 8), ("PRODUCT", 15), ("MIN", 3), ("MAX", 5)):
            t = rl.full((3,), 3 + 2 * rank, dtype=dtype)
            dist.all_reduce(t, getattr(op, name))
            assert t.tolist() == [expected] * 3, (dtype, name)
    for name, expected in (("BAND", 1), ("BOR", 7), ("BXOR", 6)):
        t = rl.tensor([3 + 2 * rank])
        dist.all_reduce(t, getattr(op, name))
        assert t.item() == expected, name
    t = rl.tensor([True, False, rank == 0])
    dist.all_reduce(t)
    assert t.tolist() == [True, False, True]
    t = rl.tensor([1 + 1j]) * (rank + 1)
    dist.all_reduce(t, op.AVG)
    assert t.item() == 1.5 + 1.5j
    t = rl.arange(6.0).view(2, 3).t()
    dist.all_reduce(t)
    assert t.tolist() == [[0, 6], [2, 8], [4, 10]]
    with rl.inference_mode():
        t, big = rl.ones(3), rl.ones(200_000)
        dist.all_reduce(t)
        dist.all_reduce(big, op.AVG, async_op=True).wait()
        assert t.tolist() == [2, 2, 2] and big.sum().item() == 200_000
    t = rl.zeros(0)
    dist.all_reduce(t)
    t = rl.ones(3) * (rank + 1)
    dist.reduce(t, 1)
    assert t.tolist() == [[1] * 3, [3] * 3][rank]
    """)


def test_moves_of_two_processes():
    run("""
    op = dist.ReduceOp
    t = rl.ones(3) * rank
    dist.broadcast(t, 1)
    assert t.tolist() == [1] * 3
    got = [rl.zeros(2) for _ in range(2)]
    dist.all_gather(got, rl.full((2,), float(rank)))
    assert [g.tolist() for g in got] == [[0, 0], [1, 1]]
    whole = rl.zeros(2, 2)
    dist.all_gather_into_tensor(whole, rl.full((2,), float(rank)))
    assert whole.tolist() == [[0, 0], [1, 1]]
    got = [rl.zeros(1), rl.zeros(1)] if rank == 1 else None
    dist.gather(rl.tensor([float(rank)]), got, dst=1)
    assert rank == 0 or [g.item() for g in got] == [0, 1]
    t = rl.zeros(1)
    dist.scatter(t, [rl.tensor([5.0]), rl.tensor([6.0])] if rank == 0 else None, src=0)
    assert t.item() == 5 + rank
    t, entries = rl.zeros(2), [rl.ones(2) * rank, rl.ones(2) * (rank + 5)]
    dist.reduce_scatter(t, entries)
    assert t.tolist() == [[1, 1], [11, 11]][rank] and entries[1].tolist() == [rank + 5] * 2
    source = rl.arange(4.0)
    dist.reduce_scatter_tensor(t, source, op.AVG)
    assert t.tolist() == [[0, 1], [2, 3]][rank] and source.tolist() == [0, 1, 2, 3]
    got = [rl.zeros(2), rl.zeros(2)]
    dist.all_to_all(got, entries)
    assert [g[0].item() for g in got] == [[0, 1], [5, 6]][rank]
    t, sizes = rl.zeros(4), [[1, 3], [3, 1]][rank]
    dist.all_to_all_single(t, rl.arange(4.0) + 10 * rank, sizes, sizes)
    assert t.tolist() == [[0, 10, 11, 12], [1, 2, 3, 13]][rank]
    dist.monitored_barrier()
    """)


def test_large_sums_have_the_same_bits_everywhere():
    run(
        """
    generator = rl.Generator().manual_seed(rank)
    for n in (5, 70_001, 300_007, 1_500_000):
        x = rl.randn(n, generator=generator)
        own = x.clone()
        dist.all_reduce(x)
        all_own, all_sums = ([rl.empty(n) for _ in range(size)] for _ in range(2))
        dist.all_gather(all_own, own)
        dist.all_gather(all_sums, x)
        assert all(rl.equal(all_sums[0], other) for other in all_sums), n
        assert rl.allclose(x, sum(all_own), atol=1e-5)
    got = [rl.empty(2_000_000) for _ in range(size)]
    dist.all_to_all(got, [rl.full((2_000_000,), float(rank * 10 + r)) for r in range(size)])
    assert [g[-1].item() for g in got] == [r * 10 + rank for r in range(size)]
    for root in range(size):
        t = rl.full((1000,), float(rank))
        dist.broadcast(t, root)
        assert t.sum().item() == 1000 * root
    """,
        size=3,
    )


def test_messages_by_tag_and_from_anybody():
    run(
        """
    if rank:
        works = [dist.isend(rl.full((2,), 10.0 * rank + tag), 0, tag=tag) for tag in (1, 2)]
        assert all(work.wait() for work in works)
        dist.send(rl.tensor([rank]), 0)
    else:
        for source in (2, 1):
            second, first = rl.zeros(2), rl.zeros(2)
            works = [dist.irecv(second, source, tag=2), dist.irecv(first, source, tag=1)]
            assert all(work.wait() for work in works) and works[0].is_completed()
            assert (first[0].item(), second[1].item()) == (10 * source + 1, 10 * source + 2)
        t = rl.zeros(1, dtype=rl.int64)
        assert sorted((dist.recv(t), dist.recv(t))) == [1, 2]
    right, left = (rank + 1) % size, (rank - 1) % size
    big, got = rl.full((1 << 20,), float(rank)), rl.empty(1 << 20)
    works = dist.batch_isend_irecv([
        dist.P2POp(dist.isend, big, right), dist.P2POp(dist.irecv, got, left)
    ])
    assert [work.wait() for work in works] == [True, True] and got[-1].item() == left
    """,
        size=3,
    )


def test_groups_of_some_of_the_processes():
    run(
        """
    pair, outside = dist.new_group([2, 0]), dist.new_group([1])
    assert dist.get_process_group_ranks(pair) == [0, 2]
    t = rl.tensor([float(rank)])
    dist.all_reduce(t, group=pair)
    dist.broadcast(t, 1, group=outside)
    assert t.item() == [2, 1, 2][rank]
    if rank == 1:
        assert pair == dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(pair) == -1
    else:
        assert dist.get_world_size(pair) == 2 and dist.get_rank(pair) == rank // 2
        assert dist.get_global_rank(pair, 1) == 2 and dist.get_group_rank(pair, 2) == 1
        with raises(ValueError, match="rank 1 is not in the group"):
            dist.get_group_rank(pair, 1)
        with raises(ValueError, match="not in the group"):
            dist.broadcast(t, 1, group=pair)
    mine, groups = dist.new_subgroups(1)
    assert len(groups) == 3 and mine.size() == 1 and dist.get_process_group_ranks(mine) == [rank]
    if rank < 2:
        local = dist.new_group([0, 1], use_local_synchronization=True)
        dist.all_reduce(t, group=local)
    with raises(ValueError, match="0 to 2"):
        dist.new_group([5])
    with raises(ValueError, match="more than one"):
        dist.new_subgroups_by_enumeration([[0, 1], [1, 2]])
    if rank != 1:
        dist.destroy_process_group(pair)
    """,
        size=3,
    )


def test_objects():
    run("""
    got = [None, None]
    dist.all_gather_object(got, {"rank": rank, "x": rl.ones(rank + 1)})
    assert [entry["rank"] for entry in got] == [0, 1] and got[1]["x"].tolist() == [1, 1]
    got = [rank, None] if rank else [["a"] * 1000, {"b": 2}]
    dist.broadcast_object_list(got, src=0)
    assert got == [["a"] * 1000, {"b": 2}]
    got = [None, None] if rank == 0 else None
    dist.gather_object("x" * (rank + 1), got, dst=0)
    assert rank or got == ["x", "xx"]
    got = [None]
    dist.scatter_object_list(got, [("a",), "longer"] if rank == 1 else None, src=1)
    assert got == [("a",) if rank == 0 else "longer"]
    if rank == 0:
        dist.send_object_list([1, "two"], 1)
    else:
        got = [None, None]
        assert dist.recv_object_list(got, 0) == 0 and got == [1, "two"]
    """)


def test_works_go_on_in_order_while_the_program_does():
    run("""
    tensors = [rl.full((n,), float(rank + n)) for n in (10, 200_000, 3)]
    works = [dist.all_reduce(t, async_op=True) for t in tensors]
    after = rl.tensor([float(rank)])
    dist.all_reduce(after)
    assert after.item() == 1 and all(work.is_completed() for work in works)
    assert works[0].wait() and works[1].is_success() and works[0].exception() is None
    assert [t[-1].item() for t in tensors] == [21, 400_001, 7]
    assert works[2].get_future().wait()[0] is tensors[2]
    told = dist.barrier(async_op=True).get_future().then(lambda future: "over")
    assert told.wait() == "over"
    pair = [rl.ones(1), rl.ones(2)]
    assert dist.all_reduce_coalesced(pair, async_op=True).wait() and pair[1].tolist() == [2, 2]
    """)


def test_a_grid_of_processes():
    run("""
    mesh = dist.init_device_mesh("cpu", (1, 2), mesh_dim_names=("data", "model"))
    assert mesh.get_coordinate() == [0, rank] and mesh.size() == 2 and mesh.shape == (1, 2)
    t = rl.tensor([float(rank + 1)])
    dist.all_reduce(t, group=mesh.get_group("data"))
    assert t.item() == rank + 1
    dist.all_reduce(t, group=mesh["model"].get_group())
    assert t.item() == 3 and mesh["model"].get_local_rank() == rank
    assert mesh["model"].mesh.tolist() == [0, 1] and mesh["data"].mesh.tolist() == [rank]
    with raises(RuntimeError, "one place for each of 2"):
        dist.init_device_mesh("cpu", (3,))
    """)
