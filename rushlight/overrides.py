"""PyTorch's ``torch.overrides``: classes and modes that redirect calls with ``__torch_function__``.

Here are the functions for users. When a call asks at all is decided by the native hook, in which
order, and what Tensor subclasses do by default, by `rushlight._interpose`.
"""

import functools

from rushlight import _interpose, _late, _native
from rushlight._interpose import (
    _ALL,
    _NONE,
    DisableTorchFunction as DisableTorchFunction,
    DisableTorchFunctionSubclass as DisableTorchFunctionSubclass,
    get_default_nowrap_functions as get_default_nowrap_functions,
)
from rushlight._native import Tensor

__all__ = [
    "get_ignored_functions",
    "get_overridable_functions",
    "get_testing_overrides",
    "handle_torch_function",
    "has_torch_function",
    "resolve_name",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "wrap_torch_function",
    "enable_reentrant_dispatch",
    "redispatch_function",
]


class TorchFunctionMode:
    """A context manager that sees every call while it is active.

    Override ``__torch_function__(self, func, types, args=(), kwargs=None)``. While that runs, the
    mode is off the stack: calling ``func`` reaches the next outer mode, then subclasses.

    Example::

        >>> class Doubled(rl.overrides.TorchFunctionMode):
        ...     def __torch_function__(self, func, types, args=(), kwargs=None):
        ...         result = func(*args, **(kwargs or {}))
        ...         return result * 2 if func is rl.ones else result
        >>> with Doubled():
        ...     rl.ones(2)
        tensor([2., 2.])
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise NotImplementedError(f"{type(self).__name__} does not define __torch_function__")

    def __enter__(self):
        _native.push_interposer(self)
        return self

    def __exit__(self, *exception):
        _native.pop_interposer()

    @classmethod
    def push(cls, *args, **kwargs):
        """An instance, to be entered (an older spelling of the constructor)."""
        return cls(*args, **kwargs)


class BaseTorchFunctionMode(TorchFunctionMode):
    """The mode that changes nothing."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def _get_current_function_mode_stack():
    """The modes of this thread, innermost last."""
    return [m for m in _native.interposer_stack() if isinstance(m, TorchFunctionMode)]


def _get_current_function_mode():
    """The innermost, or None."""
    return (_get_current_function_mode_stack() or [None])[-1]


def _push_mode(mode):
    _native.push_interposer(mode)


def _pop_mode():
    return _native.pop_interposer()


# ---- for functions written in Python ---------------------------------------------------------


def _modes_active():
    return _native.torch_function_off() != _NONE and any(
        hasattr(entry, "__torch_function__") for entry in _native.interposer_stack()
    )


def has_torch_function(relevant_args):
    """Does any of the arguments have a ``__torch_function__`` of its own, or is a mode active?"""
    if _interpose._passing and _interpose.passes():
        return False
    if _modes_active():
        return True
    return not _native.torch_function_off() and any(map(_native.has_torch_function, relevant_args))


def has_torch_function_unary(argument):
    """`has_torch_function` of one argument."""
    return has_torch_function((argument,))


def has_torch_function_variadic(*arguments):
    """`has_torch_function` of several arguments."""
    return has_torch_function(arguments)


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """Lets modes and the arguments' classes compute ``public_api(*args, **kwargs)``.

    Raises:
        TypeError: if all of them return NotImplemented.

    Example::

        >>> def double(x):
        ...     if rl.overrides.has_torch_function((x,)):
        ...         return rl.overrides.handle_torch_function(double, (x,), x)
        ...     return x * 2
        >>> double(rl.ones(1))
        tensor([2.])
    """
    off = _native.torch_function_off()
    classes = [] if off else _interpose.overloaded(relevant_args)
    result, mode = _interpose._ask_interposers(public_api, args, kwargs, classes, off)
    if result is NotImplemented:
        result = _interpose._ask_classes(public_api, args, kwargs, classes, mode)
    return result


def wrap_torch_function(dispatcher):
    """Decorator: ``dispatcher(*args, **kwargs)`` names the arguments that may redirect a call.

    Example::

        >>> @rl.overrides.wrap_torch_function(lambda x: (x,))
        ... def twice(x):
        ...     return x + x
        >>> twice(1)
        2
    """

    def decorate(function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def redispatch_function(func, types, args, kwargs):
    """Calls `func` without asking for it again; the calls that it makes do ask.

    For a ``__torch_function__`` that wants to see what is inside a function.

    Example::

        >>> rl.overrides.redispatch_function(rl.add, (), (rl.ones(1), 1), {})
        tensor([2.])
    """
    thread = _interpose.get_ident()
    _interpose._passing.add(thread)
    try:
        return func(*args, **(kwargs or {}))
    finally:
        _interpose._passing.discard(thread)


class enable_reentrant_dispatch:
    """Context manager: calls made by a ``__torch_function__`` are redirected again."""

    def __enter__(self):
        self._before = _native.set_torch_function_off(_ALL)

    def __exit__(self, *exception):
        _native.set_torch_function_off(self._before)


def is_tensor_like(inp):
    """Is it a tensor, or of a class that defines ``__torch_function__``?"""
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


# ---- what can be overridden ------------------------------------------------------------------

_PLACES = ("torch", "torch.functional", "torch.nn.functional", "torch.nn.init", "torch.linalg")
_PLACES += ("torch.fft", "torch.special", "torch.Tensor")
#: plain functions that ask by themselves
_ASKING = ("einsum",)


def _space(place):
    import importlib

    import rushlight

    if place == "torch.Tensor":
        return Tensor
    name = "rushlight" + place.removeprefix("torch")
    return rushlight if name == "rushlight" else importlib.import_module(name)


@functools.lru_cache(None)
def _names():
    """function -> its public name, for everything behind the hook."""
    names = {}
    _late.load_all()
    for place in _PLACES[:1] + _PLACES[2:3] + _PLACES[4:]:
        space = _space(place)
        for name, value in sorted(vars(space).items()):
            kind = type(value).__name__
            if kind in ("staticmethod", "classmethod"):  # make tensors: there is none to ask
                continue
            if kind in ("property", "getset_descriptor"):
                names.setdefault(value.__get__, f"{place}.{name}.__get__")
            elif kind in ("builtin_op", "op_method", "method_descriptor", "wrapper_descriptor"):
                names.setdefault(value, f"{place}.{name}")
            elif hasattr(value, "__wrapped__") or name in _ASKING:
                names.setdefault(value, f"{place}.{name}")
    return names


def get_overridable_functions():
    """{namespace: [functions that ask ``__torch_function__``]}."""
    found = {}
    for function, name in _names().items():
        place = name.removesuffix(".__get__").rpartition(".")[0]
        found.setdefault(_space(place), []).append(function)
    return found


def get_testing_overrides():
    """{function: a stand-in of the same signature that returns -1}."""
    return {function: _stand_in(function) for function in _names()}


def _stand_in(function):
    import inspect  # takes longer to import than the rest of this file

    def stand_in(*args, **kwargs):
        return -1

    try:
        stand_in.__signature__ = inspect.signature(function)
    except (TypeError, ValueError):  # natively defined: takes anything
        stand_in.__signature__ = inspect.signature(stand_in)
    return stand_in


def get_ignored_functions():
    """Functions that have no tensor argument to redirect them."""
    import rushlight as rl

    return {
        *(rl.is_tensor, rl.is_storage, rl.manual_seed, rl.seed, rl.initial_seed, rl.set_rng_state),
        *(rl.get_rng_state, rl.typename, rl.set_default_dtype, rl.get_default_dtype, rl.save),
        *(rl.load, rl.tensor, rl.from_numpy, rl.frombuffer, rl.set_num_threads),
        *(rl.get_num_threads, rl.is_grad_enabled, rl.promote_types, rl.can_cast),
        *(Tensor.__new__, Tensor.__hash__, Tensor.__init__, Tensor.as_subclass),
        Tensor._make_subclass,
    }


def resolve_name(f):
    """The public name of a function, ``"torch.Tensor.add"``; None if it has none."""
    return f if isinstance(f, str) else _names().get(f)


@functools.lru_cache(None)
def _tensor_members():
    return {f for f, name in _names().items() if name.startswith("torch.Tensor.")}


def is_tensor_method_or_property(func):
    """Is it a method of Tensor, or the getter of one of its attributes?"""
    return func in _tensor_members() or getattr(func, "__name__", None) == "__get__"
