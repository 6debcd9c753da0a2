"""Functions that record a node where a proxy is passed, and what puts them in others' places while
a program is traced. Which functions these are is decided in _symbolic_trace.py.
"""

import functools

from .node import map_aggregate
from .proxy import Proxy

_MISSING = object()


class Patcher:
    """Context manager: attributes and names that are replaced until it is left."""

    def __init__(self):
        self._undo, self._visited = [], set()

    def patch(self, frame_dict, name, new_fn, deduplicate=True):
        """Puts a function under a name of a module.

        Args:
            deduplicate: not where another such one is already.
        """
        before = frame_dict.get(name, _MISSING)
        if not _is_patched(before, new_fn, deduplicate):
            frame_dict[name] = new_fn
            self._undo.append(lambda: _restore(frame_dict, name, before))

    def patch_method(self, cls, name, new_fn, deduplicate=True):
        """Puts a method into a class."""
        before = vars(cls).get(name, _MISSING)
        if not _is_patched(getattr(cls, name), new_fn, deduplicate):
            setattr(cls, name, new_fn)
            self._undo.append(lambda: _restore_method(cls, name, before))

    def visit_once(self, thing):
        """Is this the first call with the thing?"""
        seen = id(thing) in self._visited
        self._visited.add(id(thing))
        return not seen

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        while self._undo:
            self._undo.pop()()


def _is_patched(before, new_fn, deduplicate):
    if deduplicate and getattr(before, "_replaces_another", False):
        return True
    new_fn._replaces_another = deduplicate
    return False


def _restore(frame_dict, name, before):
    if before is _MISSING:
        frame_dict.pop(name, None)
    else:
        frame_dict[name] = before


def _restore_method(cls, name, before):
    if before is _MISSING:
        delattr(cls, name)
    else:
        setattr(cls, name, before)


def found_proxy(args, kwargs):
    """A proxy among arguments, however deep; None if there is none."""
    found = []
    map_aggregate((tuple(args), dict(kwargs)), lambda x: found.append(x) or x)
    return next((x for x in found if isinstance(x, Proxy)), None)


def recording(function):
    """The function, or a node where a proxy is among the arguments."""

    @functools.wraps(function)
    def recorded(*args, **kwargs):
        proxy = found_proxy(args, kwargs)
        if proxy is None:
            return function(*args, **kwargs)
        return proxy.tracer.create_proxy("call_function", function, args, kwargs)

    return recorded
