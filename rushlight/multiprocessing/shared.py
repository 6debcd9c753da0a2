"""Storages in memory that several processes see.

A block is an anonymous file in memory, mapped; whoever gets its descriptor maps the same bytes. It
disappears with its last holder, however that one ends. Sending descriptors is in `reductions.py`.
"""

import mmap
import os
import tempfile
import weakref

import rushlight as rl

_blocks = weakref.WeakValueDictionary()  # address -> Block
_storages = weakref.WeakValueDictionary()  # what tells a file in memory from others -> storage


class Block(mmap.mmap):
    """A shared mapping that knows its descriptor."""

    def __new__(cls, descriptor, nbytes):
        """Takes over the descriptor, which is closed with the block."""
        block = super().__new__(cls, descriptor, nbytes)
        block.descriptor = descriptor
        weakref.finalize(block, os.close, descriptor).atexit = False
        return block


def _anonymous_file(nbytes):
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("rushlight-shared", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, nbytes)
    return descriptor


def share_storage(storage):
    """Move a storage's bytes into shared memory, in place: all tensors on it move along."""
    if storage.nbytes() and storage.data_ptr() not in _blocks:
        block = Block(_anonymous_file(storage.nbytes()), storage.nbytes())
        _take_over(storage, block)
    return storage


def _take_over(storage, block):
    storage._move_to_shared(rl.frombuffer(block, dtype=rl.uint8).untyped_storage())
    _blocks[storage.data_ptr()] = block
    _storages[_identity(block.descriptor)] = storage


def _identity(descriptor):
    file = os.fstat(descriptor)
    return file.st_dev, file.st_ino


def descriptor_of(storage):
    """The descriptor behind a shared storage."""
    return _blocks[storage.data_ptr()].descriptor


def attach(descriptor, nbytes):
    """The storage on a block that another process made, which is one for all who receive it; takes
    over the descriptor.
    """
    storage = _storages.get(_identity(descriptor))
    if storage is not None:
        os.close(descriptor)
        return storage
    storage = rl.UntypedStorage(0)
    _take_over(storage, Block(descriptor, nbytes))
    return storage
