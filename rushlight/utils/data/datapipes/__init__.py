"""The base classes of data pipes, for code that derives from them.

A pipe here is a dataset with chained methods (`pipe.map(f).batch(4)`); the pipes themselves are in
`iter.py`. To add one, derive from `IterDataPipe` and name its method with `functional_datapipe`.
"""

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
    """A stream of samples whose registered operations can be chained as methods."""

    functions = {}


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
