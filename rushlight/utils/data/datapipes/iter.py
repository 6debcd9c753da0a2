"""The stream pipes that other packages name: wrap, map, filter, batch, shuffle.

Base classes and registration are in `__init__.py`.
"""

import itertools
import random

import rushlight as rl

from ..dataset import Dataset  # noqa: F401 - part of the namespace users import from
from . import IterDataPipe, functional_datapipe


class IterableWrapper(IterDataPipe):
    """The items of any iterable; `deepcopy` protects it from changes made downstream."""

    def __init__(self, iterable, deepcopy=True):
        self.iterable = iterable
        self.deepcopy = deepcopy

    def __iter__(self):
        if not self.deepcopy:
            return iter(self.iterable)
        import copy

        return iter(copy.deepcopy(self.iterable))

    def __len__(self):
        return len(self.iterable)


@functional_datapipe("map")
class Mapper(IterDataPipe):
    """`fn` of every item."""

    def __init__(self, datapipe, fn):
        self.datapipe = datapipe
        self.fn = fn

    def __iter__(self):
        return map(self.fn, self.datapipe)

    def __len__(self):
        return len(self.datapipe)


@functional_datapipe("filter")
class Filter(IterDataPipe):
    """The items for which `filter_fn` is true."""

    def __init__(self, datapipe, filter_fn):
        self.datapipe = datapipe
        self.filter_fn = filter_fn

    def __iter__(self):
        return filter(self.filter_fn, self.datapipe)


@functional_datapipe("batch")
class Batcher(IterDataPipe):
    """Lists of `batch_size` items; `drop_last` leaves out a shorter last one.

    `wrapper_class` makes of such a list what is given out.
    """

    def __init__(self, datapipe, batch_size, drop_last=False, wrapper_class=list):
        if batch_size <= 0:
            raise ValueError(f"Batcher: batch_size must be positive, got {batch_size}")
        self.datapipe = datapipe
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.wrapper_class = wrapper_class

    def __iter__(self):
        items = iter(self.datapipe)
        while batch := list(itertools.islice(items, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch if self.wrapper_class is list else self.wrapper_class(batch)

    def __len__(self):
        whole, rest = divmod(len(self.datapipe), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


@functional_datapipe("shuffle")
class Shuffler(IterDataPipe):
    """The items in the order in which a random reservoir of `buffer_size` lets them go.

    Each pass seeds its own generator with one draw from the global one.
    """

    def __init__(self, datapipe, buffer_size=10000):
        if buffer_size <= 0:
            raise ValueError(f"Shuffler: buffer_size must be positive, got {buffer_size}")
        self.datapipe = datapipe
        self.buffer_size = buffer_size

    def __iter__(self):
        chance = random.Random(rl.empty((), dtype=rl.int64).random_().item())
        held = []
        for item in self.datapipe:
            if len(held) < self.buffer_size:
                held.append(item)
                continue
            i = chance.randrange(self.buffer_size)
            held[i], item = item, held[i]
            yield item
        chance.shuffle(held)
        yield from held

    def __len__(self):
        return len(self.datapipe)
