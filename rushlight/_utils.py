"""Private helpers of PyTorch that packages and plain pickles name."""

from rushlight._serialization.rebuild import *  # noqa: F403
from rushlight._serialization.rebuild import (  # noqa: F401
    _rebuild_parameter,
    _rebuild_tensor_v2,
)


def _flatten_dense_tensors(tensors):
    """The elements of all tensors, in one dimension."""
    import rushlight as rl

    return rl.cat([t.contiguous().view(-1) for t in tensors])


def _unflatten_dense_tensors(flat, tensors):
    """Pieces of a flat tensor with the shapes of others."""
    pieces = flat.split([t.numel() for t in tensors])
    return tuple(piece.view_as(t) for piece, t in zip(pieces, tensors))


def _get_available_device_type():
    """None: there is no accelerator."""
    return None


def _get_device_module(device_type):
    """The module of a device; RuntimeError if there is none."""
    import rushlight as rl

    return rl.get_device_module(device_type)


def is_compiling():
    """False."""
    return False


class ExceptionWrapper:
    """An exception with its traceback as text, which `reraise` raises in another process."""

    def __init__(self, exc_info=None, where="in background"):
        import sys
        import traceback

        info = exc_info or sys.exc_info()
        self.exc_type, self.where = info[0], where
        self.exc_msg = "".join(traceback.format_exception(*info))

    def reraise(self):
        """Raises the exception, or a RuntimeError if it cannot be made from a text."""
        message = f"Caught {self.exc_type.__name__} {self.where}.\nOriginal {self.exc_msg}"
        try:
            error = self.exc_type(message)
        except Exception:
            raise RuntimeError(message) from None
        raise error


def _element_size(dtype):
    """The bytes of an element."""
    return dtype.itemsize


def _get_device_index(device, optional=False, allow_cpu=False):
    """The number of a device; of the current one with ``optional``, which must be there."""
    import rushlight as rl

    if isinstance(device, int):
        return device
    device = rl.device(device) if isinstance(device, str) else device
    if isinstance(device, rl.device):
        if device.type == "cpu" and not allow_cpu:
            raise ValueError(f"Expected a non cpu device, but got: {device}")
        if device.type == "cpu" or device.index is not None:
            return -1 if device.index is None else device.index
    if optional and device is not None:
        return 0
    raise ValueError(f"expected a device with an index or an integer, got {device}")
