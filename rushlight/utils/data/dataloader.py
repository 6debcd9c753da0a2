"""The DataLoader: from a dataset to batches, in this process or with the help of others.

Argument checks, lengths and the iterators' shared part are here; reading samples is in
`_utils/fetch.py`, worker processes in `_utils/pool.py`.
"""

import math
import multiprocessing
import os
import warnings

from ._utils.collate import default_collate, default_convert
from ._utils.fetch import IterableFetcher, MapFetcher
from ._utils.info import get_worker_info  # noqa: F401 - PyTorch's name for it
from ._utils.pin_memory import warn_if_pinning_is_void
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

_collate_fn_t = object  # named in annotations of other packages
_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class _DatasetKind:
    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last):
        made = MapFetcher if kind == _DatasetKind.Map else IterableFetcher
        return made(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler):
    """The index of streams: None, for ever."""

    def __iter__(self):
        while True:
            yield None


class DataLoader:
    """Iterate over the batches of `dataset`.

    Args (as in PyTorch):
        batch_size: samples per batch; None turns batching off.
        shuffle, sampler, batch_sampler: the order; at most one of them.
        num_workers: processes that fetch and collate; 0 does it in this one. Workers run with one
            thread each.
        collate_fn: from a list of samples to a batch; default `default_collate`.
        pin_memory: accepted; warns and changes nothing on a machine without an accelerator.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a worker before RuntimeError; 0 waits for ever.
        worker_init_fn: called with the worker's id after seeding.
        multiprocessing_context: a context or the name of a start method.
        generator: where order and base seed are drawn from; default the global generator.
        prefetch_factor: batches each worker has in the making; default 2.
        persistent_workers: keep the workers between epochs.
        in_order: False hands batches out as they become ready.

    Worker `i` seeds Python's, NumPy's and this package's generators with `base_seed + i`.
    Exceptions of workers are raised here with their type and traceback; a worker that dies raises
    RuntimeError.

    >>> import rushlight as rl
    >>> from rushlight.utils.data import DataLoader, TensorDataset
    >>> loader = DataLoader(TensorDataset(rl.arange(5)), batch_size=2)
    >>> [batch.tolist() for (batch,) in loader]
    [[0, 1], [2, 3], [4]]
    """

    __class_getitem__ = classmethod(type(list[int]))
    __initialized = False
    __multiprocessing_context = None
    _iterator = None

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._set_order(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.__initialized = True
        self._IterableDataset_len_called = None
        _warn_if_too_many(num_workers)

    def _set_order(self, batch_size, shuffle, sampler, batch_sampler, drop_last):
        stream = isinstance(self.dataset, IterableDataset)
        self._dataset_kind = _DatasetKind.Iterable if stream else _DatasetKind.Map
        if stream:
            _check_stream_order(shuffle, sampler, batch_sampler)
        _check_order(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None:
            sampler = self._default_sampler(stream, shuffle)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler

    def _default_sampler(self, stream, shuffle):
        if stream:
            return _InfiniteConstantSampler()
        if shuffle:
            return RandomSampler(self.dataset, generator=self.generator)
        return SequentialSampler(self.dataset)

    @property
    def multiprocessing_context(self):
        return self.__multiprocessing_context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context):
        if context is not None:
            context = _context_of(context, self.num_workers)
        self.__multiprocessing_context = context

    def __setattr__(self, name, value):
        if self.__initialized and name in _FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    def __iter__(self):
        if not (self.persistent_workers and self.num_workers > 0):
            return self._get_iterator()
        if self._iterator is None or self._iterator.closed:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def _get_iterator(self):
        if self.num_workers == 0:
            return _SingleProcessDataLoaderIter(self)
        _warn_if_too_many(self.num_workers)
        return _MultiProcessingDataLoaderIter(self)

    @property
    def _auto_collation(self):
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        return self.batch_sampler if self._auto_collation else self.sampler

    def __len__(self):
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        length = self._IterableDataset_len_called = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def check_worker_number_rationality(self):
        """Warn when there are more workers than processors to run them."""
        _warn_if_too_many(self.num_workers)


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers):
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            "multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing; let num_workers > "
            "0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_stream_order(shuffle, sampler, batch_sampler):
    if shuffle not in {False, None}:
        raise ValueError(
            "DataLoader with IterableDataset: expected unspecified shuffle option, but got "
            f"{shuffle=}"
        )
    for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
        if given is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                f"{name}={given}"
            )


def _check_order(batch_size, shuffle, sampler, batch_sampler, drop_last):
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and "
                "drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )


def _context_of(context, num_workers):
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > "
            f"0), but got num_workers={num_workers}"
        )
    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{methods!r}, but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string "
            f"specifying the start method, but got multiprocessing_context={context}"
        )
    return context


def _warn_if_too_many(num_workers):
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if usable is not None and num_workers > usable:
        warnings.warn(
            f"This DataLoader will create {num_workers} worker processes in total. Our suggested "
            f"max number of worker in current system is {usable}, which is smaller than what this "
            "DataLoader is going to create.",
            stacklevel=3,
        )


class _BaseDataLoaderIter:
    """One pass over the loader: the order, the base seed and the count of batches."""

    def __init__(self, loader):
        warn_if_pinning_is_void(loader.pin_memory)
        self._start_pass(loader)
        self._base_seed = draw_seed(loader.generator)

    def _start_pass(self, loader):
        self._dataset_kind = loader._dataset_kind
        self._expected = loader._IterableDataset_len_called
        self._sampler_iter = iter(loader._index_sampler)
        self._num_yielded = 0
        self._warned = False
        self._sampler = loader._index_sampler

    def __iter__(self):
        return self

    def __len__(self):
        if self._dataset_kind != _DatasetKind.Map:
            raise TypeError("object of type '_InfiniteConstantSampler' has no len()")
        return len(self._sampler)

    def __next__(self):
        batch = self._next_data()
        self._num_yielded += 1
        self._warn_if_longer()
        return batch

    def _warn_if_longer(self):
        if self._expected is None or self._warned or self._dataset_kind == _DatasetKind.Map:
            return
        if self._num_yielded > self._expected:
            warnings.warn(
                f"Length of IterableDataset was reported to be {self._expected} (when accessing "
                f"len(dataloader)), but {self._num_yielded} samples have been fetched. With "
                "several workers, divide the stream among them by get_worker_info().",
                stacklevel=3,
            )
            self._warned = True

    def __getstate__(self):
        raise NotImplementedError(f"{type(self).__name__} cannot be pickled")


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Batches made in this process."""

    def __init__(self, loader):
        super().__init__(loader)
        self._fetcher = _DatasetKind.create_fetcher(
            loader._dataset_kind,
            loader.dataset,
            loader._auto_collation,
            loader.collate_fn,
            loader.drop_last,
        )

    def _next_data(self):
        return self._fetcher.fetch(next(self._sampler_iter))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Batches made by worker processes."""

    def __init__(self, loader):
        super().__init__(loader)
        from ._utils.pool import WorkerPool

        self._pool = WorkerPool(loader, self._base_seed)
        self._pool.begin(self._sampler_iter)

    def _reset(self, loader):
        self._start_pass(loader)
        self._pool.restart(self._sampler_iter)

    def _next_data(self):
        return self._pool.next_batch()

    @property
    def closed(self):
        """Whether the workers are gone, after a failure."""
        return self._pool.closed

    # Two private names that trainers use.
    @property
    def _workers(self):
        return self._pool.processes

    def _shutdown_workers(self):
        self._pool.close()
