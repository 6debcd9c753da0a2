"""Files in memory that carry one message after another between two processes.

The sender keeps a few on a `Shelf`. The receiver's `Lender` maps each of them once and lends its
bytes to the tensors of one message; when the last of these is gone, the slot goes back to the
sender, who may write to it again. That saves new pages, which cost more than what is copied to
them. How messages are made is in `channel.py`.
"""

import mmap
import os
import tempfile
import weakref

import rushlight as rl
from rushlight._serialization.buffers import bytes_of

_MOST_MAPPINGS = 400  # each holds a descriptor while its tensors live; past that, bytes are copied

_live_mappings = weakref.WeakSet()
_forks = 0  # of this process


def _count_fork():
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_count_fork)


class Segment:
    """A file that the sender writes to: first by calls, which make its pages without clearing them,
    later through a mapping, for the calls look every page up.
    """

    def __init__(self, slot, capacity):
        self.slot, self.capacity, self.is_new = slot, capacity, True
        self.descriptor, self.mapping = _anonymous_file(), None
        os.ftruncate(self.descriptor, capacity)

    def write(self, data, position):
        if self.is_new:
            while len(data):
                written = os.pwrite(self.descriptor, data, position)
                data, position = data[written:], position + written
            return
        if self.mapping is None:
            self.mapping = _map(self.descriptor, self.capacity)
        self.mapping[position : position + len(data)] = data

    def sent(self):
        """The receiver has it; without a slot it never comes back."""
        self.is_new = False
        if self.slot is None:
            self.close()

    def close(self):
        if self.mapping is None:
            os.close(self.descriptor)


class Shelf:
    """The sender's side: at most so many segments; when all are lent out, some for one message."""

    def __init__(self, most):
        self.most = most
        self.segments, self.free = {}, []

    def take(self, total):
        """A segment of at least so many bytes, the smallest that is free."""
        fitting = [slot for slot in self.free if self.segments[slot].capacity >= total]
        if fitting:
            slot = min(fitting, key=lambda slot: self.segments[slot].capacity)
            self.free.remove(slot)
            return self.segments[slot]
        if self.free:
            self._discard(self.free[0])
        unused = (slot for slot in range(self.most) if slot not in self.segments)
        slot = next(unused, None)
        segment = Segment(slot, total)
        if slot is not None:
            self.segments[slot] = segment
        return segment

    def put_back(self, slots):
        """What `Lender.returned` has told."""
        for slot in slots:
            self.free.append(abs(slot) - 1)
            if slot < 0:
                self._discard(-slot - 1)

    def _discard(self, slot):
        self.free.remove(slot)
        self.segments.pop(slot).close()


NO_SHELF = Shelf(0)


class Lender:
    """The receiver's side: the mapped segments of one sender."""

    def __init__(self):
        self.mappings, self.loans, self.ended = {}, {}, []

    def lend(self, slot, descriptor, capacity):
        """The bytes of a slot, until the last view of them is gone; a descriptor is that of a new
        segment, and taken over.
        """
        if descriptor is not None:
            self.mappings[slot] = _map(descriptor, capacity)
        # Views of views would not tell when they are gone; a storage holds the very view it is on.
        loan = memoryview(self.mappings[slot])
        ended, forks = self.ended, _forks
        self.loans[slot] = weakref.ref(loan, lambda _: ended.append((slot, forks)))
        return bytes_of(rl.frombuffer(loan, dtype=rl.uint8).untyped_storage())

    def returned(self):
        """Slots whose loans have ended since the last call, counted from 1. Negative are those that
        another process may still read, for this one has forked meanwhile.
        """
        count = len(self.ended)  # more may come from other threads
        slots = [1 + slot if forks == _forks else -1 - slot for slot, forks in self.ended[:count]]
        del self.ended[:count]
        return slots


def memory_of(descriptor, total):
    """The bytes of a file for one message, mapped; or copied when very many mappings are alive
    already. Takes over the descriptor.
    """
    if len(_live_mappings) < _MOST_MAPPINGS:
        mapping = _map(descriptor, total)
        _live_mappings.add(mapping)
        return memoryview(mapping)
    data = bytearray(total)
    with open(descriptor, "rb", buffering=0) as file:
        target = memoryview(data)
        while len(target):
            target = target[file.readinto(target) :]
    return memoryview(data)


def _map(descriptor, total):
    try:
        flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
        return mmap.mmap(descriptor, total, flags=flags)
    finally:
        os.close(descriptor)


def _anonymous_file():
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rushlight-batch", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
