"""Functions that checkpoints call, by PyTorch's names, to make tensors from their parts.

A new one is a function here plus its home module in `FILE_MODULES`. `reduce_tensor` is the reverse.
"""

import collections
import copyreg
import operator

import rushlight as rl
from rushlight import _native

FILE_MODULES = {
    "_rebuild_tensor": "torch._utils",
    "_rebuild_tensor_v2": "torch._utils",
    "_rebuild_tensor_v3": "torch._utils",
    "_rebuild_parameter": "torch._utils",
    "_rebuild_parameter_with_state": "torch._utils",
    "_rebuild_sparse_tensor": "torch._utils",
    "_rebuild_meta_tensor_no_storage": "torch._utils",
    "_rebuild_wrapper_subclass": "torch._utils",
    "_rebuild_from_type_v2": "torch._tensor",
    "_get_layout": "torch.serialization",
}


class TypedBuffer:
    """A storage together with the dtype of its elements, as files pair them."""

    def __init__(self, untyped, dtype):
        self._untyped_storage, self.dtype = untyped, dtype

    def __repr__(self):
        return f"{type(self).__name__}({self._untyped_storage!r}, {self.dtype})"


def _view(storage, dtype, offset, size, stride):
    untyped = getattr(storage, "_untyped_storage", storage)
    size, stride = tuple(size), tuple(stride)
    _check_reach(untyped.nbytes(), dtype.itemsize, offset, size, stride)
    return rl.empty((0,), dtype=dtype, device=untyped.device).set_(untyped, offset, size, stride)


def _check_reach(nbytes, itemsize, offset, size, stride):
    """A forged file must not make a tensor that reads outside its storage."""
    if len(size) != len(stride) or offset < 0 or min((*size, *stride, 0)) < 0:
        raise RuntimeError(f"load: invalid geometry: {offset=}, {size=}, {stride=}")
    if 0 in size:
        return
    last = offset + sum(map(operator.mul, size, stride)) - sum(stride)
    if (last + 1) * itemsize > nbytes:
        raise RuntimeError(
            f"load: a tensor of {size=}, {stride=}, {offset=} needs {(last + 1) * itemsize} bytes, "
            f"but its storage has {nbytes}"
        )


def _rebuild_tensor(storage, storage_offset, size, stride):
    return _view(storage, storage.dtype, storage_offset, size, stride)


def _rebuild_tensor_v2(
    storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None
):
    return _rebuild_tensor_v3(
        storage,
        storage_offset,
        size,
        stride,
        requires_grad,
        backward_hooks,
        storage.dtype,
        metadata,
    )


def _rebuild_tensor_v3(
    storage, storage_offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None
):
    tensor = _view(storage, dtype, storage_offset, size, stride)
    if metadata:
        tensor = _apply_bits(tensor, metadata)
    return tensor.requires_grad_(requires_grad) if requires_grad else tensor


def _apply_bits(tensor, metadata):
    unknown = set(metadata) - {"conj", "neg"}
    if unknown:
        raise NotImplementedError(f"load: tensor metadata {sorted(unknown)} is not supported")
    if metadata.get("conj"):
        tensor = tensor.conj()
    return -tensor if metadata.get("neg") else tensor


def _rebuild_parameter(data, requires_grad, backward_hooks):
    return rl.nn.Parameter(data, requires_grad)


def _rebuild_parameter_with_state(data, requires_grad, backward_hooks, state):
    return _with_state(rl.nn.Parameter(data, requires_grad), state)


def _with_state(obj, state):
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in (part or {}).items():
            setattr(obj, name, value)
    return obj


def _state_of(obj):
    """What an instance has besides its elements: what it says itself, or its attributes, and those
    in slots.
    """
    cls = type(obj)
    own = getattr(cls, "__getstate__", None)
    if own not in (None, getattr(object, "__getstate__", None)):
        return obj.__getstate__()
    state = dict(getattr(obj, "__dict__", {}))
    names = () if cls is rl.Tensor else slots_of(cls)
    slots = {name: getattr(obj, name) for name in names if hasattr(obj, name)}
    return (state, slots) if slots else state


def slots_of(cls):
    """The names of the slots that a class written in Python has."""
    return copyreg._slotnames(cls)


def _rebuild_from_type_v2(func, new_type, args, state):
    made = func(*args)
    if type(made) is not new_type:
        made = made.as_subclass(new_type)
    if type(made).__setstate__ is not rl.Tensor.__setstate__:
        made.__setstate__(state)
        return made
    return _with_state(made, state)


def _get_layout(name):
    return getattr(rl, name.rpartition(".")[2])


def _rebuild_sparse_tensor(layout, data):
    if layout is rl.sparse_coo:
        indices, values, size, *coalesced = data
        made = rl.sparse_coo_tensor(indices, values, size)
        return made._coalesced_(bool(coalesced[0])) if coalesced else made
    compressed, plain, values, size = data
    return rl.sparse_compressed_tensor(compressed, plain, values, size, layout=layout)


def _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad):
    return rl.empty_strided(
        tuple(size), tuple(stride), dtype=dtype, device="meta", requires_grad=requires_grad
    )


def _rebuild_wrapper_subclass(
    cls, dtype, size, stride, storage_offset, layout, device, requires_grad
):
    from rushlight._dispatch import make_wrapper_subclass

    return make_wrapper_subclass(
        cls,
        size,
        strides=stride,
        storage_offset=storage_offset,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
    )


def _reduce_wrapper(tensor):
    """The like for an instance of a class that computes with other tensors."""
    place = tuple(tensor.size()), tensor.stride(), tensor.storage_offset(), tensor.layout
    args = (type(tensor), tensor.dtype, *place, tensor.device, tensor.requires_grad)
    made = _rebuild_wrapper_subclass, type(tensor), args, _state_of(tensor)
    return _rebuild_from_type_v2, made


def reduce_tensor(tensor, box):
    """(function, arguments) that rebuild `tensor`; `box(tensor)` stands for its storage.

    `box` returns an object whose `dtype` is that of the stored elements.
    """
    if tensor.layout is not rl.strided:
        return _rebuild_sparse_tensor, (tensor.layout, _sparse_parts(tensor))
    if _native.kind_of(tensor) and _native.has_torch_dispatch(tensor):
        return _reduce_wrapper(tensor)
    plain, made = _reduce_plain(tensor, box)
    state = _state_of(tensor)
    if type(tensor) is rl.Tensor and not state:
        return plain, made
    hooks = collections.OrderedDict()
    if type(tensor) is not rl.Tensor and isinstance(tensor, rl.nn.Parameter):
        if not state:
            return _rebuild_parameter, (tensor.data, tensor.requires_grad, hooks)
        return _rebuild_parameter_with_state, (tensor.data, tensor.requires_grad, hooks, state)
    return _rebuild_from_type_v2, (plain, type(tensor), made, state)


def _sparse_parts(tensor):
    """What `_rebuild_sparse_tensor` takes; for COO also whether it is coalesced."""
    tensor, size = tensor.detach(), tensor.size()
    if tensor.layout is rl.sparse_coo:
        return tensor._indices(), tensor._values(), size, tensor.is_coalesced()
    if tensor.layout in (rl.sparse_csr, rl.sparse_bsr):
        return tensor.crow_indices(), tensor.col_indices(), tensor.values(), size
    return tensor.ccol_indices(), tensor.row_indices(), tensor.values(), size


def _reduce_plain(tensor, box):
    if tensor.requires_grad and not tensor.is_leaf:
        tensor = tensor.detach().requires_grad_()
    size, stride = tuple(tensor.size()), tensor.stride()
    if tensor.device.type == "meta":
        return _rebuild_meta_tensor_no_storage, (tensor.dtype, size, stride, tensor.requires_grad)
    buffer = box(tensor)
    args = (buffer, tensor.storage_offset(), size, stride, tensor.requires_grad)
    args += (collections.OrderedDict(),)
    bits = {"conj": tensor.is_conj(), "neg": tensor.is_neg()}
    extra = ({bit: True for bit, is_set in bits.items() if is_set},) if any(bits.values()) else ()
    if buffer.dtype == tensor.dtype:
        return _rebuild_tensor_v2, args + extra
    return _rebuild_tensor_v3, args + (tensor.dtype,) + extra
