"""Fetchers: from the indices of one batch to the collated batch.

They run in the main process or in a worker alike. Where indices come from is the sampler's
business.
"""

import itertools

import rushlight as rl

from ..dataset import Subset, TensorDataset
from .collate import collate_tensor_fn, default_collate, default_collate_fn_map


class MapFetcher:
    """Reads samples by index."""

    def __init__(self, dataset, auto_collation, collate_fn, drop_last):
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn

    def fetch(self, indices):
        if not self.auto_collation:
            return self.collate_fn(self.dataset[indices])
        if self.collate_fn is default_collate and (
            batch := _indexed_at_once(self.dataset, indices)
        ):
            return batch
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[i] for i in indices])


def _indexed_at_once(dataset, indices):
    """What stacking rows of a TensorDataset gives, by one indexing of each tensor; None if its
    samples may be anything else.
    """
    while type(dataset) is Subset:
        indices, dataset = [dataset.indices[i] for i in indices], dataset.dataset
    if (
        type(dataset) is not TensorDataset
        or not indices
        or any(type(i) is not int for i in indices)
    ):
        return None
    if default_collate_fn_map.get(rl.Tensor) is not collate_tensor_fn:
        return None
    for t in dataset.tensors:
        if type(t) is not rl.Tensor or t.requires_grad or t.layout is not rl.strided:
            return None
    at = rl.tensor(indices)
    return [t[at] for t in dataset.tensors]


class IterableFetcher:
    """Takes as many samples from the stream as there are indices; their values mean nothing."""

    def __init__(self, dataset, auto_collation, collate_fn, drop_last):
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.samples = iter(dataset)
        self.ended = False

    def fetch(self, indices):
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.samples))
        batch = list(itertools.islice(self.samples, len(indices)))
        self.ended = len(batch) < len(indices)
        if not batch or (self.drop_last and self.ended):
            raise StopIteration
        return self.collate_fn(batch)
