"""Handles with which hooks are taken off again. The hooks themselves live where they are called."""

from weakref import ref

__all__ = ["RemovableHandle"]


class RemovableHandle:
    """Removes one entry of a mapping of hooks; usable as a context manager.

    Args:
        hooks_dict: the mapping; it must support weak references.
        extra_dict: another mapping, or a list of them, to remove the entry from as well.
    """

    next_id = 0

    def __init__(self, hooks_dict, *, extra_dict=None):
        self.hooks_dict_ref = ref(hooks_dict)
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extra = () if extra_dict is None else extra_dict
        extra = extra if isinstance(extra, (list, tuple)) else (extra,)
        self.extra_dict_ref = tuple([ref(one) for one in extra])

    def remove(self):
        """Take the hook off; a second time does nothing."""
        for mapping_ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            mapping = mapping_ref()
            if mapping is not None:
                mapping.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.remove()

    def __getstate__(self):
        return self.hooks_dict_ref(), self.id, [r() for r in self.extra_dict_ref]

    def __setstate__(self, state):
        from collections import OrderedDict

        hooks, self.id, extra = state
        # A mapping that is gone leaves a handle that removes nothing.
        self.hooks_dict_ref = ref(OrderedDict() if hooks is None else hooks)
        self.extra_dict_ref = tuple([ref(one) for one in extra if one is not None])
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)
