"""Modes and tensor classes with ``__torch_dispatch__``: they see every op below autograd.

Whom a call asks, and as which of PyTorch's ops it is shown, is in `rushlight._dispatch`.
"""

import contextlib

import rushlight as rl
from rushlight import _native
from rushlight._dispatch import no_dispatch

__all__ = [
    "BaseTorchDispatchMode",
    "TorchDispatchMode",
    "is_traceable_wrapper_subclass",
    "return_and_correct_aliasing",
    "transform_subclass",
]


class TorchDispatchMode:
    """A context manager that computes the ops that run while it is active.

    Override ``__torch_dispatch__(self, func, types, args=(), kwargs=None)``; `func` is one of
    ``torch.ops.aten``. While that runs, the mode is off the stack, and what it computes is not
    recorded: it is the kernel, and autograd is above it.

    Example::

        >>> class Count(rl.utils._python_dispatch.TorchDispatchMode):
        ...     seen = []
        ...     def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        ...         self.seen.append(str(func))
        ...         return func(*args, **(kwargs or {}))
        >>> x = rl.ones(2)
        >>> with Count():
        ...     _ = (x + 1).sum()
        >>> Count.seen
        ['aten.add.Tensor', 'aten.sum.default']
    """

    supports_higher_order_operators = False

    def __init__(self, _dispatch_key=None):
        if _dispatch_key is not None:
            raise NotImplementedError("TorchDispatchMode: a dispatch key is not supported")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError(f"{type(self).__name__} does not define __torch_dispatch__")

    def __enter__(self):
        _native.push_dispatch_mode(self)
        return self

    def __exit__(self, *exception):
        _native.pop_dispatch_mode()

    @classmethod
    def push(cls, *args, **kwargs):
        """An instance, to be entered (an older spelling of the constructor)."""
        return cls(*args, **kwargs)

    @classmethod
    def ignore_compile_internals(cls):
        """Is it blind to what a compiler does? No; there is none."""
        return False

    @classmethod
    def is_infra_mode(cls):
        """Is it part of a tracer? No."""
        return False


class BaseTorchDispatchMode(TorchDispatchMode):
    """The mode that changes nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def _push_mode(mode):
    _native.push_dispatch_mode(mode)


def _pop_mode(k=None):
    if k is not None:
        raise NotImplementedError("_pop_mode: a dispatch key is not supported")
    return _native.pop_dispatch_mode()


def _get_current_dispatch_mode():
    """The innermost mode, or None."""
    stack = _native.dispatch_modes()
    return stack[-1] if stack else None


def _get_current_dispatch_mode_stack():
    """All modes of this thread, innermost last."""
    return list(_native.dispatch_modes())


@contextlib.contextmanager
def _pop_mode_temporarily(k=None):
    mode = _pop_mode(k)
    try:
        yield mode
    finally:
        _push_mode(mode)


@contextlib.contextmanager
def _disable_current_modes():
    stack = [_pop_mode() for _ in _get_current_dispatch_mode_stack()][::-1]
    try:
        yield stack
    finally:
        for mode in stack:
            _push_mode(mode)


def is_in_any_mode_without_ignore_compile_internals():
    """Is a mode active?"""
    return bool(_native.dispatch_modes())


# ---- classes that take themselves apart ----------------------------------------------------------


def is_traceable_wrapper_subclass(t):
    """Does the tensor's class have ``__tensor_flatten__`` and ``__tensor_unflatten__``?"""
    if not isinstance(t, rl.Tensor) or type(t) is rl.Tensor:
        return False
    return is_traceable_wrapper_subclass_type(type(t))


def is_traceable_wrapper_subclass_type(t):
    """The same of a class."""
    return (
        issubclass(t, rl.Tensor)
        and t is not rl.Tensor
        and hasattr(t, "__tensor_flatten__")
        and hasattr(t, "__tensor_unflatten__")
    )


def transform_subclass(t, callback, outer_size=None, outer_stride=None):
    """An instance of the tensor's class of ``callback(name, inner)`` of each of its inner tensors.

    Args:
        outer_size, outer_stride: of the result; those of `t` if None.
    """
    outer_size = t.size() if outer_size is None else outer_size
    outer_stride = t.stride() if outer_stride is None else outer_stride
    names, context = t.__tensor_flatten__()
    inner = {name: callback(name, getattr(t, name)) for name in names}
    made = type(t).__tensor_unflatten__(inner, context, outer_size, outer_stride)
    if made.shape != outer_size or tuple(made.stride()) != tuple(outer_stride):
        raise RuntimeError(
            f"transform_subclass: __tensor_unflatten__ made a tensor of size {tuple(made.shape)} "
            f"and stride {made.stride()}, expected {tuple(outer_size)} and {tuple(outer_stride)}"
        )
    return made


def return_and_correct_aliasing(func, args, kwargs, out):
    """What a ``__torch_dispatch__`` returns: `out`, sharing memory where the op's schema says so.

    What an op changes is returned itself, as ops in place return their argument; a view gets the
    memory of what it views.
    """
    schema = func._schema
    values = {a.name: v for a, v in zip(schema.arguments, args)} | (kwargs or {})
    shared = {
        a.alias_set: (values[a.name], a.is_write)
        for a in schema.arguments
        if a.alias_set and a.name in values
    }
    results = out if isinstance(out, (tuple, list)) else [out] * (len(schema.returns) == 1)
    made = []
    for declared, result in zip(schema.returns, results):
        argument, write = shared.get(declared.alias_set, (None, False))
        if not isinstance(argument, rl.Tensor):
            made.append(result)
        elif write:
            made.append(argument)
        else:
            made.append(_sharing(argument, result))
    if not isinstance(out, (tuple, list)):
        return made[0] if made else out
    if len(made) != len(out):  # a list of views is one result to a schema
        argument, write = shared.get(schema.returns[0].alias_set, (None, False))
        views = [out_ if argument is None else _sharing(argument, out_) for out_ in out]
        return type(out)(views)
    return type(out)(made)


def _sharing(argument, view):
    """The view over the memory that the argument claims; neither needs to have any."""
    if not isinstance(view, rl.Tensor) or view is argument:
        return view
    with no_dispatch():
        _native.share_storage(view, argument)
    return view
