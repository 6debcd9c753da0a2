"""Datasets: what a loader reads samples from.

Map-style datasets answer `len(d)` and `d[i]`; iterable ones answer `iter(d)`. Order and batching
are the business of `sampler.py` and `dataloader.py`. A new dataset is a class here plus its public
name in `__init__.py`.
"""

import bisect
import itertools
import math
import warnings

import rushlight as rl
from rushlight._notes import early_arguments

_GenericAlias = type(list[int])


class Dataset:
    """Base class of map-style datasets: define `__getitem__` and, usually, `__len__`.

    `__getitems__(indices)`, where defined, fetches a whole batch at once and must return a list.

    >>> from rushlight.utils.data import Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self): return 4
    ...     def __getitem__(self, i): return i * i
    >>> Squares()[3]
    9
    """

    __class_getitem__ = classmethod(_GenericAlias)

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Base class of datasets that are streams: define `__iter__`.

    With worker processes every worker iterates over its own copy, so split the stream by
    `get_worker_info()`, or samples come once per worker.
    """

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")

    def __add__(self, other):
        return ChainDataset([self, other])


_BY_PLACE = "give the tensors by place: TensorDataset(data, target)"


class TensorDataset(Dataset):
    """Rows of tensors of equal length: item `i` is the tuple of their `i`-th rows.

    Raises AssertionError if the first dimensions differ.
    """

    @early_arguments(data_tensor=_BY_PLACE, target_tensor=_BY_PLACE)
    def __init__(self, *tensors):
        lengths = [t.size(0) for t in tensors]
        assert all(n == lengths[0] for n in lengths), (
            f"TensorDataset: tensors must agree in dimension 0, got sizes {lengths}"
        )
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(t[index] for t in self.tensors)

    def __len__(self):
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Datasets of equal length side by side.

    Positional datasets give tuples, keyword datasets give dicts. Raises ValueError if both kinds
    are given, if none is, or if the lengths differ.
    """

    def __init__(self, *args, **kwargs):
        if args and kwargs:
            raise ValueError("StackDataset: give positional datasets or keyword datasets, not both")
        if not args and not kwargs:
            raise ValueError("StackDataset: at least one dataset must be given")
        self.datasets = args if args else kwargs
        lengths = [len(d) for d in self._parts()]
        self._length = lengths[0]
        if any(n != self._length for n in lengths):
            raise ValueError(f"StackDataset: size mismatch between datasets: {lengths}")

    def _parts(self):
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def _like(self, values):
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, values))
        return tuple(values)

    def __getitem__(self, index):
        return self._like([d[index] for d in self._parts()])

    def __getitems__(self, indices):
        columns = [self._fetch(d, indices) for d in self._parts()]
        return [self._like(row) for row in zip(*columns)]

    @staticmethod
    def _fetch(dataset, indices):
        if not callable(getattr(dataset, "__getitems__", None)):
            return [dataset[i] for i in indices]
        items = dataset.__getitems__(indices)
        if len(items) != len(indices):
            raise ValueError(
                f"StackDataset: __getitems__ of {type(dataset).__name__} returned {len(items)} "
                f"items for {len(indices)} indices"
            )
        return items

    def __len__(self):
        return self._length


class ConcatDataset(Dataset):
    """Map-style datasets one after another.

    Raises AssertionError for no datasets at all and for an iterable-style one.
    """

    @staticmethod
    def cumsum(sequence):
        return list(itertools.accumulate(len(d) for d in sequence))

    def __init__(self, datasets):
        self.datasets = list(datasets)
        assert self.datasets, "ConcatDataset: datasets must not be an empty iterable"
        for d in self.datasets:
            assert not isinstance(d, IterableDataset), (
                "ConcatDataset: cannot index an IterableDataset; chain such datasets with "
                "ChainDataset"
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx):
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][idx - start]

    @property
    def cummulative_sizes(self):
        warnings.warn(
            "cummulative_sizes is spelled cumulative_sizes", DeprecationWarning, stacklevel=2
        )
        return self.cumulative_sizes


class ChainDataset(IterableDataset):
    """Iterable-style datasets one after another, each started when the one before it ends."""

    def __init__(self, datasets):
        super().__init__()
        self.datasets = datasets

    def __iter__(self):
        for d in self._checked():
            yield from d

    def __len__(self):
        return sum(len(d) for d in self._checked())

    def _checked(self):
        for d in self.datasets:
            assert isinstance(d, IterableDataset), (
                f"ChainDataset: only supports IterableDataset, got {type(d).__name__}"
            )
            yield d


class Subset(Dataset):
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset, indices):
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx):
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices):
        chosen = [self.indices[i] for i in indices]
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__(chosen)
        return [self.dataset[i] for i in chosen]

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Split `dataset` at random into non-overlapping subsets of the given lengths.

    `lengths` are counts that sum to `len(dataset)`, or fractions that sum to 1; what rounding
    leaves over goes to the first subsets, one each in turn. Draws one permutation from `generator`
    (default: the global one). Returns a list of `Subset`; raises ValueError when the lengths do not
    add up.

    >>> import rushlight as rl
    >>> from rushlight.utils.data import random_split
    >>> parts = random_split(range(10), [0.7, 0.3], generator=rl.Generator().manual_seed(42))
    >>> [len(p) for p in parts]
    [7, 3]
    """
    lengths = list(lengths)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _counts_of(lengths, len(dataset))
    if sum(lengths) != len(dataset):
        raise ValueError(
            f"random_split: sum of input lengths {sum(lengths)} does not equal the length of the "
            f"dataset, {len(dataset)}"
        )
    order = rl.randperm(len(dataset), generator=generator).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, lengths)]


def _counts_of(fractions, total):
    for i, fraction in enumerate(fractions):
        if fraction < 0 or fraction > 1:
            raise ValueError(f"random_split: fraction at index {i} is not between 0 and 1")
    counts = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(counts)):
        counts[i % len(counts)] += 1
    for i, count in enumerate(counts):
        if count == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return counts
