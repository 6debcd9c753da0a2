"""Deep copies of modules: what `copy.deepcopy` makes, without its detour through pickling."""

import copyreg

from ._hooks import HOOK_TABLES

IMMUTABLE = frozenset((int, float, bool, str, type(None)))
MEMBERS = frozenset(("_parameters", "_buffers", "_modules"))


class CopyMethods:
    """The part of `Module` that copies it."""

    def __setstate__(self, state):
        state = {k: v for k, v in state.items() if k not in HOOK_TABLES or v}
        self.__dict__.update(state)
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        for name in HOOK_TABLES & state.keys():
            self._hook_table(name)

    def __deepcopy__(self, memo):
        import copy

        kind = type(self)
        if not _is_plain(kind):  # it has a say in what is copied: as `copy.deepcopy` goes on
            return copy._reconstruct(self, memo, *self.__reduce_ex__(4))
        copied = memo[id(self)] = kind.__new__(kind)
        attributes = copied.__dict__
        for name, value in self.__dict__.items():
            if type(value) in IMMUTABLE:
                attributes[name] = value
            elif name in MEMBERS and type(value) is dict:
                attributes[name] = _copied_members(value, memo, copy.deepcopy)
            elif name not in HOOK_TABLES or value:
                attributes[name] = copy.deepcopy(value, memo)
        if not HOOK_TABLES.isdisjoint(attributes):
            for name in HOOK_TABLES & attributes.keys():
                copied._hook_table(name)
        return copied


def _copied_members(members, memo, deepcopy):
    if id(members) in memo:
        return memo[id(members)]
    copied = memo[id(members)] = {}
    for name, member in members.items():
        copied[name] = None if member is None else deepcopy(member, memo)
    return copied


def _is_plain(kind):
    """Whether instances are their `__dict__` alone, and nothing asks to be called for a copy."""
    return (
        kind.__setstate__ is CopyMethods.__setstate__
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and getattr(kind, "__getstate__", None) is _DEFAULT_GETSTATE
        and kind not in copyreg.dispatch_table
        and not hasattr(kind, "__getnewargs_ex__")
        and not hasattr(kind, "__getnewargs__")
        and not issubclass(kind, (list, dict))
        and not copyreg._slotnames(kind)
    )


_DEFAULT_GETSTATE = getattr(object, "__getstate__", None)  # since Python 3.11
