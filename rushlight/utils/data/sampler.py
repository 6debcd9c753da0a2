"""Samplers: in which order, and in which groups, the indices of a dataset are visited.

What is drawn, and from which generator, follows PyTorch, so that a seed gives the same order there
and here. A new sampler is an iterable of indices with a length.
"""

import itertools

import rushlight as rl

_DRAW_CHUNK = 32  # indices drawn at a time with replacement; part of the reproducible sequence


class Sampler:
    """Base class of samplers: define `__iter__`, which yields indices or lists of indices."""

    __class_getitem__ = classmethod(type(list[int]))

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


class SequentialSampler(Sampler):
    """Indices 0, 1, ..., len(data_source) - 1."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler):
    """A random order of the dataset, or `num_samples` draws with replacement.

    Without `generator`, each pass seeds a fresh one with a single draw from the global generator.
    Raises TypeError for a `replacement` that is no bool, ValueError for `num_samples` < 1.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got {replacement=}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got {self.num_samples}"
            )

    @property
    def num_samples(self):
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        generator = self.generator
        if generator is None:
            generator = rl.Generator()
            generator.manual_seed(draw_seed(None))
        draw = self._with_replacement if self.replacement else self._permutations
        yield from draw(len(self.data_source), generator)  # so that even the seed waits till then

    def _with_replacement(self, n, generator):
        whole, rest = divmod(self.num_samples, _DRAW_CHUNK)
        for size in itertools.chain(itertools.repeat(_DRAW_CHUNK, whole), (rest,)):
            yield from rl.randint(n, (size,), dtype=rl.int64, generator=generator).tolist()

    def _permutations(self, n, generator):
        whole, rest = divmod(self.num_samples, n)
        for _ in range(whole):
            yield from rl.randperm(n, generator=generator).tolist()
        yield from rl.randperm(n, generator=generator).tolist()[:rest]

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in a random order."""

    def __init__(self, indices, generator=None):
        self.indices = indices
        self.generator = generator

    def __iter__(self):
        for i in rl.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices drawn in proportion to `weights`, which need not sum to one.

    Raises ValueError for bad `num_samples`, `replacement` or a `weights` that is not 1-D.
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got {replacement=}")
        weights = rl.as_tensor(weights, dtype=rl.double)
        if weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(weights.shape)}"
            )
        self.weights = weights
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self):
        drawn = rl.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn.tolist()

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """Groups the indices of another sampler into lists of `batch_size`.

    `drop_last` leaves out a shorter last list.

    >>> from rushlight.utils.data import BatchSampler
    >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler, batch_size, drop_last):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)


def draw_seed(generator):
    """One 63-bit seed from `generator` (None: the global one)."""
    return rl.empty((), dtype=rl.int64).random_(generator=generator).item()
