"""Transforms that rearrange, or apply other transforms to pieces: Reshape, Cat, Stack.

Composition and inversion are in _transform_base.py.
"""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._transform_base import Transform
from rushlight.distributions.utils import sum_rightmost


class ReshapeTransform(Transform):
    """Reshapes the event dimensions from ``in_shape`` to ``out_shape``, of as many elements.

    Example::

        >>> rl.distributions.ReshapeTransform((4,), (2, 2))(rl.zeros(3, 4)).shape
        torch.Size([3, 2, 2])
    """

    bijective = True

    def __init__(self, in_shape, out_shape, cache_size=0):
        self.in_shape, self.out_shape = rl.Size(in_shape), rl.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(
                f"in_shape, out_shape have different numbers of elements: {tuple(in_shape)} vs "
                f"{tuple(out_shape)}"
            )
        super().__init__(cache_size=cache_size)

    @constraints.dependent_property
    def domain(self):
        return constraints.independent(constraints.real, len(self.in_shape))

    @constraints.dependent_property
    def codomain(self):
        return constraints.independent(constraints.real, len(self.out_shape))

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return ReshapeTransform(self.in_shape, self.out_shape, cache_size=cache_size)

    def _call(self, x):
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y):
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x, y):
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape):
        return _replaced(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape):
        return _replaced(shape, self.out_shape, self.in_shape)


def _replaced(shape, old, new):
    cut = len(shape) - len(old)
    if cut < 0:
        raise ValueError(f"ReshapeTransform: too few dimensions in {tuple(shape)} for {tuple(old)}")
    if tuple(shape[cut:]) != tuple(old):
        raise ValueError(f"Shape mismatch: expected {tuple(old)} but got {tuple(shape[cut:])}")
    return shape[:cut] + new


class _Pieces(Transform):
    """Transforms on pieces of one dimension; subclasses say how to take a tensor apart."""

    def _check(self, tensors):
        for t in tensors:
            if not -t.dim() <= self.dim < t.dim():
                raise AssertionError(
                    f"{type(self).__name__}: no dimension {self.dim} in shape {tuple(t.shape)}"
                )

    @property
    def bijective(self):
        return all(t.bijective for t in self.transforms)

    def _map(self, transforms, x):
        self._check((x,))
        pieces = zip(transforms, self._split(x), strict=True)
        return self._join([t(piece) for t, piece in pieces], self.dim)

    def _call(self, x):
        return self._map(self.transforms, x)

    def _inverse(self, y):
        return self._map([t.inv for t in self.transforms], y)


class CatTransform(_Pieces):
    """Transforms of consecutive pieces, of the given ``lengths`` (default 1), along ``dim``.

    Example::

        >>> d = rl.distributions
        >>> t = d.CatTransform([d.ExpTransform(), d.identity_transform], lengths=[1, 2])
        >>> t(rl.tensor([0., 5., 6.]))
        tensor([1., 5., 6.])
    """

    def __init__(self, tseq, dim=0, lengths=None, cache_size=0):
        tseq = list(tseq)
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError(f"CatTransform: expected Transforms, got {tseq!r}")
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else tseq
        self.lengths = [1] * len(tseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(tseq):
            raise AssertionError(
                f"CatTransform: {len(tseq)} transforms for {len(self.lengths)} lengths"
            )
        self.dim = dim

    @property
    def event_dim(self):
        return max(t.event_dim for t in self.transforms)

    @property
    def length(self):
        """The length of the whole dimension."""
        return sum(self.lengths)

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _check(self, tensors):
        super()._check(tensors)
        for t in tensors:
            if t.size(self.dim) != self.length:
                raise AssertionError(
                    f"CatTransform: expected length {self.length} along dimension {self.dim}, got "
                    f"shape {tuple(t.shape)}"
                )

    def _split(self, x):
        return x.split(self.lengths, self.dim)

    def _join(self, pieces, dim):
        return rl.cat(pieces, dim)

    def log_abs_det_jacobian(self, x, y):
        self._check((x, y))
        found = []
        for transform, a, b in zip(self.transforms, self._split(x), self._split(y), strict=True):
            piece = transform.log_abs_det_jacobian(a, b)
            found.append(sum_rightmost(piece, self.event_dim - transform.domain.event_dim))
        dim = self.dim - x.dim() if self.dim >= 0 else self.dim
        dim += self.event_dim
        return rl.cat(found, dim) if dim < 0 else sum(found)

    @constraints.dependent_property
    def domain(self):
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @constraints.dependent_property
    def codomain(self):
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)


class StackTransform(_Pieces):
    """One transform for each slice along ``dim``.

    Example::

        >>> d = rl.distributions
        >>> d.StackTransform([d.ExpTransform(), d.AbsTransform()])(rl.tensor([0., -5.]))
        tensor([1., 5.])
    """

    def __init__(self, tseq, dim=0, cache_size=0):
        tseq = list(tseq)
        if not all(isinstance(t, Transform) for t in tseq):
            raise AssertionError(f"StackTransform: expected Transforms, got {tseq!r}")
        super().__init__(cache_size=cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq] if cache_size else tseq
        self.dim = dim

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return StackTransform(self.transforms, self.dim, cache_size)

    def _check(self, tensors):
        super()._check(tensors)
        for t in tensors:
            if t.size(self.dim) != len(self.transforms):
                raise AssertionError(
                    f"StackTransform: expected {len(self.transforms)} slices along dimension "
                    f"{self.dim}, got shape {tuple(t.shape)}"
                )

    def _split(self, x):
        return x.unbind(self.dim)

    def _join(self, pieces, dim):
        return rl.stack(pieces, dim)

    def log_abs_det_jacobian(self, x, y):
        self._check((x, y))
        slices = zip(self.transforms, self._split(x), self._split(y), strict=True)
        return rl.stack([t.log_abs_det_jacobian(a, b) for t, a, b in slices], self.dim)

    @constraints.dependent_property
    def domain(self):
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @constraints.dependent_property
    def codomain(self):
        return constraints.stack([t.codomain for t in self.transforms], self.dim)
