"""How tensors are pickled for another process: as descriptors of shared memory.

Sending a tensor moves its storage into shared memory first, so that both sides see changes. Loader
workers do not come this way; their batches are sent by value (`utils/data/_utils/channel.py`).
"""

from multiprocessing.reduction import DupFd, ForkingPickler

import rushlight as rl
from rushlight._serialization.rebuild import TypedBuffer, reduce_tensor

from .shared import attach, descriptor_of, share_storage


class SharedBuffer(TypedBuffer):
    """A storage that is pickled as a descriptor."""

    def __reduce__(self):
        nbytes, name = self.untyped.nbytes(), str(self.dtype).rpartition(".")[2]
        if not nbytes:
            return _empty_buffer, (name,)
        return _attached_buffer, (DupFd(descriptor_of(self.untyped)), nbytes, name)


def _empty_buffer(name):
    return TypedBuffer(rl.empty(0, dtype=rl.uint8).untyped_storage(), getattr(rl, name))


def _attached_buffer(handle, nbytes, name):
    return TypedBuffer(attach(handle.detach(), nbytes), getattr(rl, name))


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


def init_reductions():
    """Teach the standard module's pickler about tensors."""
    for kind in (rl.Tensor, rl.nn.Parameter):
        ForkingPickler.register(kind, reduce_for_process)
