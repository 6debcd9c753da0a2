"""Handles with which registered hooks are taken back.

Calling hooks is the business of whoever keeps their dict.
"""

import itertools
import warnings
import weakref


class RemovableHandle:
    """Removes one entry of a hook dict, by `remove()` or at the end of a `with` block.

    `extra_dict` names further dicts, keyed by the same id, that the entry disappears from too.
    """

    next_id = 0
    _ids = itertools.count()

    def __init__(self, hooks_dict, *, extra_dict=None):
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = next(self._ids)
        RemovableHandle.next_id = self.id + 1
        extra = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extra if d is not None)

    def remove(self):
        """Forget the hook; does nothing when it is gone already."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self):
        if not self.extra_dict_ref:
            return self.hooks_dict_ref(), self.id
        return self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref)

    def __setstate__(self, state):
        # A dict that died before pickling is replaced by an empty one: the hook is gone.
        alive = [_Dict() if d is None else d for d in (state[0], *(state[2] if state[2:] else ()))]
        self.id = state[1]
        self.hooks_dict_ref = weakref.ref(alive[0])
        self.extra_dict_ref = tuple(weakref.ref(d) for d in alive[1:])
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)
        RemovableHandle._ids = itertools.count(RemovableHandle.next_id)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.remove()


class _Dict(dict):
    """A dict that can be referred to weakly."""


def unserializable_hook(f):
    """Decorator for hooks that are lost when their tensor is saved; saving then warns."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor):
    """Warn about hooks that saving `tensor` loses, unless marked by `unserializable_hook`."""
    for hook in (getattr(tensor, "_backward_hooks", None) or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized. If this is expected, "
                "you can decorate the function with @torch.utils.hooks.unserializable_hook to "
                "suppress this warning",
                stacklevel=2,
            )
