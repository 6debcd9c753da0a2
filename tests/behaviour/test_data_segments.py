"""Memory that carries one batch after another from a worker: nobody's batch may change under it."""

import gc
import multiprocessing
import os

import numpy
import pytest

import rushlight as rl
from rushlight.utils.data import DataLoader
from rushlight.utils.data._utils import channel, segments


class Lengths:
    """Rows of which each is longer or shorter than the one before, all beyond small messages."""

    def __init__(self, count=60):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return rl.full((10_000 + 977 * (i * 7 % 11),), float(i)), numpy.full(9_000, i)


def _is_row(batch, i):
    row, array = batch
    return row.equal(Lengths()[i][0]) and bool((array == i).all())


@pytest.mark.parametrize("persistent", (False, True))
@pytest.mark.parametrize("in_order", (False, True))
def test_batches_keep_their_values_while_others_come(persistent, in_order):
    loader = DataLoader(
        Lengths(), None, num_workers=2, persistent_workers=persistent, in_order=in_order
    )
    kept = []
    for _ in range(2):
        for count, batch in enumerate(loader):
            i = int(batch[0][0])
            assert _is_row(batch, i)
            if count % 3 == 0:
                kept.append((i, batch))
            elif count % 3 == 1:
                kept.append((i, (batch[0][5:], batch[1])))  # a view alone keeps the memory
    del batch
    gc.collect()
    for i, (row, array) in kept:
        assert bool((row == i).all()) and bool((array == i).all())


def test_a_batch_that_is_written_to_stays_the_readers_own():
    loader = DataLoader(Lengths(), None, num_workers=1)
    for i, batch in enumerate(loader):
        assert _is_row(batch, i)
        batch[0].fill_(-1.0)


def test_few_files_serve_for_many_batches():
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    loader = DataLoader(Lengths(200), None, num_workers=2)
    addresses, most = set(), 0
    for i, (row, _) in enumerate(loader):
        addresses.add(row.data_ptr())
        if before and i % 20 == 0:
            most = max(most, len(os.listdir("/proc/self/fd")) - before)
    assert len(addresses) < 100 and most < 40


def _wait_and_look(go, answer, batch, i):
    go.wait()
    answer.put(_is_row(batch, i))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_batches_that_a_forked_process_inherited_stay():
    context = multiprocessing.get_context("fork")
    go, answer = context.Event(), context.Queue()
    order = iter(DataLoader(Lengths(), None, num_workers=1))
    children = []
    for i in range(4):
        batch = next(order)
        children.append(context.Process(target=_wait_and_look, args=(go, answer, batch, i)))
        children[-1].start()
        children[-1]._args = ()
    del batch
    for i, batch in enumerate(order, 4):
        assert _is_row(batch, i)
    go.set()
    assert all(answer.get(timeout=60) for _ in children)
    for child in children:
        child.join()


def _pair():
    here, there = multiprocessing.Pipe()
    return here, there, segments.Shelf(2), segments.Lender()


def _pass(here, there, shelf, lender, obj):
    shelf.put_back(lender.returned())
    channel.send(here, obj, shelf)
    return channel.receive(there, lender)


def test_a_slot_comes_back_when_its_last_view_is_gone():
    ends = _pair()
    first = _pass(*ends, rl.ones(20_000))
    at, view = first.data_ptr(), first[3:]
    del first
    second = _pass(*ends, rl.zeros(20_000))
    assert second.data_ptr() != at and bool((view == 1).all())
    del view
    third = _pass(*ends, rl.full((19_000,), 3.0))
    assert third.data_ptr() == at and bool((third == 3).all()) and bool((second == 0).all())
    over = [_pass(*ends, rl.full((20_000,), float(n))) for n in range(5)]  # more than slots
    assert all(bool((x == n).all()) for n, x in enumerate(over)) and bool((third == 3).all())


def test_segments_grow_with_what_is_sent():
    ends = _pair()
    for size in (9_000, 50_000, 20_000, 400_000, 9_000, 400_001):
        got = _pass(*ends, (rl.arange(size), size))
        assert got[0].equal(rl.arange(size)) and got[1] == size
        del got
    assert len(ends[2].segments) <= 2


def test_slots_lent_out_during_a_fork_are_made_anew(monkeypatch):
    ends = _pair()
    first = _pass(*ends, rl.ones(20_000))
    seen_elsewhere = memoryview(ends[3].mappings[0])
    segments._count_fork()
    del first
    second = _pass(*ends, rl.zeros(20_000))
    assert bool((second == 0).all())
    assert bytes(seen_elsewhere[:4]) == bytes(rl.ones(1).untyped_storage())
    at = second.data_ptr()
    del second
    assert _pass(*ends, rl.zeros(20_000)).data_ptr() == at


@pytest.mark.parametrize("obj", (None, 5, ["x" * 40_000], {"a": b"\0" * 50_000}, (1, [2, "\0"])))
def test_messages_without_tensors(obj):
    assert _pass(*_pair(), obj) == obj
