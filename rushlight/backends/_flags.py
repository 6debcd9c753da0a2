"""`flags` of a back end: set switches for the length of a ``with``."""

from contextlib import contextmanager


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
