"""Dictionaries that hold their keys weakly and tell them apart by identity, as tensors need.

Tensors compare element by element, so that `weakref.WeakKeyDictionary` cannot hold them.
"""

import weakref
from collections.abc import MutableMapping

from rushlight import Tensor

__all__ = ["TensorWeakRef", "WeakIdKeyDictionary", "WeakIdRef", "WeakTensorKeyDictionary"]


class WeakIdRef(weakref.ref):
    """A weak reference that is equal to another if both mean the same object."""

    __slots__ = ["_id"]

    def __init__(self, key, callback=None):
        super().__init__(key, callback)
        self._id = id(key)

    def __hash__(self):
        return self._id

    def __eq__(self, other):
        first, second = self(), other()
        if first is not None and second is not None:
            return first is second
        return self is other  # what is dead has no identity left


class WeakIdKeyDictionary(MutableMapping):
    """A dictionary whose entries go when their keys, compared by identity, are collected.

    Args:
        dict: what it begins with.
        ref_type: the class of weak references that hold the keys.

    Example::

        >>> key = rl.ones(2)
        >>> d = rl.utils.weak.WeakIdKeyDictionary({key: "two"})
        >>> d[key], rl.ones(2) in d
        ('two', False)
    """

    def __init__(self, dict=None, ref_type=WeakIdRef):  # noqa: A002
        self.data, self.ref_type = {}, ref_type
        own = weakref.ref(self)

        def forget(reference):
            alive = own()
            if alive is not None:
                alive.data.pop(reference, None)

        self._forget = forget
        if dict is not None:
            self.update(dict)

    def __getitem__(self, key):
        return self.data[self.ref_type(key)]

    def __setitem__(self, key, value):
        self.data[self.ref_type(key, self._forget)] = value

    def __delitem__(self, key):
        del self.data[self.ref_type(key)]

    def __contains__(self, key):
        try:
            return self.ref_type(key) in self.data
        except TypeError:  # there are no weak references to such an object
            return False

    def __iter__(self):
        for reference in list(self.data):  # keys may die meanwhile
            key = reference()
            if key is not None:
                yield key

    def __len__(self):
        return len(self.data)

    def __repr__(self):
        return f"<{type(self).__name__} at {id(self):#x}>"

    def keyrefs(self):
        """The weak references that hold the keys."""
        return list(self.data)

    def copy(self):
        """Another dictionary with the same keys and values."""
        return type(self)(self, self.ref_type)

    __copy__ = copy

    def __deepcopy__(self, memo):
        from copy import deepcopy

        new = type(self)(ref_type=self.ref_type)
        for key, value in self.items():
            new[key] = deepcopy(value, memo)
        return new

    def __or__(self, other):
        new = self.copy()
        new.update(other)
        return new

    def __ror__(self, other):
        new = type(self)(other, self.ref_type)
        new.update(self)
        return new

    def __ior__(self, other):
        self.update(other)
        return self

    def __eq__(self, other):
        if not isinstance(other, WeakIdKeyDictionary):
            return NotImplemented
        return self.data == other.data

    __hash__ = None


WeakTensorKeyDictionary = WeakIdKeyDictionary


class TensorWeakRef:
    """A weak reference to a tensor; calling it gives the tensor, or None once it is collected."""

    def __init__(self, tensor):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"TensorWeakRef: expected tensor to be a Tensor, got {type(tensor).__name__}"
            )
        self.ref = weakref.ref(tensor)

    def __call__(self):
        return self.ref()
