"""`flags` of a back end: set switches for the length of a ``with``; `freeze`: only so."""

from contextlib import contextmanager
from types import ModuleType


def switched(module):
    """A context manager function ``flags(**switches)`` for the module's attributes."""

    @contextmanager
    def flags(**switches):
        unknown = [name for name in switches if name not in module.__dict__]
        if unknown:
            raise TypeError(f"flags() got an unexpected keyword argument {unknown[0]!r}")
        before = {name: module.__dict__[name] for name in switches}
        module.__dict__.update(switches)
        try:
            yield
        finally:
            module.__dict__.update(before)

    flags.__doc__ = "Sets switches of this module until the end of a ``with``."
    return flags


class _Frozen(ModuleType):
    def __setattr__(self, name, value):
        if not name.startswith("_") and isinstance(self.__dict__.get(name), (bool, int, str)):
            raise RuntimeError(
                f"{self.__name__}.{name} cannot be set after "
                f"torch.backends.disable_global_flags(): use `with {self.__name__}.flags({name}=…)`"
            )
        super().__setattr__(name, value)


def freeze(module):
    """Setting a switch of the module raises from now on."""
    module.__class__ = _Frozen
