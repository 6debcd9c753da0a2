"""Records of linear algebra built from the factorisations of linalg.py: norms, ranks, inverses of
other kinds, least squares, and older names. No kernels, no gradients of their own.
To add one: a record with a composite body.
"""

import rushlight as rl
from rushlight.ops._record import namespaces, op
from rushlight.ops.linalg import _check_matrix, _h, svd as _thin_svd

_linalg = namespaces["linalg"]


# ---- spectra and norms


@op("svdvals(Tensor A, *, str? driver=None) -> Tensor", at="linalg")
def svdvals(A, driver=None):
    """The singular values of (*, m, n) matrices, descending."""
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svdvals: keyword argument `driver=` is only supported on CUDA inputs"
        )
    return _thin_svd(A)[1]


@op("eigvalsh(Tensor self, str UPLO='L') -> Tensor", at="linalg")
def eigvalsh(self, UPLO="L"):
    """The eigenvalues of Hermitian matrices (*, n, n), ascending."""
    return _linalg["eigh"](self, UPLO)[0]


@op("eigvals(Tensor self) -> Tensor", at="linalg")
def eigvals(self):
    """The eigenvalues of square matrices (*, n, n), complex, in no particular order."""
    return _linalg["eig"](self)[0]


@op(
    "matrix_norm(Tensor self, any ord='fro', int[] dim=[-2, -1], bool keepdim=False, *, "
    "dtype? dtype=None) -> Tensor",
    at="linalg",
)
def matrix_norm(self, ord="fro", dim=(-2, -1), keepdim=False, dtype=None):  # noqa: A002
    """The norm of matrices: "fro", "nuc", inf, -inf, 1, -1, 2 or -2 (singular values)."""
    x = self if dtype is None else self.to(dtype)
    if len(dim) != 2 or x.dim() < 2:
        raise RuntimeError(
            f"linalg.matrix_norm: dim must be a 2-tuple of dims of a matrix. Got {tuple(dim)}"
        )
    rows, cols = [d % x.dim() for d in dim]
    if rows == cols:
        raise RuntimeError("linalg.matrix_norm: dims must be different")
    if ord == "fro":
        return rl.linalg.vector_norm(x, 2, (rows, cols), keepdim)
    if ord in ("nuc", 2, -2):
        s = svdvals(x.movedim((rows, cols), (-2, -1)))
        made = s.sum(-1) if ord == "nuc" else s.amax(-1) if ord == 2 else s.amin(-1)
        return made.unsqueeze(min(rows, cols)).unsqueeze(max(rows, cols)) if keepdim else made
    if ord not in (1, -1, float("inf"), float("-inf")):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    summed, left = (rows, cols) if abs(ord) == 1 else (cols, rows)
    sums = x.abs().sum(summed, keepdim=True)
    made = sums.amax(left, keepdim=True) if ord > 0 else sums.amin(left, keepdim=True)
    return made if keepdim else made.squeeze((rows, cols))


@op(
    "norm.linalg(Tensor self, any ord=None, int[1]? dim=None, bool keepdim=False, *, "
    "dtype? dtype=None) -> Tensor",
    at="linalg",
)
def _(self, ord=None, dim=None, keepdim=False, dtype=None):  # noqa: A002
    """The vector norm (one dim, or ``ord`` None) or the matrix norm (two dims) of order ``ord``."""
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
    """The condition number: the norm of order ``p`` (2) times that of the inverse;
    inf if singular.
    """
    if p in (None, 2, -2):
        s = svdvals(self)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return matrix_norm(self, p) * matrix_norm(_linalg["inv"](self), p)


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
    "matrix_rank(Tensor A, *, any atol=None, any rtol=None, bool hermitian=False) -> Tensor",
    at="linalg",
    differentiable=False,
)
def matrix_rank(A, atol=None, rtol=None, hermitian=False):
    """The number of singular values above max(atol, rtol * the largest)."""
    s = eigvalsh(A).abs() if hermitian else svdvals(A)
    return (s > _tolerance(A, s, atol, rtol)).sum(-1)


# ---- inverses


@op("pinv(Tensor A, *, any atol=None, any rtol=None, bool hermitian=False) -> Tensor", at="linalg")
def pinv(A, atol=None, rtol=None, hermitian=False):
    """The Moore-Penrose inverse of (*, m, n) matrices; small singular values count as zero."""
    _check_matrix("pinv", A, square=False)
    if A.numel() == 0:
        return A.mT.clone()
    if hermitian:
        values, u = _linalg["eigh"](A)
        size, right = values.abs(), _h(u)
    else:
        u, values, vh = _thin_svd(A)
        size, u, right = values, _h(vh), _h(u)
    keep = size > _tolerance(A, size.detach(), atol, rtol)
    inverse = rl.where(keep, 1 / values.masked_fill(~keep, 1), 0)
    return (u * inverse.unsqueeze(-2)) @ right


@pinv.vjp_all
def _(g, needs, A, result):
    """Source: Golub and Pereyra, The differentiation of pseudo-inverses, 1973."""
    p, ph, gh = result, _h(result), _h(g)
    if A.size(-2) <= A.size(-1):
        inner = gh @ p
        outer = inner @ ph
        slope = outer - _h(p @ inner) - (A @ p) @ outer + (ph @ p) @ (gh - inner @ A)
    else:
        inner = p @ gh
        outer = ph @ inner
        slope = outer - _h(inner @ p) - (outer @ p) @ A + (gh - A @ inner) @ p @ ph
    return slope, None, None, None


@op("pinverse(Tensor self, float rcond=1e-15) -> Tensor")
def _(self, rcond=1e-15):
    """`torch.linalg.pinv` with a relative tolerance."""
    return pinv(self, rtol=rcond)


def _info(a):
    return rl.zeros(a.shape[:-2], dtype=rl.int32)


@op("inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)", at="linalg")
def _(A, check_errors=False):
    """`inv` with an error code a matrix, 0. A singular matrix raises: LinAlgError with
    ``check_errors``, else NotImplementedError, since its code is not computed.
    """
    return _or_unsupported("inv_ex", check_errors, lambda: _linalg["inv"](A)), _info(A)


def _or_unsupported(name, check_errors, compute):
    """Runs it; without ``check_errors`` a singular matrix ends in NotImplementedError."""
    try:
        return compute()
    except _linalg["LinAlgError"] as error:
        if check_errors:
            raise
        raise NotImplementedError(
            f"{name}: error codes of singular matrices are not supported; pass "
            "check_errors=True to have LinAlgError raised instead"
        ) from error


@op(
    "cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, "
    "Tensor info)",
    at="linalg",
)
def _(self, upper=False, check_errors=False):
    """`cholesky` with an error code a matrix: the order of the first leading minor that is not
    positive definite, or 0. The factor of such a matrix is NaN, unless ``check_errors`` raises.
    """
    try:
        return _linalg["cholesky"](self, upper=upper), _info(self)
    except _linalg["LinAlgError"]:
        if check_errors:
            raise
    info = _bad_minors(_h(self.detach()) if upper else self.detach())
    bad = (info != 0)[..., None, None]
    one = rl.eye(self.size(-1), dtype=self.dtype)
    factor = _linalg["cholesky"](rl.where(bad, one, self), upper=upper)
    return rl.where(bad, float("nan"), factor), info


def _bad_minors(a):
    """The order of the first leading minor that is not positive definite, or 0."""
    info = _info(a)
    for k in range(1, a.size(-1) + 1):
        bad = ~(eigvalsh(a[..., :k, :k]).amin(-1) > 0)
        info = rl.where((info == 0) & bad, k, info).to(rl.int32)
    return info


@op(
    "solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False) -> (Tensor result, "
    "Tensor info)",
    at="linalg",
)
def _(A, B, left=True, check_errors=False):
    """`solve` with an error code a matrix, 0. A singular matrix raises: LinAlgError with
    ``check_errors``, else NotImplementedError, since its code is not computed.
    """
    return _or_unsupported(
        "solve_ex", check_errors, lambda: _linalg["solve"](A, B, left=left)
    ), _info(A)


@op(
    "solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, "
    "bool unitriangular=False) -> Tensor",
    at="linalg",
)
def solve_triangular(self, B, upper, left=True, unitriangular=False):
    """X with A X = B (``left=False``: X A = B), reading one triangle of A (*, n, n)."""
    _check_matrix("solve_triangular", self)
    a = self.triu() if upper else self.tril()
    if unitriangular:
        a = (a.triu(1) if upper else a.tril(-1)) + rl.eye(a.size(-1), dtype=a.dtype)
    if B.dim() < 2:
        raise RuntimeError(
            "linalg.solve_triangular: The input tensor B must have at least 2 dimensions."
        )
    if B.dim() == a.dim() - 1:  # matrices, where `solve` might see vectors
        B = B.unsqueeze(0)
    return _linalg["solve"](a, B, left=left)


@op(
    "triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, "
    "bool unitriangular=False) -> (Tensor solution, Tensor cloned_coefficient)"
)
def _(self, A, upper=True, transpose=False, unitriangular=False):
    """The older form of `torch.linalg.solve_triangular`: also gives a copy of A."""
    a = A.mT if transpose else A
    return solve_triangular(
        a, self, upper=upper != transpose, unitriangular=unitriangular
    ), A.clone()


@op("cholesky_solve(Tensor self, Tensor L, bool upper=False) -> Tensor")
def cholesky_solve(self, L, upper=False):
    """X with A X = self, from the Cholesky factor L of A."""
    if upper:
        return solve_triangular(L, solve_triangular(_h(L), self, upper=False), upper=True)
    return solve_triangular(_h(L), solve_triangular(L, self, upper=False), upper=True)


@op("cholesky_inverse(Tensor self, bool upper=False) -> Tensor")
def cholesky_inverse(self, upper=False):
    """The inverse of a matrix from its Cholesky factor."""
    return cholesky_solve(rl.eye(self.size(-1), dtype=self.dtype).expand(self.shape), self, upper)


@op(
    "lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None)"
    " -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    at="linalg",
)
def lstsq(self, b, rcond=None, driver=None):
    """X with the least |self X - b| (and the least |X|), for (*, m, n) and (*, m, k).

    ``residuals`` are given for m > n and full rank; ``rank`` and ``singular_values`` if the
    ``driver`` ("gelsy", "gelsd", "gelss", "gels") finds them. All go through `pinv` here.
    """
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    vector = b.dim() == self.dim() - 1
    right = b.unsqueeze(-1) if vector else b
    solution = pinv(self, rtol=rcond) @ right
    m, n = self.shape[-2:]
    rank = matrix_rank(self, rtol=rcond)
    residuals = (self.real if self.is_complex() else self).reshape(-1)[:0]
    if m > n and driver != "gelsy" and bool((rank == n).all()):
        residuals = (self @ solution - right).abs().square().sum(-2)
    rank = rank if driver != "gels" else rank.new_empty(0)
    singular = (
        svdvals(self) if driver in ("gelsd", "gelss") else rank.new_empty(0, dtype=residuals.dtype)
    )
    return solution.squeeze(-1) if vector else solution, residuals, rank, singular


# ---- products


@op("matrix_power(Tensor self, int n) -> Tensor", at=("torch", "Tensor", "linalg"))
def matrix_power(self, n):
    """The n-th power of square matrices; of the inverse for negative n.

    Example:
        >>> rl.linalg.matrix_power(rl.tensor([[1., 1.], [0., 1.]]), 3)
        tensor([[1., 3.],
                [0., 1.]])
    """
    _check_matrix("matrix_power", self)
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


@op("vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor", at="linalg")
def vecdot(x, y, dim=-1):
    """The inner products of vectors along ``dim``; x is conjugated."""
    return ((x.conj() if x.is_complex() else x) * y).sum(dim)


@op(
    "diagonal(Tensor A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor",
    at="linalg",
    out=False,
)
def _(A, offset=0, dim1=-2, dim2=-1):
    """`torch.diagonal` of the last two dimensions."""
    return rl.diagonal(A, offset, dim1, dim2)


@op("multi_dot(Tensor[] tensors) -> Tensor", at="linalg")
def multi_dot(tensors):
    """The product of matrices (the first and last may be vectors), from left to right."""
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    product = tensors[0]
    for factor in tensors[1:]:
        product = product @ factor
    return product


@op("tensorinv(Tensor self, int ind=2) -> Tensor", at="linalg")
def _(self, ind=2):
    """The inverse of a tensor as a map from its last dimensions to its first ``ind``."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    head, tail = self.shape[:ind], self.shape[ind:]
    rows = 1
    for size in head:
        rows *= size
    return _linalg["inv"](self.reshape(rows, -1)).reshape(*tail, *head)


@op("tensorsolve(Tensor self, Tensor other, int[]? dims=None) -> Tensor", at="linalg")
def _(self, other, dims=None):
    """X with ``tensordot(self, X, X.ndim) = other``;
    ``dims`` of self are moved to the end first.
    """
    a = (
        self
        if dims is None
        else self.movedim(list(dims), list(range(self.dim() - len(dims), self.dim())))
    )
    return _linalg["solve"](a.reshape(other.numel(), -1), other.reshape(-1)).reshape(
        a.shape[other.dim() :]
    )


@op("vander(Tensor x, *, int? N=None) -> Tensor", at="linalg", out=False)
def vander(x, N=None):
    """The powers 0 to N - 1 (as many as elements) of the elements of (*, n),
    in a last dimension.
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
    """`torch.linalg.vander` of a vector, the highest power first unless ``increasing``."""
    if x.dim() != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    if N == 0:
        return x.new_empty((x.size(0), 0))
    powers = vander(x, N=N)
    return powers if increasing else powers.flip(-1)


# ---- older names


@op(
    "svd.torch(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, "
    "Tensor V)",
    at=("torch", "Tensor"),
)
def _(self, some=True, compute_uv=True):
    """self = U diag(S) V^H; ``some``: min(m, n) columns. Without ``compute_uv`` U and V are
    zeros.
    """
    m, n = self.shape[-2:]
    if not compute_uv:
        batch = self.shape[:-2]
        return self.new_zeros((*batch, m, m)), svdvals(self), self.new_zeros((*batch, n, n))
    u, s, vh = _linalg["svd"](self, full_matrices=not some)
    return u, s, _h(vh)


@op("qr.torch(Tensor self, bool some=True) -> (Tensor Q, Tensor R)", at=("torch", "Tensor"))
def _(self, some=True):
    """`torch.linalg.qr`, reduced if ``some``, else complete."""
    return _linalg["qr"](self, "reduced" if some else "complete")
