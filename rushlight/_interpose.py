"""Who may take over a call, and in which order: the policy behind the native hook.

The hook (csrc/python/interpose.h) calls `_policy` when an interposer is active in this thread or
an argument is marked. Asked are, in this order: interposers, innermost first; classes with a
``__torch_function__``; the handlers of the kinds of tensor among the arguments. A new transform
needs `interpose` or `register_kind`, and changes nothing here. PyTorch's public protocol on top
of this is `rushlight.overrides`.
"""

from _thread import get_ident

from rushlight import _native

SPARSE_KINDS = ("sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
_handlers = {}  # kind -> handler(function, args, kwargs)
_names = dict(enumerate(SPARSE_KINDS, 1))
_layout_kinds = {getattr(_native, name): kind for kind, name in _names.items()}
_public = {}  # an attribute's private op -> what users call it: Tensor.T.__get__


class interpose:
    """Context manager: every call of an op, method or attribute in this thread asks a handler.

    Args:
        handler: ``handler(function, args, kwargs)`` returns the call's result, or NotImplemented
            if the call is to go on as if it had not been asked. While the handler runs it is off
            the stack, so that it can call ``function(*args, **kwargs)`` itself. If it declines an
            op that is a composition, it is asked again for the ops that this calls. If it has an
            attribute ``wanted``, a set of functions, it need not be asked for others.

    Example::

        >>> seen = []
        >>> def watch(function, args, kwargs):
        ...     seen.append(function.__name__)
        ...     return NotImplemented
        >>> with rl._interpose.interpose(watch):
        ...     _ = rl.ones(2) + 1
        >>> seen
        ['ones', 'add']
    """

    def __init__(self, handler):
        self.handler = handler

    def __enter__(self):
        _native.push_interposer(self.handler)
        return self.handler

    def __exit__(self, *exception):
        _native.pop_interposer()


def register_kind(name, handler, kind=None):
    """A kind of tensor that is no strided memory; the number that `make_kind` takes.

    Args:
        name: for messages.
        handler: ``handler(function, args, kwargs)`` is asked for every call with such a tensor; it
            returns the result or NotImplemented. An op that is declined is computed by its
            composite body, if it has one, whose ops ask again; otherwise NotImplementedError.
            Later kinds are asked before earlier ones.
        kind: the number of one of `SPARSE_KINDS` that is being implemented, or of a level of
            function transforms.
    """
    kind = kind or max([k for k in _names if k < 128]) + 1  # from 128: levels of transforms
    _names[kind], _handlers[kind] = name, handler
    return kind


def make_kind(kind, sizes, dtype, device, payload):
    """A tensor of a registered kind: sizes, dtype and device without memory, and its payload."""
    return _native.make_kind(kind, sizes, dtype, device, payload)


def overridable(function):
    """Decorator: puts a Python function that is no op behind the hook, as ops are."""
    own = (getattr(function, "__module__", None) or "").startswith("rushlight.sparse")

    def asked(*args, **kwargs):
        result = _native.interposed(asked, args, kwargs, own)
        return function(*args, **kwargs) if result is NotImplemented else result

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):  # without `functools`
        setattr(asked, name, getattr(function, name))
    asked.__dict__.update(function.__dict__)
    asked.__wrapped__ = function
    return asked


def attribute(name, op, setter=None):
    """A property of Tensor that calls an op and is known to handlers as ``Tensor.name.__get__``."""
    if hasattr(op, "record"):
        getter = _native.make_callable(op.record, 0, name)
    else:
        getter = overridable(op)
    made = property(getter, setter)
    setattr(_native.Tensor, name, made)
    _public[getter] = made.__get__


# ---- the default of Tensor subclasses --------------------------------------------------------

_ALL, _NO_SUBCLASSES, _NONE = 0, 1, 2  # what `torch_function_off` means


class _Off:
    def __enter__(self):
        self._before = _native.set_torch_function_off(
            max(self._level, _native.torch_function_off())
        )

    def __exit__(self, *exception):
        _native.set_torch_function_off(self._before)


class DisableTorchFunctionSubclass(_Off):
    """Context manager: subclasses are treated as plain tensors; modes still see every call."""

    _level = _NO_SUBCLASSES


class DisableTorchFunction(_Off):
    """Context manager: neither subclasses nor modes see calls."""

    _level = _NONE


def _convert(result, cls):
    """Plain tensors in a result as instances of `cls`, sharing their memory and history."""
    if isinstance(result, _native.Tensor):
        return result if isinstance(result, cls) else result.as_subclass(cls)
    if isinstance(result, (tuple, list)):
        make = getattr(type(result), "_make", type(result))
        return make([_convert(r, cls) for r in result])
    return result


def _tensor_torch_function(cls, func, types, args=(), kwargs=None):
    """Runs the call on plain tensors and returns tensors of this class.

    NotImplemented if an argument is of a class that this one does not derive from.
    """
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        result = func(*args, **(kwargs or {}))
        return result if func in get_default_nowrap_functions() else _convert(result, cls)


_nowrap = set()


def get_default_nowrap_functions():
    """What returns a tensor that keeps its class: ``grad`` and ``_base``."""
    if not _nowrap:
        tensor = _native.Tensor
        _nowrap.update((tensor._base.__get__, tensor.grad.__get__, tensor._grad.__get__))
    return _nowrap


def install(tensor_type):
    """Gives Tensor its ``__torch_function__``."""
    tensor_type.__torch_function__ = classmethod(_tensor_torch_function)


# ---- the policy ------------------------------------------------------------------------------


_passing = set()  # threads whose next call is not to ask __torch_function__


def passes():
    """Is this the call that `redispatch_function` makes? Asks once."""
    thread = get_ident()
    if thread not in _passing:
        return False
    _passing.remove(thread)
    return True


def _policy(function, args, kwargs, marked):
    function = _public.get(function, function)
    off = _native.torch_function_off()
    off = 2 if _passing and passes() else off
    classes = [] if off else overloaded(marked)
    result, mode = _ask_interposers(function, args, kwargs, classes, off)
    if result is NotImplemented and (classes or mode):
        result = _ask_classes(function, args, kwargs, classes, mode)
        if result is not NotImplemented:
            return result
    return result if result is not NotImplemented else _ask_kinds(function, args, kwargs, marked)


def overloaded(arguments):
    """The arguments whose ``__torch_function__`` is to be called: one a type, subclasses first."""
    found, types = [], set()
    for argument in arguments:
        kind = type(argument)
        if kind in types or not _native.has_torch_function(argument):
            continue
        types.add(kind)
        place = len(found)
        for i, other in enumerate(found):
            if issubclass(kind, type(other)):
                place = i
                break
        found.insert(place, argument)
    return found


def _ask_interposers(function, args, kwargs, classes, off):
    """The result, and the mode that was asked and declined (outer modes are not asked then)."""
    stack, declined = _native.interposer_stack(), None
    for depth in range(len(stack) - 1, -1, -1):
        entry = stack[depth]
        is_mode = hasattr(entry, "__torch_function__")
        if is_mode and (off == 2 or declined):
            continue
        above = stack[depth:]
        del stack[depth:]
        try:
            if is_mode:
                types = tuple(map(type, classes))
                result = entry.__torch_function__(function, types, args, kwargs)
            else:
                result = entry(*_straight(function, args), kwargs)
        finally:
            stack[depth:] = above
        if result is not NotImplemented:
            return result, None
        declined = entry if is_mode else declined
    return NotImplemented, declined


def _ask_classes(function, args, kwargs, classes, mode):
    types = tuple(map(type, classes))
    for argument in classes:
        result = argument.__torch_function__(function, types, args, kwargs)
        if result is not NotImplemented:
            return result
    asked = [f"mode object {mode}"] if mode else []
    asked += [f"tensor subclass {kind}" for kind in types]
    name = getattr(function, "__qualname__", function)
    raise TypeError(
        f"no implementation found for 'torch.{name}': every __torch_function__ that was asked "
        f"returned NotImplemented: {', '.join(asked)}"
    )


#: what `2 - x` calls, and the op that it stands for, with the operands in their order
_REFLECTED = {
    "__rsub__": "sub",
    "__rtruediv__": "div",
    "__rfloordiv__": "floor_divide",
    "__rmod__": "remainder",
    "__rpow__": "pow",
    "__rmatmul__": "matmul",
    "__rand__": "bitwise_and",
    "__ror__": "bitwise_or",
    "__rxor__": "bitwise_xor",
    "__rlshift__": "bitwise_left_shift",
    "__rrshift__": "bitwise_right_shift",
}


def _straight(function, args):
    """Only ``__torch_function__`` sees reflected operators; other handlers see the op."""
    name = _REFLECTED.get(getattr(function, "__name__", None))
    return (function, args) if name is None else (getattr(_native.Tensor, name), args[::-1])


def _kinds_policy(function, args, kwargs, marked):
    """`_policy` where neither interposers nor classes are to be asked."""
    if _passing:
        return _policy(function, args, kwargs, marked)
    return _ask_kinds(_public.get(function, function), args, kwargs, marked)


def _ask_kinds(function, args, kwargs, marked):
    function, args = _straight(function, args)
    kinds = [_native.kind_of(x) or _layout_kinds.get(x, 0) for x in marked]
    for kind in sorted(set(kinds), reverse=True) if len(kinds) > 1 else kinds:
        if kind not in _handlers and 0 < kind <= len(SPARSE_KINDS):
            from rushlight import sparse  # noqa: F401  registers them
        handler = _handlers.get(kind)
        result = handler(function, args, kwargs) if handler else NotImplemented
        if result is not NotImplemented:
            return result
    return NotImplemented


def _describe(kind):
    return _names[kind]


_native.set_policy(_policy, _kinds_policy, _describe)
