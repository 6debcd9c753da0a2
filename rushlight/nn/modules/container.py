"""Modules that hold other modules: in sequence, in a list, in a dictionary.

Those that hold parameters are in `_parameter_containers.py` and listed here as well.
"""

from .module import Module

__all__ = ["Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"]


class Container(Module):
    """Deprecated: a module whose children are given by keyword. Use `Module` or `ModuleDict`."""

    def __init__(self, **kwargs):
        super().__init__()
        import warnings

        warnings.warn(
            "nn.Container is deprecated. All of it's functionality is now implemented in nn.Module."
            " Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in kwargs.items():
            self.add_module(name, module)


def _position(index, length):
    """`index` as a non-negative int; IndexError outside the range."""
    from operator import index as as_int

    index = as_int(index)
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range")
    return index % length


class _Numbered(Module):
    """Children named "0", "1", ...: what `Sequential` and `ModuleList` share."""

    def _key(self, index):
        return list(self._modules)[_position(index, len(self))]

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._sliced(index)
        return self._modules[self._key(index)]

    def __setitem__(self, index, module):
        setattr(self, self._key(index), module)

    def __delitem__(self, index):
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for key in keys:
            delattr(self, key)
        self._renumber(self._modules.values())

    def _renumber(self, modules):
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, module):
        """Add `module` at the end; returns self."""
        self.add_module(str(len(self)), module)
        return self

    def pop(self, index):
        """Remove and return the module at `index`."""
        module = self[index]
        del self[index]
        return module


class Sequential(_Numbered):
    """Modules applied one after the other.

    Takes modules, or one ordered dict from names to modules.

    Example::

        >>> import rushlight as rl
        >>> net = rl.nn.Sequential(rl.nn.Linear(4, 3), rl.nn.ReLU())
        >>> net(rl.zeros(2, 4)).shape
        torch.Size([2, 3])
    """

    def __init__(self, *args):
        super().__init__()
        named = (
            args[0].items()
            if len(args) == 1 and isinstance(args[0], dict)
            else ((str(i), module) for i, module in enumerate(args))
        )
        for name, module in named:
            self.add_module(name, module)

    def forward(self, input):
        for module in self._modules.values():
            input = module(input)
        return input

    def _sliced(self, index):
        return type(self)(dict(list(self._modules.items())[index]))

    def __delitem__(self, index):
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for key in keys:
            delattr(self, key)
        self._renumber(self._modules.values())

    def __add__(self, other):
        _check_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other):
        _check_sequential(other)
        return self.extend(other)

    def __mul__(self, times):
        _check_times(times)
        return Sequential(*(list(self) * times))

    def __rmul__(self, times):
        return self * times

    def __imul__(self, times):
        _check_times(times)
        for module in list(self) * (times - 1):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put `module` before position `index`; returns self."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        n = len(self)
        if not -n <= index <= n:
            raise IndexError(f"Index out of range: {index}")
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def extend(self, sequential):
        """Add all modules of `sequential` at the end; returns self."""
        for module in list(sequential):
            self.append(module)
        return self


def _check_sequential(other):
    if not isinstance(other, Sequential):
        raise ValueError(
            f"add operator supports only objects of Sequential class, but {type(other)} is given."
        )


def _check_times(times):
    if not isinstance(times, int):
        raise TypeError(f"unsupported operand type(s) for *: {Sequential} and {type(times)}")
    if times <= 0:
        raise ValueError(f"Non-positive multiplication factor {times} for {Sequential}")


class ModuleList(_Numbered):
    """A list of modules, registered as children.

    Example::

        >>> import rushlight as rl
        >>> layers = rl.nn.ModuleList([rl.nn.Linear(4, 4) for _ in range(3)])
        >>> len(layers)
        3
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self += modules

    def _sliced(self, index):
        return type(self)(list(self._modules.values())[index])

    def _get_abs_string_index(self, idx):
        """The name of the child at a position: PyTorch's private name, which packages call."""
        return self._key(idx)

    def __iadd__(self, modules):
        return self.extend(modules)

    def __add__(self, other):
        return ModuleList([*self, *other])

    def insert(self, index, module):
        """Put `module` before position `index`."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)

    def extend(self, modules):
        """Add the modules of an iterable at the end; returns self."""
        if not hasattr(modules, "__iter__"):
            raise TypeError(
                "ModuleList.extend should be called with an iterable, but got "
                + type(modules).__name__
            )
        for module in list(modules):
            self.append(module)
        return self

    def __repr__(self):
        """Neighbours that look the same are shown once, as `(0-2): 3 x Linear(...)`."""
        runs = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        if not runs:
            return self._get_name() + "()"
        lines = ""
        for first, last, text in runs:
            label = f"({first}): " if first == last else f"({first}-{last}): {last - first + 1} x "
            lines += "\n  " + (label + text).replace("\n", "\n  ")
        return f"{self._get_name()}({lines}\n)"


class ModuleDict(Module):
    """A dictionary of modules, registered as children, in order of insertion.

    Example::

        >>> import rushlight as rl
        >>> d = rl.nn.ModuleDict({"act": rl.nn.ReLU()})
        >>> list(d)
        ['act']
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key):
        """Remove and return the module under `key`."""
        module = self[key]
        del self[key]
        return module

    def keys(self):
        """The names."""
        return self._modules.keys()

    def items(self):
        """(name, module) pairs."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules):
        """Add the modules of a mapping or of an iterable of (name, module) pairs."""
        if not hasattr(modules, "__iter__"):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                + type(modules).__name__
            )
        for key, module in _pairs(modules, "ModuleDict"):
            self[key] = module


def _pairs(given, kind):
    """(key, value) pairs of a mapping or of an iterable of pairs."""
    if hasattr(given, "items"):
        yield from given.items()
        return
    for i, pair in enumerate(given):
        if not hasattr(pair, "__iter__"):
            raise TypeError(
                f"{kind} update sequence element #{i} should be Iterable; is" + type(pair).__name__
            )
        pair = tuple(pair)
        if len(pair) != 2:
            raise ValueError(
                f"{kind} update sequence element #{i} has length {len(pair)}; 2 is required"
            )
        yield pair


from ._parameter_containers import ParameterDict, ParameterList  # noqa: E402 - needs the above
