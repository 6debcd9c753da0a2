"""How tensors are pickled for another process: as descriptors of shared memory.

Sending a tensor moves its storage into shared memory first, so that both sides see changes. Loader
workers do not come this way; their batches are sent by value (`utils/data/_utils/channel.py`).
"""

import weakref
from multiprocessing.reduction import DupFd, ForkingPickler

import rushlight as rl
from rushlight._serialization.rebuild import TypedBuffer, reduce_tensor

from .shared import attach, descriptor_of, share_storage


class StorageWeakRef:
    """A weak reference to the memory of a storage; those to the same memory are equal.

    Example::

        >>> x = rl.ones(2)
        >>> reference = StorageWeakRef(x.untyped_storage())
        >>> reference == StorageWeakRef(x[:1].untyped_storage())
        True
        >>> del x
        >>> reference.expired()
        True
    """

    __slots__ = ("_reference", "cdata")

    def __init__(self, storage):
        self._reference = weakref.ref(storage.untyped())
        self.cdata = storage._cdata

    def expired(self):
        """Whether the memory is gone."""
        return self._reference() is None

    def __eq__(self, other):
        # Python gives one reference for all who ask for one to the same object.
        return isinstance(other, StorageWeakRef) and self._reference is other._reference

    def __hash__(self):
        return self.cdata


class SharedBuffer(TypedBuffer):
    """A storage that is pickled as a descriptor."""

    def __reduce__(self):
        nbytes = self._untyped_storage.nbytes()
        name = self.dtype and str(self.dtype).rpartition(".")[2]
        if not nbytes:
            return _empty_buffer, (name,)
        return _attached_buffer, (DupFd(descriptor_of(self._untyped_storage)), nbytes, name)


def _empty_buffer(name):
    return TypedBuffer(rl.empty(0, dtype=rl.uint8).untyped_storage(), name and getattr(rl, name))


def _attached_buffer(handle, nbytes, name):
    return TypedBuffer(attach(handle.detach(), nbytes), name and getattr(rl, name))


def _share_and_box(tensor):
    return SharedBuffer(share_storage(tensor.untyped_storage()), tensor.dtype)


def reduce_for_process(tensor):
    """(function, arguments) that make the tensor in another process, on the same memory."""
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "a tensor that is part of a graph cannot be sent to another process, for gradients do "
            "not cross; send x.detach()"
        )
    return reduce_tensor(tensor, _share_and_box)


def reduce_storage(storage):
    """The like for a storage without a tensor, typed or not."""
    untyped = share_storage(storage.untyped())
    return _storage_of, (SharedBuffer(untyped, getattr(storage, "dtype", None)),)


def _storage_of(buffer):
    untyped, dtype = buffer._untyped_storage, buffer.dtype
    return untyped if dtype is None else rl.TypedStorage(wrap_storage=untyped, dtype=dtype)


def init_reductions():
    """Teach the standard module's pickler about tensors and storages."""
    for kind in (rl.Tensor, rl.nn.Parameter):
        ForkingPickler.register(kind, reduce_for_process)
    for kind in (rl.UntypedStorage, rl.TypedStorage):
        ForkingPickler.register(kind, reduce_storage)
