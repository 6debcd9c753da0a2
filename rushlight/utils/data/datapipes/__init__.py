"""The base classes of data pipes, for code that derives from them.

A pipe here is a dataset with chained methods (`pipe.map(f).batch(4)`); the pipes themselves are in
`iter.py`. To add one, derive from `IterDataPipe` and name its method with `functional_datapipe`.
"""

import typing

from ..dataset import Dataset, IterableDataset


class _Chained:
    """Looks up the methods that `functional_datapipe` registered."""

    def __getattr__(self, name):
        made = self.functions.get(name)
        if made is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return lambda *args, **kwargs: made(self, *args, **kwargs)

    @classmethod
    def register_datapipe_as_function(cls, name, made):
        if name in cls.functions:
            raise Exception(f"Unable to add DataPipe function name {name} as it is already taken")
        cls.functions[name] = made


class IterDataPipe(_Chained, IterableDataset):
    """A stream of samples whose registered operations can be chained as methods.

    Attributes:
        item_type: what it yields: T of a class derived from ``IterDataPipe[T]``, else Any.
    """

    functions = {}
    item_type = typing.Any

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin, items = typing.get_origin(base), typing.get_args(base)
            if items and isinstance(origin, type) and issubclass(origin, IterDataPipe):
                cls.item_type = items[0]


class DFIterDataPipe(IterDataPipe):
    """A stream of data frames: code that treats those differently asks for this class."""


class DataChunk(list):
    """A batch that was made of items one by one.

    Example::

        >>> print(rl.utils.data.DataChunk([1, 2]).as_str("* "))
        * [1, 2]
    """

    def __init__(self, items):
        self.items = list(items)
        super().__init__(self.items)

    def as_str(self, indent=""):
        """The items as text."""
        return indent + "[" + ", ".join(map(str, self)) + "]"

    def raw_iterator(self):
        """The items as they came."""
        yield from self.items


class MapDataPipe(_Chained, Dataset):
    """Indexed samples whose registered operations can be chained as methods."""

    functions = {}


class functional_datapipe:  # noqa: N801 - PyTorch's name
    """Class decorator: make a pipe available as the method `name` of its family."""

    def __init__(self, name, enable_df_api_tracing=False):
        if enable_df_api_tracing:
            raise NotImplementedError("functional_datapipe: data-frame tracing is not supported")
        self.name = name

    def __call__(self, cls):
        for family in (IterDataPipe, MapDataPipe):
            if isinstance(cls, type) and issubclass(cls, family):
                family.register_datapipe_as_function(self.name, cls)
                return cls
        raise TypeError("functional_datapipe can only decorate IterDataPipe or MapDataPipe classes")


from . import iter  # noqa: E402, F401 - registers the pipes
