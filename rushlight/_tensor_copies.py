"""How tensors are copied and pickled: `copy.deepcopy` and plain `pickle`. Checkpoints are in
`_serialization`, tensors on their way to other processes in `multiprocessing/reductions.py`.
"""

import rushlight as rl
from rushlight import _native
from rushlight._tensor_methods import _buffer_of_bytes, _name_of, set_methods


def deep_copy(self, memo):
    """A leaf with data of its own; tensors that share memory share it in the copy too."""
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment; copy x.detach() instead."
        )
    if id(self) in memo:
        return memo[id(self)]
    copied = _clone_of_wrapper(self) if _is_wrapper(self) else _copy_of_data(self, memo)
    if type(self) is not rl.Tensor:
        copied = copied.as_subclass(type(self))
    memo[id(self)] = copied
    if self.requires_grad:
        copied.requires_grad_()
    from copy import deepcopy

    if self.grad is not None:
        copied.grad = deepcopy(self.grad, memo)
    if getattr(self, "__dict__", None):
        copied.__dict__.update(deepcopy(self.__dict__, memo))
    if type(self) is not rl.Tensor:
        _copy_slots(self, copied, memo)
    return copied


def _copy_slots(tensor, copied, memo):
    from copy import deepcopy

    from rushlight._serialization.rebuild import slots_of

    for name in slots_of(type(tensor)):
        if hasattr(tensor, name):
            setattr(copied, name, deepcopy(getattr(tensor, name), memo))


def _is_wrapper(tensor):
    """Is it of a class that computes with other tensors, and has no memory?"""
    return _native.kind_of(tensor) != 0 and _native.has_torch_dispatch(tensor)


def _clone_of_wrapper(tensor):
    from rushlight import _dispatch

    return _dispatch.clone_wrapper(tensor)


def _copy_of_data(tensor, memo):
    if tensor.layout is not rl.strided:
        return tensor.detach().clone()
    place = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
    if tensor.device.type == "meta":
        return rl.empty_strided(*place[1:], dtype=tensor.dtype, device="meta")
    with rl.no_grad():
        plain = tensor.detach()
        if tensor.is_conj() or tensor.is_neg():
            return plain.clone()
        storage = copy_of_storage(plain.untyped_storage(), memo)
        return rl.empty(0, dtype=tensor.dtype, device=tensor.device).set_(storage, *place)


def copy_of_storage(storage, memo):
    """The one copy that a deepcopy makes of a storage."""
    copies = memo.setdefault("rushlight storages", {})
    if storage._cdata not in copies:
        copies[storage._cdata] = storage.clone(), storage  # kept, so that no other gets its number
    return copies[storage._cdata][0]


def reduce_ex(self, protocol):
    """Pickles the bytes of the whole storage with the geometry of this view of it."""
    from rushlight._serialization.rebuild import TypedBuffer, reduce_tensor

    class Buffer(TypedBuffer):
        def __reduce__(self):
            return _buffer_of_bytes, (
                bytes(memoryview(self._untyped_storage)),
                _name_of(self.dtype),
            )

    return reduce_tensor(self, lambda tensor: Buffer(tensor.untyped_storage(), tensor.dtype))


set_methods(rl.Tensor, {"__deepcopy__": deep_copy, "__reduce_ex__": reduce_ex})
