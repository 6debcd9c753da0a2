"""Cumulative operations along one dimension, differences and trapezoid sums.

To add one: a Rule in csrc/kernels/scan.cpp and a record here, or a composition.
"""

import rushlight as rl
from rushlight.ops._decisions import some, written
from rushlight.ops._record import op


@op("cumsum(Tensor self, int dim, *, dtype? dtype=None) -> Tensor", inplace=True)
def cumsum(self, dim, dtype):
    """Running sums along ``dim``. Integers and bool sum to int64; floats carry a double.

    Example::

        >>> rl.tensor([1, 2, 3]).cumsum(0)
        tensor([1, 3, 6])
    """
    ...


@op("_reverse_cumsum(Tensor self, int dim) -> Tensor", at=("internal",))
def reverse_cumsum(self, dim):
    """Sums from each element to the end of ``dim``."""
    return self.flip(dim).cumsum(dim).flip(dim) if self.dim() else self.clone()


cumsum.vjp(self=lambda g, dim: reverse_cumsum(g, dim))
reverse_cumsum.vjp(self=lambda g, dim: g.cumsum(dim))


@reverse_cumsum.samples
def _(make):
    yield make(2, 7), 1
    yield make(5, 3), 0
    yield make(), 0


@cumsum.samples
def _(make):
    yield make(2, 3), 1
    yield make(5), -1
    yield make(), 0


@op("cumprod(Tensor self, int dim, *, dtype? dtype=None) -> Tensor", inplace=True)
def cumprod(self, dim, dtype):
    """Running products along ``dim``. Integers and bool multiply as int64.

    Example::

        >>> rl.tensor([1, 2, 3]).cumprod(0)
        tensor([1, 2, 6])
    """
    ...


def _cumprod_grad(g, x, result, dim):
    """The gradient of x.cumprod(dim), zeros in x included."""
    if x.dim() == 0 or x.numel() == 0:
        return g
    if not some(x == 0):
        return reverse_cumsum(g * result.conj(), dim) / x.conj()
    # d result_k / d x_i is the product of x_j for j <= k, j != i: one line of products per i.
    x, g = x.movedim(dim, -1), g.movedim(dim, -1)
    n = x.shape[-1]
    eye = rl.eye(n, dtype=rl.bool)
    others = rl.where(eye, rl.ones_like(x).unsqueeze(-2), x.unsqueeze(-2)).cumprod(-1)
    later = rl.ones(n, n, dtype=rl.bool).triu()
    return (g.unsqueeze(-2) * others.conj() * later).sum(-1).movedim(-1, dim)


cumprod.vjp(self=lambda g, self, result, dim: _cumprod_grad(g, self, result, dim))


def _cumulative_grad(g, indices, dim):
    return written(rl.zeros_like(g), "scatter_add", dim, indices, g)


@op("cummax(Tensor self, int dim) -> (Tensor values, Tensor indices)")
def cummax(self, dim):
    """Running maxima along ``dim`` and their positions, the last of equals; NaN stays.

    Example::

        >>> rl.tensor([1, 3, 2]).cummax(0).values
        tensor([1, 3, 3])
    """
    ...


cummax.vjp(self=lambda g, indices, dim: _cumulative_grad(g, indices, dim))


@op("cummin(Tensor self, int dim) -> (Tensor values, Tensor indices)")
def cummin(self, dim):
    """Running minima along ``dim`` and their positions, as `cummax`.

    Example::

        >>> rl.tensor([3, 1, 2]).cummin(0).values
        tensor([3, 1, 1])
    """
    ...


cummin.vjp(self=lambda g, indices, dim: _cumulative_grad(g, indices, dim))


def _logcumsumexp_grad(g, self, result, dim):
    """The sum of g_k exp(x_i - result_k) over k >= i, its positive and negative terms apart, so
    that both stay in logarithms."""
    if self.dim() == 0 or self.numel() == 0:
        return g
    if self.is_complex():
        terms = (g.conj().log() - result).flip(dim).logcumsumexp(dim).flip(dim)
        return (terms + self).exp().conj()
    low = float("-inf")
    none = rl.full_like(g, low)
    positive = rl.where(g > 0, g.abs().log(), none)
    negative = rl.where(g < 0, g.abs().log(), none)

    def part(log_g):
        terms = (log_g - result).masked_fill(log_g == low, low)
        return (terms.flip(dim).logcumsumexp(dim).flip(dim) + self).exp()

    return part(positive) - part(negative)


@op("logcumsumexp(Tensor self, int dim) -> Tensor")
def logcumsumexp(self, dim):
    """Running log(sum(exp(x))) along ``dim``, without overflow.

    Example::

        >>> rl.tensor([0., 0.]).logcumsumexp(0)
        tensor([0.0000, 0.6931])
    """
    ...


logcumsumexp.vjp(self=_logcumsumexp_grad)

# ---- differences and trapezoids ----------------------------------------------------------------


@op("diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None) -> Tensor")
def diff(self, n, dim, prepend, append):
    """The ``n``-th differences of neighbours along ``dim``; bool differs by exclusive or.

    Example::

        >>> rl.tensor([1, 4, 9]).diff()
        tensor([3, 5])
    """
    if self.dim() == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    if n == 0:
        return self.clone()
    parts = [t for t in (prepend, self, append) if t is not None]
    x = rl.cat(parts, dim) if len(parts) > 1 else self
    for _ in range(min(n, x.shape[dim])):
        size = max(x.shape[dim] - 1, 0)
        late, early = x.narrow(dim, x.shape[dim] - size, size), x.narrow(dim, 0, size)
        x = late ^ early if x.dtype == rl.bool else late - early
    return x


def _steps(y, x, dim):
    """Widths between samples, shaped to multiply sums of neighbours of `y` along `dim`."""
    if x.dim() == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(
                f"trapezoid: There must be one `x` value for each sample point, got "
                f"{x.shape[0]} for {y.shape[dim]}"
            )
        return x.diff().reshape([-1 if d == dim % y.dim() else 1 for d in range(y.dim())])
    while x.dim() < y.dim():
        x = x.unsqueeze(0)
    return x.diff(dim=dim)


def _neighbour_sums(y, dim):
    n = max(y.shape[dim] - 1, 0)
    return y.narrow(dim, y.shape[dim] - n, n) + y.narrow(dim, 0, n)


def _areas(y, x, dx, dim):
    sums = _neighbour_sums(y, dim)
    if x is not None:
        return sums * _steps(y, x, dim)
    as_it_is = dx == 1 and isinstance(dx, int) and y.dtype != rl.bool
    return sums if as_it_is else sums * dx


@op("trapezoid(Tensor y, Tensor? x=None, *, Scalar dx=1, int dim=-1) -> Tensor", method=False)
def trapezoid(y, x, dx, dim):
    """The integral of samples ``y`` at ``x``, or ``dx`` apart, by the trapezoid rule along ``dim``.

    Example::

        >>> rl.trapezoid(rl.tensor([1., 2., 3.]))
        tensor(4.)
    """
    if x is None and y.dtype != rl.bool and y.dim() and y.shape[dim]:
        inner = y.sum(dim) - (y.select(dim, 0) + y.select(dim, -1)) * 0.5
        return inner if dx == 1 and isinstance(dx, int) else inner * dx
    return _areas(y, x, dx, dim).sum(dim) / 2


@op("trapz(Tensor y, Tensor? x=None, *, Scalar dx=1, int dim=-1) -> Tensor", method=False)
def trapz(y, x, dx, dim):
    """As `trapezoid`.

    Example::

        >>> rl.trapz(rl.tensor([1., 2., 3.]))
        tensor(4.)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@op(
    "cumulative_trapezoid(Tensor y, Tensor? x=None, *, Scalar dx=1, int dim=-1) -> Tensor",
    method=False,
)
def cumulative_trapezoid(y, x, dx, dim):
    """Running integrals by the trapezoid rule along ``dim``; one element shorter than ``y``.

    Example::

        >>> rl.cumulative_trapezoid(rl.tensor([1., 2., 3.]))
        tensor([1.5000, 4.0000])
    """
    return _areas(y, x, dx, dim).cumsum(dim) / 2
