"""Deep copies of modules: what `copy.deepcopy` makes, without its detour through pickling."""

import copyreg

from rushlight._native import same_members

from ..parameter import Parameter
from ._hooks import HOOK_TABLES

IMMUTABLE = frozenset((int, float, bool, str, type(None)))
MEMBERS = frozenset(("_parameters", "_buffers", "_modules"))
ASKED_FOR_COPIES = (
    "__setstate__",
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__getnewargs_ex__",
    "__getnewargs__",
)


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
            elif name == "_non_persistent_buffers_set" and type(value) is set:
                attributes[name] = _copied_names(value, memo)
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
        if type(member) is not Parameter and not isinstance(member, CopyMethods):
            copied[name] = None if member is None else deepcopy(member, memo)
        elif id(member) in memo:
            copied[name] = memo[id(member)]
        else:  # `deepcopy` would come to the same method, by way of many questions
            copied[name] = memo[id(member)] = member.__deepcopy__(memo)
    return copied


def _copied_names(names, memo):
    if id(names) not in memo:
        memo[id(names)] = names.copy()  # strings, each its own copy
    return memo[id(names)]


def _is_plain(kind):
    """Whether instances are their `__dict__` alone, and nothing asks to be called for a copy."""
    return (
        same_members(kind, CopyMethods, ASKED_FOR_COPIES)
        and kind.__basicsize__ == CopyMethods.__basicsize__  # no slots, not also a list or dict
        and kind not in copyreg.dispatch_table
    )
