"""Spread, norms and logsumexp: reductions whose blocks take more than one pass or a power.

Plain sums and extrema are in reduce.py. To add one: as there.
"""

import rushlight as rl
from rushlight.ops import _reduce_grad as grad
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow

# ---- variance and standard deviation ------------------------------------------------------------


@op(
    "var.correction(Tensor self, int[]? dim=None, *, Scalar? correction=None, "
    "bool keepdim=False) -> Tensor",
    out="cast",
)
def var(self, dim, correction, keepdim):
    """The variance over all elements or ``dim``, divided by N - ``correction`` (1 by default).

    ``unbiased=False`` is ``correction=0``. The variance of complex numbers is real. Computed from
    deviations from the mean, block by block (Chan, Golub, LeVeque 1983).

    Example::

        >>> rl.tensor([1., 2., 3.]).var()
        tensor(1.)
    """
    ...


var.vjp(
    self=lambda g, self, dim, correction, keepdim: grad.var_grad(g, self, dim, correction, keepdim)
)


@op(
    "std.correction(Tensor self, int[]? dim=None, *, Scalar? correction=None, "
    "bool keepdim=False) -> Tensor",
    out="cast",
)
def std(self, dim, correction, keepdim):
    """The standard deviation: the square root of `var`.

    Example::

        >>> rl.tensor([1., 2., 3.]).std()
        tensor(1.)
    """
    ...


std.vjp(
    self=lambda g, self, result, dim, correction, keepdim: grad.std_grad(
        g, self, result, dim, correction, keepdim
    )
)


@op(
    "var_mean.correction(Tensor self, int[]? dim=None, *, Scalar? correction=None, "
    "bool keepdim=False) -> (Tensor, Tensor)",
    method=False,
)
def var_mean(self, dim, correction, keepdim):
    """Variance and mean in one pass.

    Example::

        >>> rl.var_mean(rl.tensor([1., 2., 3.]))
        (tensor(1.), tensor(2.))
    """
    ...


def _mean_grad(g, x, dim, keepdim):
    return grad.spread(g / grad.count(x, dim), x, dim, keepdim)


var_mean.vjp(
    self=lambda g0, g1, self, dim, correction, keepdim: (
        grad.var_grad(g0, self, dim, correction, keepdim) + _mean_grad(g1, self, dim, keepdim)
    )
)


@op(
    "std_mean.correction(Tensor self, int[]? dim=None, *, Scalar? correction=None, "
    "bool keepdim=False) -> (Tensor, Tensor)",
    method=False,
)
def std_mean(self, dim, correction, keepdim):
    """Standard deviation and mean in one pass.

    Example::

        >>> rl.std_mean(rl.tensor([1., 2., 3.]))
        (tensor(1.), tensor(2.))
    """
    ...


std_mean.vjp(
    self=lambda g0, g1, self, result0, dim, correction, keepdim: (
        grad.std_grad(g0, self, result0, dim, correction, keepdim)
        + _mean_grad(g1, self, dim, keepdim)
    )
)


def _add_unbiased(name):
    """The older spellings name(unbiased) and name(dim, unbiased, keepdim) of var and its like."""
    result = "(Tensor, Tensor)" if name.endswith("_mean") else "Tensor"
    method = not name.endswith("_mean")

    @op(f"{name}(Tensor self, bool unbiased) -> {result}", method=method)
    def whole(self, unbiased):
        """With or without Bessel's correction."""
        return getattr(rl, name)(self, None, correction=int(unbiased))

    @op(
        f"{name}.dim(Tensor self, int[]? dim, bool unbiased, bool keepdim=False) -> {result}",
        method=method,
    )
    def along(self, dim, unbiased, keepdim):
        """With or without Bessel's correction, along ``dim``."""
        return getattr(rl, name)(self, dim, correction=int(unbiased), keepdim=keepdim)


for _name in ("var", "std", "var_mean", "std_mean"):
    _add_unbiased(_name)

# ---- norms -------------------------------------------------------------------------------------


@op(
    "_vector_norm(Tensor self, float ord=2, int[]? dim=None, bool keepdim=False, *, "
    "dtype? dtype=None) -> Tensor",
    at=(),
    grad_name="LinalgVectorNormBackward0",
)
def _vector_norm(self, ord, dim, keepdim, dtype):
    """The norm of real vectors."""
    ...


_vector_norm.vjp(
    self=lambda g, self, result, ord, dim, keepdim: grad.norm_grad(
        g, self, result, ord, dim, keepdim
    )
)


def _check_norm_dtype(name, x, dtype):
    """``dtype`` has to hold what ``x`` holds: nothing narrower, and real for real numbers."""
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(f"{name}: expected a floating point or complex tensor, got {x.dtype}")
    if x.is_complex() != dtype.is_complex or rl.promote_types(x.dtype, dtype) != dtype:
        raise RuntimeError(f"{name}: {x.dtype} cannot be computed in dtype={dtype} without a loss")


def _norm_of_complex(name, x, ord, dim, keepdim, dtype):
    """`_vector_norm`, of the magnitudes if ``x`` is complex."""
    if dtype is not None:
        _check_norm_dtype(name, x, dtype)
        dtype = dtype.to_real()
    if x.is_complex():
        x = x.abs()
    return _vector_norm(x, ord, dim, keepdim, dtype=dtype)


@op(
    "vector_norm(Tensor self, Scalar ord=2, int[]? dim=None, bool keepdim=False, *, "
    "dtype? dtype=None) -> Tensor",
    at="linalg",
    out="exact",
)
def vector_norm(self, ord, dim, keepdim, dtype):
    """The vector norm of order ``ord`` over ``dim``, or of all elements.

    ``inf`` and ``-inf`` take the largest and smallest magnitude, 0 counts what is not zero, any
    other p is ``sum(|x|^p)^(1/p)``. The result is real. Euclidean norms do not overflow unless
    the result does. Raises RuntimeError for integers.

    Example::

        >>> rl.linalg.vector_norm(rl.tensor([3., 4.]))
        tensor(5.)
    """
    if isinstance(ord, complex):
        raise RuntimeError(f"linalg.vector_norm: ord must be a real number, got {ord}")
    return _norm_of_complex("linalg.vector_norm", self, ord, dim, keepdim, dtype)


@op(
    "norm(Tensor self, any p='fro', int[]? dim=None, bool keepdim=False, "
    "dtype? dtype=None) -> Tensor",
    out="exact",
)
def norm(self, p, dim, keepdim, dtype):
    """The vector norm of order ``p`` over ``dim``;
    ``p='fro'`` is 2, ``p='nuc'`` sums singular values.

    Example::

        >>> rl.tensor([3., 4.]).norm()
        tensor(5.)
    """
    if p == "nuc":
        return rl.linalg.matrix_norm(
            self, "nuc", dim if dim is not None else (-2, -1), keepdim, dtype=dtype
        )
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm: expected p to be a number, 'fro' or 'nuc', got {p!r}")
    order = 2 if p is None or p == "fro" else p
    return _norm_of_complex("norm", self, order, dim, keepdim, dtype)


# ---- logsumexp ---------------------------------------------------------------------------------


@op(
    "_logsumexp(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
    at=(),
    grad_name="LogsumexpBackward0",
)
def _logsumexp(self, dim, keepdim):
    """log(sum(exp(x))) of real numbers."""
    ...


def _logsumexp_grad(g, self, result, dim, keepdim):
    # Where all is -inf every difference is NaN; the limit of each weight is 0.
    result = grad.restore(result, self, dim, keepdim)
    lowest = (result.real if result.is_complex() else result) == float("-inf")
    weights = (self - result.masked_fill(lowest, 0)).exp()
    return grad.restore(g, self, dim, keepdim) * weights.conj()


_logsumexp.vjp(self=_logsumexp_grad)


@op(
    "_complex_logsumexp(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
    at=(),
    grad_name="LogsumexpBackward0",
)
def _complex_logsumexp(self, dim, keepdim):
    """log(sum(exp(x))) of complex numbers, relative to the largest real part."""
    top = self.real.amax(dim, keepdim=True)
    top = top.masked_fill(top.abs() == float("inf"), 0)
    total = (self - top).exp().sum(dim, keepdim)
    return total.log() + (top if keepdim else top.sum(dim))


@op(
    "_narrow_logsumexp(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
    at=(),
    grad_name="LogsumexpBackward0",
)
def _narrow_logsumexp(self, dim, keepdim):
    """log(sum(exp(x))) of 16-bit numbers, rounded after each step."""
    top = self.amax(dim, keepdim=True)
    total = (self - top.masked_fill(top.isinf(), 0)).exp().sum(dim, keepdim)
    top = top if keepdim else top.reshape(total.shape)
    return total.log() + top.masked_fill(top.isinf(), 0)


_complex_logsumexp.vjp(self=_logsumexp_grad)
_narrow_logsumexp.vjp(self=_logsumexp_grad)


@op(
    "logsumexp(Tensor self, int[] dim, bool keepdim=False) -> Tensor",
    at=("torch", "Tensor", "special"),
)
def logsumexp(self, dim, keepdim):
    """log(sum(exp(self))) over ``dim``, computed relative to the maximum, so without overflow.

    Example::

        >>> rl.tensor([1000., 1000.]).logsumexp(0)
        tensor(1000.6932)
    """
    if is_narrow(self) and self.numel():
        return _narrow_logsumexp(self, dim, keepdim)
    return (_complex_logsumexp if self.is_complex() else _logsumexp)(self, dim, keepdim)
