"""Loading in worker processes: same batches, seeds, failures. Killed workers are in tests/fault."""

import gc
import multiprocessing
import os
import pathlib
import random
import subprocess
import sys

import pytest

import rushlight as rl
from rushlight.utils.data import DataLoader, IterableDataset, get_worker_info


class Rows:
    """Rows large enough that batches go through shared memory."""

    def __len__(self):
        return 9

    def __getitem__(self, i):
        return {"row": rl.full((100, 50), float(i)), "i": i}


class Draws:
    def __len__(self):
        return 8

    def __getitem__(self, i):
        info = get_worker_info()
        return info.id, info.seed, rl.rand(1).item(), random.random()


class Faulty:
    def __len__(self):
        return 6

    def __getitem__(self, i):
        if i == 3:
            raise KeyError("no such sample")
        return i


class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        return iter(range(info.id, (5, 20)[info.id], info.num_workers))


class Unsendable(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)


class Odd(Faulty):
    def __getitem__(self, i):
        raise Unsendable(1, 2)


class ThreadCount(Faulty):
    def __getitem__(self, i):
        return rl.get_num_threads()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("prefetch", [0, 1, 5])
def test_batches_do_not_depend_on_workers(workers, prefetch):
    expected = list(DataLoader(Rows(), 2))
    got = list(DataLoader(Rows(), 2, num_workers=workers, prefetch_factor=prefetch))
    assert len(got) == len(expected) == 5
    for a, b in zip(got, expected):
        assert a["row"].tolist() == b["row"].tolist() and a["i"].tolist() == b["i"].tolist()
    got[0]["row"].add_(1)  # batches are writable


def test_spawned_workers():
    got = list(DataLoader(Rows(), 4, num_workers=1, multiprocessing_context="spawn"))
    assert [b["i"].tolist() for b in got] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


def test_any_order():
    loader = DataLoader(range(20), None, num_workers=2, in_order=False)
    assert sorted(loader) == list(range(20))


def test_workers_draw_reproducibly_and_differently():
    def run():
        rl.manual_seed(3)
        return list(DataLoader(Draws(), 4, num_workers=2, collate_fn=list))

    first, second = run(), run()
    assert first == second
    (a, *_), (b, *_) = first
    assert a[0] == 0 and b[0] == 1 and b[1] == a[1] + 1
    assert a[2] != b[2] and a[3] != b[3]


def test_persistent_workers_survive_epochs_and_early_exit():
    loader = DataLoader(Rows(), 2, num_workers=2, persistent_workers=True)
    assert len(list(loader)) == 5
    pids = {process.pid for process in loader._iterator._pool.processes}
    next(iter(loader))
    assert [b["i"].tolist() for b in loader][-1] == [8]
    assert {process.pid for process in loader._iterator._pool.processes} == pids


def test_stream_is_divided_by_worker():
    batches = [b.tolist() for b in DataLoader(Stream(), 3, num_workers=2)]
    assert batches == [[0, 2, 4], [1, 3, 5], [7, 9, 11], [13, 15, 17], [19]]


def test_exception_keeps_type_and_traceback_and_loading_goes_on():
    batches = iter(DataLoader(Faulty(), 1, num_workers=2))
    assert [next(batches).item() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match=r"(?s)worker process 1.*__getitem__.*no such sample"):
        next(batches)
    assert next(batches).item() == 4


def test_exception_that_takes_other_arguments_becomes_runtime_error():
    with pytest.raises(RuntimeError, match="Caught Unsendable"):
        list(DataLoader(Odd(), 1, num_workers=1))


def test_failing_init_function_is_reported():
    def fail(worker_id):
        raise ValueError(f"init of {worker_id}")

    with pytest.raises(ValueError, match="init of 0"):
        list(DataLoader(Faulty(), 1, num_workers=1, worker_init_fn=fail))


def test_unpicklable_batch_is_reported():
    loader = DataLoader(range(3), 1, num_workers=1, collate_fn=lambda batch: lambda: batch)
    with pytest.raises(Exception, match="pickle|local object"):
        list(loader)


def test_graph_tensors_are_not_sent():
    loader = DataLoader(
        range(3), 1, num_workers=1, collate_fn=lambda b: rl.ones(2, requires_grad=True) * 2
    )
    with pytest.raises(RuntimeError, match="detach"):
        list(loader)


def test_workers_use_one_thread():
    assert next(iter(DataLoader(ThreadCount(), 1, num_workers=1))).item() == 1


def test_worker_info_is_read_only():
    def check(worker_id):
        get_worker_info().id = 5

    with pytest.raises(RuntimeError, match="Cannot assign"):
        list(DataLoader(Faulty(), 1, num_workers=1, worker_init_fn=check))


def test_nothing_is_left_behind():
    names = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    batches = iter(DataLoader(Rows(), 1, num_workers=2))
    first = next(batches)
    del batches
    gc.collect()
    assert not multiprocessing.active_children()
    assert first["row"].sum().item() == 0
    if names:
        assert set(os.listdir("/dev/shm")) <= names


def test_many_batches_stay_alive_together():
    kept = list(DataLoader([rl.full((9000,), float(i)) for i in range(450)], 1, num_workers=1))
    assert [b[0, 0].item() for b in kept] == list(map(float, range(450)))


def test_too_many_workers_warn():
    count = len(os.sched_getaffinity(0)) + 1
    with pytest.warns(UserWarning, match="worker processes in total"):
        DataLoader(range(3), num_workers=count)


SENDING = """
import io, sys
import rushlight as rl
from rushlight.utils.data import DataLoader, Dataset

class Loaded(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return rl.full((20000,), float("rushlight.nn" in sys.modules))

rl.save(rl.ones(3), file := io.BytesIO())
assert "rushlight.nn" not in sys.modules
print([batch.sum().item() for batch in DataLoader(Loaded(), 1, num_workers=1)])
"""


def test_tensors_travel_without_modules_being_imported_for_it():
    root = pathlib.Path(rl.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", SENDING], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[0.0, 0.0, 0.0]\n"


class Pair(rl.Tensor):
    """Two tensors behind the sizes of the first."""

    @staticmethod
    def __new__(cls, first, second):
        made = rl.Tensor._make_wrapper_subclass(cls, first.shape, dtype=first.dtype)
        made.first, made.second = first, second
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise NotImplementedError(func)

    def __reduce_ex__(self, protocol):
        return Pair, (self.first, self.second)


def test_tensors_without_memory_come_from_workers_as_they_pickle():
    rows = [Pair(rl.full((100,), float(i)), rl.arange(2)) for i in range(4)]
    loader = DataLoader(rows, batch_size=None, num_workers=2, collate_fn=lambda x: x)
    got = list(loader)
    assert [type(x) for x in got] == [Pair] * 4
    assert [x.first.sum().item() for x in got] == [0, 100, 200, 300]


def test_samplers_are_asked_for_their_length_only_with_len():
    class Unknown:
        def __iter__(self):
            return iter([[0, 1], [2]])

        def __len__(self):
            raise ValueError("it depends")

    loader = DataLoader(rl.arange(3), batch_sampler=Unknown())
    assert [x.tolist() for x in loader] == [[0, 1], [2]]
    with pytest.raises(ValueError, match="depends"):
        len(iter(loader))
