"""Modules that hold parameters: a list and a dictionary of them.

Those that hold modules are in `container.py`.
"""

from collections import OrderedDict
from collections.abc import Mapping

import rushlight as rl
from rushlight._notes import early_arguments

from ..parameter import Parameter
from .container import _pairs, _position
from .module import Module


def _as_parameter(value):
    if isinstance(value, rl.Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _describe(label, value, type_of):
    """One line of the repr of a list or dictionary of parameters."""
    if not isinstance(value, rl.Tensor):
        return f"  ({label}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    size = "x".join(map(str, value.size()))
    return f"  ({label}): {kind} containing: [{type_of(value)} of size {size}]"


class ParameterList(Module):
    """A list of parameters. Plain tensors put into it become parameters; other values may be kept.

    Example::

        >>> import rushlight as rl
        >>> ps = rl.nn.ParameterList([rl.zeros(2), rl.ones(3)])
        >>> len(list(ps.parameters()))
        2
    """

    @early_arguments(parameters="values")
    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self += values

    def __getitem__(self, index):
        if isinstance(index, slice):
            chosen = type(self)()
            return chosen.extend(getattr(self, str(i)) for i in range(*index.indices(len(self))))
        return getattr(self, str(_position(index, len(self))))

    def __setitem__(self, index, value):
        setattr(self, str(_position(index, len(self))), _as_parameter(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter(self[i] for i in range(len(self)))

    def __iadd__(self, values):
        return self.extend(values)

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    @early_arguments(parameter="value")
    def append(self, value):
        """Add a value at the end; returns self."""
        index = self._size
        self._size += 1
        self[index] = value
        return self

    @early_arguments(parameters="values")
    def extend(self, values):
        """Add the values of an iterable at the end; returns self."""
        if not hasattr(values, "__iter__") or isinstance(values, rl.Tensor):
            raise TypeError(
                "ParameterList.extend should be called with an iterable, but got "
                + type(values).__name__
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self):
        return "\n".join(_describe(i, value, lambda t: t.dtype) for i, value in enumerate(self))

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """A dictionary of parameters. Plain tensors become parameters; other values may be kept.

    Example::

        >>> import rushlight as rl
        >>> d = rl.nn.ParameterDict({"w": rl.zeros(2)})
        >>> d["w"].requires_grad
        True
    """

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def _attribute(self, key):
        if not isinstance(key, str):
            raise TypeError(
                f"Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}')."
            )
        return key

    def __getitem__(self, key):
        return getattr(self, self._attribute(key))

    def __setitem__(self, key, value):
        setattr(self, self._attribute(key), _as_parameter(value))
        self._keys[key] = None

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, self._attribute(key))

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __reversed__(self):
        return reversed(list(self._keys))

    def __contains__(self, key):
        return key in self._keys

    def copy(self):
        """A new dictionary with the same parameters."""
        return ParameterDict(self.items())

    def setdefault(self, key, default=None):
        """The value under `key`, set to `default` first if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self):
        """Remove all values."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key):
        """Remove and return the value under `key`."""
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        """Remove and return the last (key, value) pair."""
        key = next(reversed(self))
        return key, self.pop(key)

    def get(self, key, default=None):
        """The value under `key`, or `default`."""
        return self[key] if key in self else default

    def fromkeys(self, keys, default=None):
        """A new dictionary that has `default` under each of `keys`."""
        return ParameterDict((key, default) for key in keys)

    def keys(self):
        """The names."""
        return self._keys.keys()

    def items(self):
        """(name, value) pairs."""
        return ((key, self[key]) for key in self._keys)

    def values(self):
        """The values."""
        return (self[key] for key in self._keys)

    def update(self, parameters):
        """Add the values of an iterable of (name, value) pairs, or of a mapping: in its order if it
        is an `OrderedDict` or `ParameterDict`, by name otherwise.
        """
        if not hasattr(parameters, "__iter__"):
            raise TypeError(
                "ParametersDict.update should be called with an iterable of key/value pairs, but "
                "got " + type(parameters).__name__
            )
        pairs = _pairs(parameters, "ParameterDict")
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs = sorted(pairs)
        for key, value in pairs:
            self[key] = value

    def extra_repr(self):
        return "\n".join(_describe(key, value, rl.typename) for key, value in self.items())

    def __call__(self, *args, **kwargs):
        raise RuntimeError("ParameterDict should not be called.")

    def __or__(self, other):
        result = self.copy()
        result.update(other)
        return result

    def __ror__(self, other):
        result = other.copy()
        result.update(self)
        return result

    def __ior__(self, other):
        self.update(other)
        return self
