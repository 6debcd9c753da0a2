"""Tensors between processes: shared memory, queues, spawn and its errors."""

import os
import signal

import pytest

import rushlight as rl
from rushlight import multiprocessing as mp


def add_one(tensors):
    for tensor in tensors:
        tensor.add_(1)


def echo(inbox, outbox):
    outbox.put(inbox.get() * 2)
    inbox.get()  # keeps this process, and so its memory, until the other side has it


def fail(index, message):
    if index == 1:
        raise ValueError(message)


def die(index):
    os.kill(os.getpid(), signal.SIGKILL)


def fill(index, tensor):
    tensor[index] = index + 1


def test_shared_memory_moves_all_views_along():
    base = rl.arange(6.0)
    view = base[2:]
    assert not base.is_shared()
    assert base.share_memory_() is base
    assert base.is_shared() and view.is_shared()
    base[2] = 9
    assert view.tolist() == [9, 3, 4, 5]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_changes_made_by_another_process_are_seen(method):
    whole = rl.zeros(4)
    whole.share_memory_()
    tensors = [whole[:2], rl.nn.Parameter(rl.zeros(2), requires_grad=False).share_memory_()]
    process = mp.get_context(method).Process(target=add_one, args=(tensors,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert whole.tolist() == [1, 1, 0, 0] and tensors[1].tolist() == [1, 1]


def test_module_shares_its_parameters():
    module = rl.nn.Linear(2, 1).share_memory()
    assert all(p.is_shared() for p in module.parameters())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_queue_carries_tensors(method):
    context = mp.get_context(method)
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=echo, args=(inbox, outbox))
    process.start()
    inbox.put(rl.arange(3))
    assert outbox.get(timeout=60).tolist() == [0, 2, 4]
    inbox.put(None)
    process.join(60)
    assert process.exitcode == 0


def test_graph_tensors_are_refused():
    from multiprocessing.reduction import ForkingPickler

    with pytest.raises(RuntimeError, match="detach"):
        ForkingPickler.dumps(rl.ones(1, requires_grad=True) * 2)


def test_spawn_runs_all_and_reports_failures():
    tensor = rl.zeros(2).share_memory_()
    assert mp.spawn(fill, args=(tensor,), nprocs=2) is None
    assert tensor.tolist() == [1, 2]
    with pytest.raises(mp.ProcessRaisedException, match=r"(?s)Process 1.*ValueError: oh no"):
        mp.start_processes(fail, args=("oh no",), nprocs=2, start_method="fork")
    with pytest.raises(mp.ProcessExitedException, match="SIGKILL") as caught:
        mp.start_processes(die, nprocs=1, start_method="fork")
    assert caught.value.signal_name == "SIGKILL" and caught.value.error_index == 0


def test_strategies():
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    with pytest.warns(UserWarning, match="file_system"):
        mp.set_sharing_strategy("file_system")
    with pytest.raises(ValueError, match="unknown"):
        mp.set_sharing_strategy("pigeons")


def test_views_received_share_one_storage():
    import pickle
    from multiprocessing.reduction import ForkingPickler

    mp.reductions.init_reductions()
    x = rl.arange(6.0)
    storage, whole, row = pickle.loads(ForkingPickler.dumps([x.storage(), x, x[2:]]))
    assert storage.data_ptr() == whole.data_ptr() == x.data_ptr()
    assert row.untyped_storage() is x.untyped_storage()
