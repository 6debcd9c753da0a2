"""``fill_uninitialized_memory``: whether deterministic mode fills memory that nobody has written.

The mode itself is `use_deterministic_algorithms` in _runtime.py. To add a switch: a property here.
"""

import sys
import types

from rushlight import _runtime


class _Module(types.ModuleType):
    @property
    def fill_uninitialized_memory(self):
        """True by default. Setting it to something else than a bool raises TypeError."""
        return _runtime.determinism["fill"]

    @fill_uninitialized_memory.setter
    def fill_uninitialized_memory(self, on):
        if not isinstance(on, bool):
            raise TypeError(f"fill_uninitialized_memory must be a bool, got {type(on).__name__}")
        _runtime.determinism["fill"] = on
        _runtime.apply_determinism()


sys.modules[__name__].__class__ = _Module
