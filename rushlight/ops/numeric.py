"""Records of numerical helpers built from other ops: products of vectors, statistics of several
variables, tests and repairs of special values.

Few have kernels of their own. Special functions are in special.py, linear algebra in linalg.py,
distances of rows in distance.py, finite differences in differences.py. To add one: a record with a
composite body.
"""

import rushlight as rl
from rushlight._interpose import overridable
from rushlight.ops._decisions import some
from rushlight._native import conjugate
from rushlight.ops._record import op, pointwise, to_float
from rushlight.ops._reduce_grad import norm_grad


def as_float(x):
    return x if x.is_floating_point() or x.is_complex() else x.to(rl.get_default_dtype())


# ---- special values


@op("ldexp(Tensor self, Tensor other) -> Tensor", inplace="function", no_float8="all")
def ldexp(self, other):
    """``self * 2**other``, elementwise.

    Example:
        >>> rl.ldexp(rl.tensor([1.]), rl.tensor([1, 2]))
        tensor([2., 4.])
    """
    if not other.is_floating_point() and self.is_floating_point():
        other = other.to(self.dtype)
    return self * rl.pow(2.0, other)


ldexp.vjp(
    self=lambda g, other: g * conjugate(rl.pow(2.0, other)),
    other=lambda g, result: g * conjugate(result) * 0.6931471805599453,
)


_known_extremes = {}


def _extremes(dtype):
    if dtype not in _known_extremes:
        limits = rl.finfo(dtype)
        _known_extremes[dtype] = limits.max, limits.min
    return _known_extremes[dtype]


@op(
    "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor",
    inplace=True,
    grad_name=True,
    out="exact",
    no_float8="all",
)
def nan_to_num(self, nan=None, posinf=None, neginf=None):
    """NaN replaced by ``nan`` (0), infinities by ``posinf`` and ``neginf`` (the dtype's extremes).

    Example:
        >>> rl.nan_to_num(rl.tensor([float("nan"), float("inf"), 1.]), posinf=9.)
        tensor([0., 9., 1.])
    """
    if self.is_complex():
        return rl.complex(
            *[nan_to_num(part, nan, posinf, neginf) for part in (self.real, self.imag)]
        )
    if not self.is_floating_point():
        return self.clone()
    most, least = _extremes(self.dtype)
    return _nan_to_num(
        self,
        0.0 if nan is None else nan,
        most if posinf is None else posinf,
        least if neginf is None else neginf,
    )


@op(
    "_nan_to_num(Tensor self, number nan, number posinf, number neginf) -> Tensor",
    kind=pointwise,
    at=("internal",),
    inplace=False,
)
def _nan_to_num(self, nan, posinf, neginf):
    """`nan_to_num` of floating-point numbers (internal)."""
    ...


_nan_to_num.vjp(self=lambda g, self: g * self.isfinite())


def _is_infinity(self, value):
    if self.is_complex():
        raise RuntimeError("isposinf and isneginf do not support complex inputs")
    return self == value if self.is_floating_point() else rl.zeros_like(self, dtype=rl.bool)


@op("isposinf(Tensor self) -> Tensor", differentiable=False, out="exact", no_float8="all")
def isposinf(self):
    """Whether each element is +inf. Raises RuntimeError for complex numbers.

    Example::

        >>> rl.isposinf(rl.tensor([float("inf"), 1.]))
        tensor([ True, False])
    """
    return _is_infinity(self, float("inf"))


@op("isneginf(Tensor self) -> Tensor", differentiable=False, out="exact", no_float8="all")
def isneginf(self):
    """Whether each element is -inf. Raises RuntimeError for complex numbers.

    Example::

        >>> rl.isneginf(rl.tensor([float("inf"), 1.]))
        tensor([False, False])
    """
    return _is_infinity(self, float("-inf"))


@op("isreal(Tensor self) -> Tensor", differentiable=False, out=False)
def isreal(self):
    """Whether each element has no imaginary part.

    Example::

        >>> rl.isreal(rl.tensor([1 + 0j, 1j]))
        tensor([ True, False])
    """
    return self.imag == 0 if self.is_complex() else rl.ones_like(self, dtype=rl.bool)


@op("logaddexp2(Tensor self, Tensor other) -> Tensor")
def logaddexp2(self, other):
    """``log2(2**self + 2**other)``, elementwise, without overflow.

    Example::

        >>> rl.logaddexp2(rl.tensor([1.]), rl.tensor([1.]))
        tensor([2.])
    """
    dtype = rl.result_type(self, other)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise NotImplementedError(f"logaddexp2: not implemented for {dtype}; convert it to floats")
    a, b = self.to(dtype), other.to(dtype)
    if a.is_complex() or b.is_complex():
        log2 = 0.6931471805599453
        return rl.logaddexp(a * log2, b * log2) / log2
    return _log2_sum(a, b)


@op(
    "_log2_sum(Tensor self, Tensor other) -> Tensor",
    kind=pointwise,
    dtype=to_float,
    inplace=False,
    at=("internal",),
)
def _log2_sum(self, other):
    """`logaddexp2` of real numbers."""
    ...


logaddexp2.vjp(
    self=lambda g, self, other: g / (1 + rl.pow(2, other - self)),
    other=lambda g, self, other: g / (1 + rl.pow(2, self - other)),
)


# ---- products


@op("trace(Tensor self) -> Tensor", grad_name=True)
def trace(self):
    """The sum of the diagonal of a matrix. Raises RuntimeError for other dimensions.

    Example::

        >>> rl.trace(rl.eye(3))
        tensor(3.)
    """
    if self.dim() != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {self.dim()}")
    return self.diagonal().sum()


@op("kron(Tensor self, Tensor other) -> Tensor")
def kron(self, other):
    """The Kronecker product: blocks of ``other`` scaled by the elements of ``self``.

    Example:
        >>> rl.kron(rl.tensor([1, 10]), rl.tensor([1, 2]))
        tensor([ 1,  2, 10, 20])
    """
    a, b = self.shape, other.shape
    if len(a) == 2 == len(b):
        (rows, columns), (n, m) = a, b
        left, right = self.reshape(rows, 1, columns, 1), other.reshape(n, 1, m)
        return (left * right).reshape(rows * n, columns * m)
    if len(a) == 1 == len(b):
        return (self.unsqueeze(1) * other).reshape(a[0] * b[0])
    dims = max(len(a), len(b))
    a, b = (1,) * (dims - len(a)) + tuple(a), (1,) * (dims - len(b)) + tuple(b)
    left = self.reshape([n for size in a for n in (size, 1)])
    right = other.reshape([n for size in b for n in (1, size)])
    return (left * right).reshape([m * n for m, n in zip(a, b)])


@op("_cross(Tensor self, Tensor other, int dim) -> Tensor", at=("internal",))
def _cross(self, other, dim):
    """The vector product of two tensors of one shape and dtype, along a dimension of 3."""
    ...


_cross.vjp(
    self=lambda g, other, dim: _cross(conjugate(other), g, dim),
    other=lambda g, self, dim: _cross(g, conjugate(self), dim),
)


@op(
    "cross(Tensor self, Tensor other, int? dim=None) -> Tensor",
    grad_name="LinalgCrossBackward0",
    out="exact",
)
def cross(self, other, dim=None):
    """The vector product along ``dim``, by default the first dimension of size 3.

    Example::

        >>> rl.cross(rl.tensor([1., 0., 0.]), rl.tensor([0., 1., 0.]), dim=0)
        tensor([0., 0., 1.])
    """
    if dim is None:
        if 3 not in tuple(self.shape):
            raise RuntimeError("no dimension of size 3 in input")
        dim = tuple(self.shape).index(3)
    return _linalg_cross(self, other, dim=dim)


@op(
    "cross.linalg(Tensor self, Tensor other, *, int dim=-1) -> Tensor",
    at="linalg",
    grad_name=True,
    out="exact",
)
def _linalg_cross(self, other, dim=-1):
    """The vector product of vectors of 3 along ``dim``; the other dimensions broadcast.

    Raises RuntimeError for another size, or for tensors of different numbers of dimensions.

    Example::

        >>> rl.linalg.cross(rl.tensor([1., 0., 0.]), rl.tensor([0., 1., 0.]))
        tensor([0., 0., 1.])
    """
    if self.dim() != other.dim():
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    if self.size(dim) != 3 or other.size(dim) != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. "
            f"Got {self.size(dim)} and {other.size(dim)}"
        )
    dtype = rl.promote_types(self.dtype, other.dtype)
    return _cross(*rl.broadcast_tensors(self.to(dtype), other.to(dtype)), dim)


@op(
    "_combination_positions(Tensor self, int r, bool with_replacement) -> Tensor",
    at=(),
    differentiable=False,
)
def _combination_positions(self, r, with_replacement):
    """The places of the elements that `combinations` selects, int64."""
    ...


@op("combinations(Tensor self, int r=2, bool with_replacement=False) -> Tensor")
def combinations(self, r=2, with_replacement=False):
    """All selections of ``r`` elements of a vector, in order, a row each, like itertools'.

    Example::

        >>> rl.combinations(rl.tensor([1, 2, 3]))
        tensor([[1, 2],
                [1, 3],
                [2, 3]])
    """
    if self.dim() != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(self.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return self.new_empty(0)
    return self[_combination_positions(self.detach(), r, with_replacement)]


# ---- statistics and distances


@op("cov(Tensor self, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor")
def cov(self, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables in rows, observed in columns.

    ``fweights`` counts each observation, ``aweights`` weighs it; the divisor is the (weighted)
    number of observations less ``correction``.

    Example:
        >>> rl.cov(rl.tensor([[0., 1., 2.], [2., 1., 0.]]))
        tensor([[ 1., -1.],
                [-1.,  1.]])
    """
    if self.dim() > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input "
            f"with {self.dim()} dimensions"
        )
    if self.dtype == rl.bool:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = as_float(self if self.dim() == 2 else self.reshape(1, -1))
    weights = _cov_weights(x, fweights, aweights)
    if weights is None:
        total, divisor = x.size(1), x.size(1) - correction
        mean = x.sum(1, keepdim=True) / total if total else x.mean(1, keepdim=True)
        centred, weighted = x - mean, x - mean
        divisor = max(divisor, 0)
    else:
        total = weights.sum()
        square = total if aweights is None else (weights * aweights).sum() / total
        divisor = (total - correction * (1 if aweights is None else square)).clamp(min=0)
        centred = x - (x * weights).sum(1, keepdim=True) / total
        weighted = centred * weights
    if not isinstance(divisor, rl.Tensor):
        divisor = rl.scalar_tensor(divisor, dtype=x.real.dtype if x.is_complex() else x.dtype)
    product = weighted @ (centred.mT.conj() if x.is_complex() else centred.mT)
    return (product / divisor).squeeze()


def _cov_weights(x, fweights, aweights):
    for name, w, integral in (("fweights", fweights, True), ("aweights", aweights, False)):
        if w is None:
            continue
        if w.dim() > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got "
                f"{name} with {w.dim()} dimensions"
            )
        if integral == (w.is_floating_point() or w.is_complex()):
            raise RuntimeError(
                f"cov(): expected {name} to have {'integral' if integral else 'floating point'} "
                f"dtype but got {name} with {w.dtype} dtype"
            )
        if w.numel() != x.size(1):
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations "
                f"in the input but got {w.numel()} != {x.size(1)}"
            )
        if w.numel() and some(w < 0):
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None or aweights is None:
        return fweights if aweights is None else aweights
    return fweights * aweights


@op("corrcoef(Tensor self) -> Tensor")
def corrcoef(self):
    """Pearson's correlation coefficients of variables in rows, observed in columns.

    Example::

        >>> rl.corrcoef(rl.tensor([[1., 2., 4.], [4., 2., 1.]])).shape
        torch.Size([2, 2])
    """
    if self.dim() > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input "
            f"with {self.dim()} dimensions"
        )
    c = rl.cov(self)
    if c.dim() == 0:
        return c / c
    spread = (c.diagonal().real if c.is_complex() else c.diagonal()).sqrt()
    c = c / spread.unsqueeze(1) / spread.unsqueeze(0)
    return (
        rl.complex(c.real.clamp(-1, 1), c.imag.clamp(-1, 1)) if c.is_complex() else c.clamp(-1, 1)
    )


@op("dist(Tensor self, Tensor other, Scalar p=2) -> Tensor")
def dist(self, other, p=2):
    """The p-norm of ``self - other``, as one number.

    Example::

        >>> rl.dist(rl.zeros(2), rl.tensor([3., 4.]))
        tensor(5.)
    """
    return (self - other).norm(p)


# Of each operand on its own, as PyTorch rounds them.
dist.vjp(
    other=lambda g, self, other, result, p: -norm_grad(g, self - other, result, p, None, False),
    self=lambda g, self, other, result, p: norm_grad(g, self - other, result, p, None, False),
)


@op(
    "renorm(Tensor self, Scalar p, int dim, Scalar maxnorm) -> Tensor",
    inplace=True,
    grad_name=True,
    out="exact",
)
def renorm(self, p, dim, maxnorm):
    """Scales down the slices along ``dim`` whose p-norm exceeds ``maxnorm``, to that norm.

    Example::

        >>> rl.renorm(rl.tensor([[3., 4.]]), 2, 0, 1)
        tensor([[0.6000, 0.8000]])
    """
    if self.dim() < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {self.dim()} dimensions"
        )
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    others = [d for d in range(self.dim()) if d != dim % self.dim()]
    norm = self.norm(p, others, keepdim=True)
    return self * rl.where(norm > maxnorm, maxnorm / (norm + 1e-7), rl.ones_like(norm))


# ---- indices


@op("nonzero_static(Tensor self, *, int size, int fill_value=-1) -> Tensor", differentiable=False)
def nonzero_static(self, size, fill_value=-1):
    """`nonzero` cut or filled with ``fill_value`` to ``size`` rows.

    Example::

        >>> rl.nonzero_static(rl.tensor([0, 5, 6]), size=2)
        tensor([[1],
                [2]])
    """
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = self.nonzero()[:size]
    rest = found.new_full((size - found.size(0), self.dim()), fill_value)
    return rl.cat((found, rest))


@overridable
def unravel_index(indices, shape):
    """The coordinates, a tensor per dimension, of flat ``indices`` into a tensor of this shape.

    Raises TypeError for indices that are no integers, ValueError for negative sizes.

    Example:
        >>> rl.unravel_index(rl.tensor([5]), (2, 3))
        (tensor([1]), tensor([2]))
    """
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == rl.bool:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(not isinstance(size, int) for size in sizes):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {shape!r}")
    if any(size < 0 for size in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    indices, coordinates = indices.to(rl.int64), []
    for size in reversed(sizes):
        coordinates.append(rl.remainder(indices, size))
        indices = rl.div(indices, size, rounding_mode="floor")
    return tuple(reversed(coordinates))


def _rdiv(self, other):
    """``other / self``, under the name of old programs, by the reciprocal as it always was."""
    return self.reciprocal() * other


rl.Tensor.__rdiv__ = _rdiv
rl.ops._record.namespaces["torch"]["unravel_index"] = unravel_index
