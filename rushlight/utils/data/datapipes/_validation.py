"""Decorators that check what data pipes are made of and what they yield, and whether pipes whose
order is left to chance are allowed.

A pipe says what it yields by its base: ``class Numbers(IterDataPipe[int])``.
"""

import typing
from functools import wraps

from . import IterDataPipe

__all__ = [
    "argument_validation",
    "guaranteed_datapipes_determinism",
    "non_deterministic",
    "runtime_validation",
    "runtime_validation_disabled",
]

_deterministic_only = False
_checks_items = True


class _Switch:
    """A module's flag: set at once, put back at the end of a block."""

    def __init__(self):
        self.before = globals()[self._flag]
        globals()[self._flag] = self._value

    def __enter__(self):
        return None

    def __exit__(self, *exception):
        globals()[self._flag] = self.before


class guaranteed_datapipes_determinism(_Switch):  # noqa: N801 - PyTorch's name
    """Context manager: pipes decorated with `non_deterministic` are refused."""

    _flag, _value = "_deterministic_only", True


class runtime_validation_disabled(_Switch):  # noqa: N801 - PyTorch's name
    """Context manager: `runtime_validation` lets all items through."""

    _flag, _value = "_checks_items", False


def _fits(value, hint):
    """Whether a value is of a type as annotations write it; parts of containers count too."""
    if hint is typing.Any or isinstance(hint, typing.TypeVar):
        return True
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        return value is None if hint is None else isinstance(value, hint)
    if origin is typing.Union or type(hint).__name__ == "UnionType":
        return any(_fits(value, arg) for arg in args)
    if not isinstance(value, origin):
        return False
    if origin is tuple:
        if len(args) == 2 and args[1] is ...:
            return all(_fits(v, args[0]) for v in value)
        return len(value) == len(args) and all(map(_fits, value, args))
    if origin is dict:
        return all(_fits(k, args[0]) and _fits(v, args[1]) for k, v in value.items())
    return all(_fits(v, args[0]) for v in value) if args else True


def _is_subtype(item, of):
    """Whether what one pipe yields may be used where another type is expected."""
    if of is typing.Any or item == of:
        return True
    if typing.get_origin(of) is typing.Union:
        return any(_is_subtype(item, arg) for arg in typing.get_args(of))
    return isinstance(item, type) and isinstance(of, type) and issubclass(item, of)


def runtime_validation(f):
    """Decorator of ``__iter__``: each item must be of the type that the pipe's base names.

    Raises RuntimeError, while iterating, for one that is not.
    """
    if f.__name__ != "__iter__":
        raise TypeError(f"Can not decorate function {f.__name__} with 'runtime_validation'")

    @wraps(f)
    def checked(self):
        for item in f(self):
            if _checks_items and not _fits(item, self.item_type):
                raise RuntimeError(
                    f"Expected an instance as subtype of {self.item_type}, but found "
                    f"{item}({type(item)})"
                )
            yield item

    return checked


def argument_validation(f):
    """Decorator: arguments annotated ``IterDataPipe[T]`` must be pipes that yield T.

    Raises TypeError for one that is not.
    """
    import inspect

    signature, hints = inspect.signature(f), typing.get_type_hints(f)

    @wraps(f)
    def checked(*args, **kwargs):
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            hint = hints.get(name)
            origin = typing.get_origin(hint) or hint
            if not (isinstance(origin, type) and issubclass(origin, IterDataPipe)):
                continue
            if not isinstance(value, IterDataPipe):
                raise TypeError(
                    f"Expected argument '{name}' as a IterDataPipe, but found {type(value)}"
                )
            wanted = (typing.get_args(hint) or (typing.Any,))[0]
            if not _is_subtype(value.item_type, wanted):
                raise TypeError(
                    f"Expected type of argument '{name}' as a subtype of {wanted}, but found "
                    f"{value.item_type}"
                )
        return f(*args, **kwargs)

    return checked


class non_deterministic:  # noqa: N801 - PyTorch's name
    """Class decorator: the pipe's order may differ from run to run.

    With a function, only if that returns True for the arguments the pipe is made with. Making one
    inside of `guaranteed_datapipes_determinism` raises TypeError.
    """

    def __init__(self, arg):
        self.cls = self.is_random = None
        if isinstance(arg, type):
            self.cls = self._pipe(arg)
        elif callable(arg):
            self.is_random = arg
        else:
            raise TypeError(f"{arg} can not be decorated by non_deterministic")

    @staticmethod
    def _pipe(cls):
        if isinstance(cls, type) and issubclass(cls, IterDataPipe):
            return cls
        name = getattr(cls, "__name__", cls)
        raise TypeError(
            f"Only `IterDataPipe` can be decorated with `non_deterministic`, but {name} is found"
        )

    def __call__(self, *args, **kwargs):
        if self.cls is None:
            self.cls = self._pipe(args[0])
            return self._made
        return self._made(*args, **kwargs)

    def _made(self, *args, **kwargs):
        random = True if self.is_random is None else self.is_random(*args, **kwargs)
        if not isinstance(random, bool):
            raise TypeError(
                "deterministic_fn of `non_deterministic` decorator is required to return a boolean "
                f"value, but {type(random)} is found"
            )
        if _deterministic_only and random:
            raise TypeError(
                f"{self.cls.__name__} is non-deterministic, but 'guaranteed_datapipes_determinism' "
                "is set; leave that out if any order will do"
            )
        return self.cls(*args, **kwargs)
