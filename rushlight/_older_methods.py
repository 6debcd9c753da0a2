"""Methods of Tensor that few programs still call: questions about memory order, out-of-place
``resize``, names that no longer mean anything. Loaded when one is used.

To add one: the function, listed in `METHODS` and in _late.py.
"""

import rushlight as rl
from rushlight import _removed, _tensor_methods


def _dim_order(self, *, ambiguity_check=False):
    """The dimensions in the order in which they lie in memory, outermost first.

    Args:
        ambiguity_check: whether to refuse tensors for which there is more than one such order;
            or memory formats, of which the first that the tensor lies in gives the order then.

    Raises:
        RuntimeError: if there is more than one order, and ``ambiguity_check``.
        TypeError: if it is neither a bool nor a list of memory formats.

    Example::

        >>> rl.zeros(2, 3).t().dim_order()
        (1, 0)
    """
    formats = _formats_of(ambiguity_check)
    strides, dims = self.stride(), range(self.dim())
    if ambiguity_check and (len(set(strides)) < len(strides) or 1 in tuple(self.shape)):
        for memory_format in formats:
            if self.is_contiguous(memory_format=memory_format):
                channels_last = memory_format is not rl.contiguous_format
                return (0, *dims[2:], 1) if channels_last else tuple(dims)
        raise RuntimeError(f"dim_order: strides {strides} fit more than one order of dimensions")
    return tuple(sorted(dims, key=lambda d: -strides[d]))


def _formats_of(ambiguity_check):
    if isinstance(ambiguity_check, bool):
        return ()
    if isinstance(ambiguity_check, list):
        if all(isinstance(item, rl.memory_format) for item in ambiguity_check):
            return ambiguity_check
    raise TypeError(
        "dim_order: ambiguity_check must be a bool or a list of memory formats, "
        f"got {ambiguity_check!r}"
    )


def _resize(self, *sizes):
    """This tensor in other sizes of as many elements (deprecated: use reshape)."""
    sizes = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    if rl.Size(sizes).numel() != self.numel():
        raise RuntimeError(
            f"resize: expected sizes of {self.numel()} elements in all, got {list(sizes)}; "
            "resize_ changes the number of elements"
        )
    return self.contiguous().view(sizes)


def _resize_as(self, tensor):
    """This tensor in the sizes of another (deprecated: use reshape_as)."""
    return _resize(self, tensor.shape)


def _map2_(self, x, y, function):
    """Replace each element by ``function(element, element of x, element of y)``; slow."""
    if self.requires_grad:
        raise RuntimeError("map2_() is not recorded: use it on x.detach()")
    lists = [t.expand(self.shape).reshape(-1).tolist() for t in (self, x, y)]
    values = rl.tensor(list(map(function, *lists)), dtype=self.dtype)
    return self.copy_(values.reshape(self.shape))


def _is_nonzero(self):
    """Is the one element not zero? Raises RuntimeError for another number of elements."""
    return bool(self)


def _const_data_ptr(self):
    """The address of the first element, for reading only."""
    return self.data_ptr()


def _storage_type(self):
    """The class of `storage()`'s elements, such as ``FloatStorage``."""
    return getattr(rl, self.type().partition(".")[2].replace("Tensor", "Storage"))


def _reinforce(self, *args, **kwargs):
    """RuntimeError: removed from PyTorch; see `torch.distributions`."""
    raise RuntimeError(
        "reinforce() has been removed from PyTorch: sample from torch.distributions and "
        "differentiate -log_prob * reward"
    )


def _slice_inverse(self, *args, **kwargs):
    """The tensor that a slice was taken from; see `torch.slice_inverse`."""
    return rl.slice_inverse(self, *args, **kwargs)


def _index(self, positions, dims=None):
    """``self[positions]``, as in early PyTorch. Binding of first-class dimensions, which the name
    stands for today, is not supported.
    """
    if dims is not None:
        raise NotImplementedError("Tensor.index: first-class dimensions are not supported")
    return self[positions]


def _record_stream(self, stream):
    """NotImplementedError: only memory of accelerators is kept for their streams."""
    raise NotImplementedError(
        f"record_stream: not for tensors on {self.device}; memory there is never in use by a stream"
    )


def _typed_storage(self):
    """As `storage`."""
    return self.storage()


METHODS = {
    "_typed_storage": _typed_storage,
    "index": _index,
    "record_stream": _record_stream,
    "slice_inverse": _slice_inverse,
    "dim_order": _dim_order,
    "resize": _resize,
    "resize_as": _resize_as,
    "map2_": _map2_,
    "is_nonzero": _is_nonzero,
    "const_data_ptr": _const_data_ptr,
    "storage_type": _storage_type,
    "reinforce": _reinforce,
    **{name: getattr(_removed, name) for name in ("eig", "lstsq", "solve", "symeig")},
}
_tensor_methods.set_methods(rl.Tensor, METHODS)
