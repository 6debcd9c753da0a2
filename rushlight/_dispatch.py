"""``__torch_dispatch__``: classes and modes that compute ops in the kernels' place.

The native side (csrc/python/dispatch.h) calls `_policy` twice: before an op is computed, when what
is one op here may be taken apart into those that PyTorch makes of it (`_PARTS`), each of which is
recorded; and in the kernel's place, when the op is shown as one of PyTorch's: that of its name
whose declaration fits (`rushlight.library._declared`), or the one that `_SHOWN` says. What PyTorch
has no op for is shown as ``torch.ops.rushlight.NAME``.
"""

import rushlight as rl
from rushlight import _interpose, _native
from rushlight._shown_ops import PARTS, SHOWN, TAKEN_APART
from rushlight.library import _declared
from rushlight.library._schema import Schema
from rushlight.library._operator import OpNamespace, OpOverload, OpOverloadPacket, namespaces

_INPLACE = 2
_aten = OpNamespace("aten")


class no_dispatch:
    """Context: neither modes nor classes see ops."""

    def __enter__(self):
        self._before = _native.set_dispatch_off(True)

    def __exit__(self, *exception):
        _native.set_dispatch_off(self._before)


# ---- whom to ask ---------------------------------------------------------------------------------


def ask(func, args, kwargs):
    """What the innermost mode, or else the arguments' classes, make of a call.

    Raises:
        TypeError: if all of them return NotImplemented.
    """
    classes = _classes(list(args) + list(kwargs.values()))
    types, asked = tuple(map(type, classes)), []
    stack = _native.dispatch_modes()
    if stack:
        mode = stack.pop()
        try:
            result = mode.__torch_dispatch__(func, types, tuple(args), kwargs)
        finally:
            stack.append(mode)
        if result is not NotImplemented:
            return result
        asked.append(f"mode object {mode}")
    for argument in classes:
        result = type(argument).__torch_dispatch__(func, types, tuple(args), kwargs)
        if result is not NotImplemented:
            return result
        asked.append(f"tensor subclass {type(argument)}")
    raise TypeError(
        f"Multiple dispatch failed for 'torch._ops.{func}'; all __torch_dispatch__ handlers "
        "returned NotImplemented:\n\n" + "\n".join(f"  - {who}" for who in asked)
    )


def _classes(values):
    found, types = [], set()
    for value in values:
        for x in value if isinstance(value, (tuple, list)) else (value,):
            kind = type(x)
            if kind in types or not _native.has_torch_dispatch(x):
                continue
            types.add(kind)
            at = [i for i, other in enumerate(found) if issubclass(kind, type(other))]
            found.insert(at[0] if at else len(found), x)
    return found


# ---- the policy ----------------------------------------------------------------------------------


def _policy(whole, record, args, form, out, recorded):
    inplace = form == _INPLACE
    if whole:
        return _before(record, args, inplace, out, recorded)
    call = _aten_call(record, args, inplace)
    if call is not None:
        func, given, kwargs, fit = call
        return fit(ask(func, given, kwargs))
    if record.reference:
        result = record.reference(*args)  # whose ops ask again
    else:
        result = ask(own_op(record), list(args), {})
    return args[0].copy_(result) if inplace else result


def _before(record, args, inplace, out, recorded):
    if out is not None:
        return _into(out, _native.call_record(record, args))
    parts = None if inplace else PARTS.get(record.name)
    if parts is not None:
        return parts(*args)
    if recorded or not record.reference or record.gradients or record.name in TAKEN_APART:
        return NotImplemented
    call = _aten_call(record, args, inplace)
    if call is None:
        return NotImplemented
    func, given, kwargs, fit = call
    with rl.no_grad():
        result = fit(ask(func, given, kwargs))
    return args[0] if inplace or record.mutated >= 0 else result


def _into(out, result):
    for target, value in zip(*[[x] if isinstance(x, rl.Tensor) else x for x in (out, result)]):
        if target.shape != value.shape:
            target.resize_(value.shape)
        target.copy_(value)
    return out


def _same(result):
    return result


def _aten_call(record, args, inplace):
    """PyTorch's op for a call, its arguments, and what makes our results of its; None: no such."""
    shown = None if inplace else SHOWN.get(record.name)
    if shown is not None:
        answer = shown(*args)
        if answer is not None:
            name, given, kwargs, *fit = answer
            packet, _, overload = name.partition(".")
            func = getattr(getattr(_aten, packet), overload or "default")
            given, kwargs = _declared.written(func._schema, given, kwargs)
            return func, given, kwargs, fit[0] if fit else _same
    name = record.public_name + "_" * inplace
    found = _declared.find(name, record, args)
    if found is None:
        return None
    overload, given, kwargs = found
    func = getattr(getattr(_aten, name), overload)
    if "pin_memory" in record.arg_names:
        _place(func._schema, given, kwargs)
    return func, given, kwargs, _same


def _place(declared, given, kwargs):
    """What PyTorch's Python functions say of where new tensors are."""
    names = {a.name for a in declared.arguments if a.kwarg_only}
    if "pin_memory" not in names:
        return
    if not any(isinstance(x, rl.Tensor) for x in given):
        kwargs.setdefault("device", rl.device("cpu"))
    kwargs.setdefault("pin_memory", False)


def own_op(record):
    """The overload that stands for an op that PyTorch does not have."""
    known = namespaces.setdefault("rushlight", {})
    if record.name not in known:

        def call(overload, args, kwargs):
            return _native.call_record(record, tuple(args))

        schema = Schema("rushlight::" + record.schema)
        known[record.name] = OpOverloadPacket(
            "rushlight", record.name, lambda p, o: OpOverload(p, o, call, schema)
        )
    return known[record.name].default


# ---- methods that are no ops ---------------------------------------------------------------------

_NUMBERS = {
    "item": lambda v: v,
    "__bool__": bool,
    "__float__": float,
    "__int__": int,
    "__index__": int,
    "__complex__": complex,
}


def _member(name, args, kwargs):
    tensor = args[0]
    if name in ("detach", "data"):
        with rl.no_grad():
            return ask(_aten.detach.default, (tensor,), {})
    if name == "lift_fresh":
        with rl.no_grad():
            return ask(_aten.lift_fresh.default, (tensor,), {})
    if name in _NUMBERS and tensor.numel() == 1:
        with rl.no_grad():
            return _NUMBERS[name](ask(_aten._local_scalar_dense.default, (tensor,), {}))
    if name in ("__getitem__", "__setitem__"):
        from rushlight.func import indexing

        return (indexing.get_item if name == "__getitem__" else indexing.set_item)(*args)
    return NotImplemented


_native.set_dispatch(_policy, _member)


# ---- tensors without memory ----------------------------------------------------------------------

#: what these tensors answer without a class that does
_ANSWERS = {rl.Tensor.data_ptr: 0, rl.Tensor.is_shared: False}
_kind = _interpose.register_kind(
    "wrapper subclass", lambda function, args, kwargs: _ANSWERS.get(function, NotImplemented)
)


def _check_wrapper_class(cls):
    if not isinstance(cls, type) or not issubclass(cls, rl.Tensor):
        raise TypeError(f"_make_wrapper_subclass: cls must be a subclass of Tensor, got {cls!r}")
    own = cls.__mro__[: cls.__mro__.index(rl.Tensor)]
    if not any("__torch_dispatch__" in vars(c) for c in own):
        raise RuntimeError(
            "make_wrapper_subclass: the class has no __torch_dispatch__, and nothing else computes "
            "with tensors that have no memory"
        )


def make_wrapper_subclass(
    cls,
    size,
    strides=None,
    storage_offset=None,
    memory_format=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    dispatch_sizes_strides_policy=None,
    dispatch_device=False,
    dispatch_layout=False,
    _extra_dispatch_keys=None,
    storage_size=None,
):
    """An instance of a class with a ``__torch_dispatch__``: geometry and a dtype, but no memory.

    Ops on it are computed by the class; nothing else can.
    """
    _check_wrapper_class(cls)
    for name, value in (
        ("dispatch_sizes_strides_policy", dispatch_sizes_strides_policy),
        ("dispatch_device", dispatch_device or None),
        ("dispatch_layout", dispatch_layout or None),
        ("_extra_dispatch_keys", _extra_dispatch_keys),
        ("pin_memory", pin_memory or None),
    ):
        if value is not None:
            raise NotImplementedError(f"_make_wrapper_subclass: {name} is not supported")
    if layout not in (None, rl.strided):
        raise NotImplementedError(f"_make_wrapper_subclass: a layout of {layout} is not supported")
    size = rl.Size([size] if isinstance(size, int) else size)
    dtype = rl.get_default_dtype() if dtype is None else dtype
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    if strides is None:
        order = memory_format or rl.contiguous_format
        strides = rl.empty(size, dtype=dtype, device="meta", memory_format=order).stride()
    strides = tuple(strides)
    last = sum((n - 1) * s for n, s in zip(size, strides)) + 1 if all(size) else 0
    offset = storage_offset or 0
    bytes_ = storage_size if storage_size is not None else (last + offset) * dtype.itemsize
    device = rl.device("cpu" if device is None else device)
    if device.type not in ("cpu", "meta"):
        raise NotImplementedError(f"_make_wrapper_subclass: the device {device} is not supported")
    with no_dispatch():
        made = _native.make_wrapper_instance(
            cls, _kind, size, strides, offset, dtype, device, bytes_
        )
        return made.requires_grad_() if requires_grad else made


def clone_wrapper(tensor):
    """What ``copy.deepcopy`` gives of such an instance, but for its attributes."""
    with rl.no_grad():
        made = tensor.clone()
    if type(made) is not type(tensor):
        raise RuntimeError(
            f"__deepcopy__(): clone() of a {type(tensor).__name__} has to give one, got a "
            f"{type(made).__name__}"
        )
    return made
