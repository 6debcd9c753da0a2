"""Layers that vision models are built from. A new one is a class in the file of its kind here."""

from .drop import *  # noqa: F403
from .drop import __all__ as _drop
from .misc import *  # noqa: F403
from .misc import __all__ as _misc

__all__ = [*_drop, *_misc]
