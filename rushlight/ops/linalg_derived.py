"""Records of linear algebra built from the factorisations of linalg.py: norms, ranks, inverses of
other kinds, least squares, and older names. No kernels, no gradients of their own.
To add one: a record with a composite body.
"""

import math

import rushlight as rl
from rushlight.ops._decisions import recording, unwrapped
from rushlight.ops._record import namespaces, op
from rushlight.ops._rounding import is_narrow, widen
from rushlight.ops.linalg import _check_matrix, _h
from rushlight.ops.linalg_factor import _svd_of, eigvalsh, svdvals
from rushlight.ops.reduce_moments import _check_norm_dtype
from rushlight.ops.views import _wrap

_linalg = namespaces["linalg"]


# ---- spectra and norms


def _matrix_dims(x, dim):
    """The two dims of matrices, counted from the front."""
    if len(dim) != 2 or x.dim() < 2:
        raise RuntimeError(
            f"linalg.matrix_norm: dim must be a 2-tuple of dims of a matrix. Got {tuple(dim)}"
        )
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(
            f"linalg.matrix_norm: expected a floating point or complex tensor, got {x.dtype}"
        )
    rows, cols = [_wrap(d, x.dim()) for d in dim]
    if rows == cols:
        raise RuntimeError("linalg.matrix_norm: dims must be different")
    return rows, cols


def _extreme(sums, dim, ord, keepdim):  # noqa: A002
    """The largest of ``sums``, 0 if there are none, or the smallest for a negative order."""
    if ord < 0:
        return sums.amin(dim, keepdim)
    return sums.amax(dim, keepdim) if sums.size(dim) else sums.sum(dim, keepdim)


@op(
    "matrix_norm(Tensor self, any ord='fro', int[] dim=[-2, -1], bool keepdim=False, *, "
    "dtype? dtype=None) -> Tensor",
    at="linalg",
    out="exact",
)
def matrix_norm(self, ord="fro", dim=(-2, -1), keepdim=False, dtype=None):  # noqa: A002
    """The norm of matrices: "fro", "nuc", inf, -inf, 1, -1, 2 or -2 (singular values).

    Example::

        >>> rl.linalg.matrix_norm(rl.tensor([[3., 0.], [0., 4.]]))
        tensor(5.)
    """
    if not isinstance(ord, (str, int, float)):
        raise TypeError(f"linalg.matrix_norm: ord must be a number or a name, got {ord!r}")
    rows, cols = _matrix_dims(self, dim)
    if ord == "fro":
        return rl.linalg.vector_norm(self, 2, (rows, cols), keepdim, dtype=dtype)
    if dtype is not None:
        _check_norm_dtype("linalg.matrix_norm", self, dtype)
    x = self if dtype is None else self.to(dtype)
    if ord in ("nuc", 2, -2):
        s = svdvals(x.movedim((rows, cols), (-2, -1)))
        made = s.sum(-1) if ord == "nuc" else _extreme(s, -1, ord, False)
        return made.unsqueeze(min(rows, cols)).unsqueeze(max(rows, cols)) if keepdim else made
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    summed, left = (rows, cols) if abs(ord) == 1 else (cols, rows)
    sums = x.abs().sum(summed, keepdim=True)
    made = _extreme(sums, left, ord, True)
    return made if keepdim else made.squeeze((rows, cols))


@op(
    "norm.linalg(Tensor self, any ord=None, int[1]? dim=None, bool keepdim=False, *, dtype? "
    "dtype=None) -> Tensor",
    at="linalg",
    out="exact",
)
def _(self, ord=None, dim=None, keepdim=False, dtype=None):  # noqa: A002
    """The vector norm (one dim, or ``ord`` None) or the matrix norm (two dims) of order ``ord``.

    Example::

        >>> rl.linalg.norm(rl.tensor([3., 4.]))
        tensor(5.)
    """
    dim = [dim] if isinstance(dim, int) else dim
    if ord is None or (dim is not None and len(dim) == 1) or (dim is None and self.dim() == 1):
        if isinstance(ord, str):
            raise RuntimeError(f"linalg.norm: Order {ord!r} needs a matrix")
        return rl.linalg.vector_norm(self, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
    if dim is None and self.dim() != 2:
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. "
            f"Got {self.dim()}D."
        )
    return matrix_norm(self, ord, (0, 1) if dim is None else dim, keepdim, dtype=dtype)


@op("cond(Tensor self, any p=None) -> Tensor", at="linalg")
def cond(self, p=None):
    """The condition number: the norm of order ``p`` (2) times that of the inverse; inf if "
    "singular.

    Example::

        >>> rl.linalg.cond(rl.tensor([[2., 0.], [0., 1.]]))
        tensor(2.)
    """
    if self.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor A must have at least 2 dimensions.")
    if not (self.size(-1) and self.size(-2)):
        return rl.zeros(self.shape[:-2], dtype=self.dtype.to_real())
    if p in (None, 2, -2):
        s = svdvals(self)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    inverse, info = _linalg["inv_ex"](self)
    singular = info > 0
    inverse = inverse.masked_fill(singular[..., None, None], 0.0)  # it may hold inf and nan
    return (matrix_norm(self, p) * matrix_norm(inverse, p)).masked_fill(singular, math.inf)


def _tolerance(a, s, atol, rtol):
    """The size below which singular values count as zero."""
    if rtol is None:
        default = rl.finfo(s.dtype).eps * max(a.shape[-2:])
        given = atol if isinstance(atol, rl.Tensor) else rl.tensor(0.0 if atol is None else atol)
        rtol = rl.where(given > 0, 0.0, default).to(s.dtype)
    atol = 0.0 if atol is None else atol
    if not s.size(-1):
        return s
    largest = s.amax(-1)
    return rl.maximum((largest * rtol), largest * 0 + atol).unsqueeze(-1)


@op(
    "matrix_rank(Tensor self, *, any atol=None, any rtol=None, bool hermitian=False) -> Tensor",
    at="linalg",
    differentiable=False,
)
def matrix_rank(A, atol=None, rtol=None, hermitian=False):
    """The number of singular values above max(atol, rtol * the largest).

    Example::

        >>> rl.linalg.matrix_rank(rl.eye(3))
        tensor(3)
    """
    s = eigvalsh(A).abs() if hermitian else svdvals(A)
    return (s > _tolerance(A, s, atol, rtol)).sum(-1)


@op(
    "matrix_rank.tol(Tensor self, any tol, bool hermitian=False) -> Tensor",
    at="linalg",
    differentiable=False,
)
def _rank_above(self, tol, hermitian=False):
    """The number of singular values above ``tol``, as in earlier versions.

    Example::

        >>> rl.linalg.matrix_rank(rl.tensor([[2., 0.], [0., 1e-3]]), 0.1)
        tensor(1)
    """
    return matrix_rank(self, atol=tol, rtol=0.0, hermitian=hermitian)


@_rank_above.samples
def _(make):
    yield make(2, 4, 3), 0.5


# ---- inverses


@op(
    "pinv(Tensor self, *, any atol=None, any rtol=None, bool hermitian=False) -> Tensor",
    at="linalg",
)
def pinv(A, atol=None, rtol=None, hermitian=False):
    """The Moore-Penrose inverse of (*, m, n) matrices; small singular values count as zero.

    Example::

        >>> rl.linalg.pinv(rl.tensor([[2., 0.], [0., 4.]])).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
    """
    _check_matrix("linalg.pinv", A, square=False)
    if A.numel() == 0:
        return A.mT.clone()
    if hermitian:
        values, u = _linalg["eigh"](A)
        size, right = values.abs(), _h(u)
    else:
        u, values, vh = _svd_of(A, False, True, "linalg.svd")
        size, u, right = values, _h(vh), _h(u)
    keep = size > _tolerance(A, size.detach(), atol, rtol)
    inverse = rl.where(keep, 1 / values.masked_fill(~keep, 1), 0)
    return (u * inverse.unsqueeze(-2)) @ right


@pinv.vjp_all
def _(g, needs, self, result):
    """Source: Golub and Pereyra, The differentiation of pseudo-inverses, 1973."""
    A, p, ph, gh = self, result, _h(result), _h(g)
    if A.size(-2) <= A.size(-1):
        inner = gh @ p
        outer = inner @ ph
        slope = outer - _h(p @ inner) - (A @ p) @ outer + (ph @ p) @ (gh - inner @ A)
    else:
        inner = p @ gh
        outer = ph @ inner
        slope = outer - _h(inner @ p) - (outer @ p) @ A + (gh - A @ inner) @ p @ ph
    return slope, None, None, None


@op("pinv.rcond(Tensor self, any rcond, bool hermitian=False) -> Tensor", at="linalg")
def _pinv_rcond(self, rcond, hermitian=False):
    """The Moore-Penrose inverse with a relative tolerance, as in earlier versions.

    Example::

        >>> rl.linalg.pinv(rl.tensor([[2., 0.], [0., 1e-3]]), 0.1).tolist()
        [[0.5, 0.0], [0.0, 0.0]]
    """
    return pinv(self, rtol=rcond, hermitian=hermitian)


@_pinv_rcond.samples
def _(make):
    yield make(4, 3), 1e-6


@op("pinverse(Tensor self, float rcond=1e-15) -> Tensor")
def _(self, rcond=1e-15):
    """`torch.linalg.pinv` with a relative tolerance.

    Example::

        >>> rl.pinverse(rl.tensor([[2., 0.], [0., 4.]])).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
    """
    return pinv(self, rtol=rcond)


# ---- products


@op("matrix_power(Tensor self, int n) -> Tensor", at=("torch", "Tensor", "linalg"), out="exact")
def matrix_power(self, n):
    """The n-th power of square matrices; of the inverse for negative n.

    Example:
        >>> rl.linalg.matrix_power(rl.tensor([[1., 1.], [0., 1.]]), 3)
        tensor([[1., 3.],
                [0., 1.]])
    """
    _check_matrix("linalg.matrix_power", self)
    if n == 0:
        one = rl.eye(self.size(-1), dtype=self.dtype)
        return rl.where(rl.tensor(True), one, self)  # of gradient zero, but in the graph
    base, result, n = (_linalg["inv"](self) if n < 0 else self), None, abs(n)
    while n:
        if n & 1:
            result = base if result is None else result @ base
        n >>= 1
        base = base @ base if n else base
    return result.clone() if result is self else result


@op(
    "matrix_exp(Tensor self) -> Tensor",
    at=("torch", "Tensor", "linalg"),
    grad_name="LinalgMatrixExpBackward0",
)
def matrix_exp(self):
    """The exponential of square matrices (*, n, n): a Taylor polynomial, of degree 16 at
    most, of the matrix over a power of two, squared as often.

    Source: Al-Mohy and Higham, Computing the action of the matrix exponential, 2011 (the bounds).

    Example:
        >>> rl.linalg.matrix_exp(rl.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    _check_matrix("linalg.matrix_exp", widen(self))
    if is_narrow(self):
        return matrix_exp(self.float()).to(self.dtype)
    if not self.numel() or self.device.type == "meta":
        return self.clone()
    block, blocks, times = _polynomial(self)
    count = unwrapped(times)
    most = int(count.max())
    scaled = self * (0.5**times)[..., None, None].to(self.dtype) if most else self
    power = _taylor(scaled, block, blocks)
    for i in range(most):
        squared = power @ power
        again = (times > i)[..., None, None]
        power = squared if count.dim() == 0 else rl.where(again, squared, power)
    return power


# Taylor polynomials of degree block * (blocks + 1), block + blocks - 1 products, and the largest
# 1-norms for which they are exact to rounding, in double and in single precision (Al-Mohy and
# Higham 2011, table 3.1).
_POLYNOMIALS = [
    (2, 0, 2.58e-8, 5.98e-4),
    (2, 1, 3.40e-4, 5.12e-2),
    (3, 1, 9.07e-3, 2.49e-1),
    (3, 2, 8.96e-2, 7.80e-1),
    (4, 2, 3.00e-1, 1.46),
    (4, 3, 7.81e-1, 2.48),
]


def _polynomial(a):
    """The block and blocks for matrices, and how often each must be halved before. Derivatives of
    a short polynomial are exact to less: where they may be wanted, it is the longest.
    """
    column = 2 if a.dtype in (rl.float64, rl.complex128) else 3
    size = a.detach().abs().sum(-2).amax(-1)
    longest = _POLYNOMIALS[-1]
    if not recording(a):
        largest = float(size.max())
        for polynomial in _POLYNOMIALS:
            if largest <= polynomial[column]:
                return *polynomial[:2], rl.zeros_like(size)
    times = (size / longest[column]).log2().ceil().clamp(min=0)
    return *longest[:2], rl.where(size.isfinite(), times, 0).to(size.dtype)


def _taylor(a, block, blocks):
    powers = [rl.eye(a.size(-1), dtype=a.dtype), a]
    while len(powers) <= block:
        powers.append(powers[len(powers) // 2] @ powers[(len(powers) + 1) // 2])
    total = None
    for first in range(blocks * block, -1, -block):
        # The last power of one block is the first of the next.
        terms = powers if total is None else powers[:-1]
        part = sum(p * (1 / math.factorial(first + i)) for i, p in enumerate(terms))
        total = part if total is None else part + powers[-1] @ total
    return total


@op("vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor", at="linalg", out="exact")
def vecdot(x, y, dim=-1):
    """The inner products of vectors along ``dim``; x is conjugated.

    Example::

        >>> rl.linalg.vecdot(rl.tensor([1., 2.]), rl.tensor([3., 4.]))
        tensor(11.)
    """
    if x.dtype != y.dtype:
        raise RuntimeError(
            f"linalg.vecdot: expected x and y to have the same dtype, got {x.dtype} and {y.dtype}"
        )
    return ((x.conj() if x.is_complex() else x) * y).sum(dim)


@op(
    "diagonal.linalg(Tensor A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    at="linalg",
    out=False,
)
def _(A, offset=0, dim1=-2, dim2=-1):
    """`torch.diagonal` of the last two dimensions.

    Example::

        >>> rl.linalg.diagonal(rl.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
    """
    return rl.diagonal(A, offset, dim1, dim2)


# ---- tensors as matrices


@op("tensorinv(Tensor self, int ind=2) -> Tensor", at="linalg")
def _(self, ind=2):
    """The inverse of a tensor as a map from its last dimensions to its first ``ind``.

    Example::

        >>> rl.linalg.tensorinv(rl.eye(4).reshape(2, 2, 4)).shape
        torch.Size([4, 2, 2])
    """
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    if self.dim() < 1:
        raise RuntimeError("linalg.tensorinv: expected a tensor of at least 1 dimension")
    head, tail = self.shape[:ind], self.shape[ind:]
    square = self.reshape(math.prod(head), math.prod(tail))
    return _linalg["inv"](square).reshape(*tail, *head)


@op("tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor", at="linalg")
def _(self, other, dims=None):
    """X with ``tensordot(self, X, X.ndim) = other``; ``dims`` of self are moved to the end "
    "first.

    Example::

        >>> rl.linalg.tensorsolve(rl.eye(2).reshape(2, 1, 2), rl.tensor([[3.], [4.]]))
        tensor([3., 4.])
    """
    a = (
        self
        if dims is None
        else self.movedim(list(dims), list(range(self.dim() - len(dims), self.dim())))
    )
    unknown = a.shape[other.dim() :]
    square = a.reshape(other.numel(), math.prod(unknown))
    return _linalg["solve"](square, other.reshape(-1)).reshape(unknown)


@op("vander(Tensor x, *, int? N=None) -> Tensor", at="linalg", out=False)
def vander(x, N=None):
    """The powers 0 to N - 1 (as many as elements) of the elements of (*, n), in a last
    dimension.

    Example::

        >>> rl.linalg.vander(rl.tensor([1, 2, 3]))
        tensor([[1, 1, 1],
                [1, 2, 4],
                [1, 3, 9]])
    """
    count = rl.atleast_1d(x).size(-1) if N is None else N
    if count <= 0 and N is not None:
        raise RuntimeError("N must be greater than 1.")
    x = rl.atleast_1d(x.to(rl.int64) if x.dtype == rl.bool else x)
    ones = rl.ones_like(x).unsqueeze(-1)
    factors = x.unsqueeze(-1).expand(*x.shape, count - 1)
    return rl.cat((ones, factors.cumprod(-1)), -1)


@op("vander.torch(Tensor x, int? N=None, bool increasing=False) -> Tensor", at="torch", out=False)
def _(x, N=None, increasing=False):
    """`torch.linalg.vander` of a vector, the highest power first unless ``increasing``.

    Example::

        >>> rl.vander(rl.tensor([1, 2, 3]))
        tensor([[1, 1, 1],
                [4, 2, 1],
                [9, 3, 1]])
    """
    if x.dim() != 1:
        raise RuntimeError(f"vander: expected a vector, got a tensor of {x.dim()} dimensions")
    if N == 0:
        return x.new_empty((x.size(0), 0))
    powers = vander(x, N=N)
    return powers if increasing else powers.flip(-1)
