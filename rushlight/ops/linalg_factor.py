"""Records of factorisations: Cholesky, QR, eigenvalues, singular values. (LU is in lu.py.)

Internal ops are the kernels of csrc/kernels/lapack_*.cpp, with gradients; public ones check their
arguments. Derivatives of vectors that are only defined up to a phase follow Giles, Collected matrix
derivative results for forward and reverse mode AD, 2008. To add one: an internal record with a
rule,
a public record with a body.
"""

import rushlight as rl
from rushlight.ops._decisions import every, recording
from rushlight.ops._record import op
from rushlight.ops.linalg import _check_matrix, _h, _real


def _lower_half(a):
    """The lower triangle with half of the diagonal."""
    return a.tril() - rl.diag_embed(a.diagonal(dim1=-2, dim2=-1)) * 0.5


def _columns(v):
    return v.unsqueeze(-2)


def _diagonal(a):
    return a.diagonal(dim1=-2, dim2=-1)


def _off_diagonal(a, divisor):
    """a / divisor, with zeros on the diagonal."""
    one = rl.eye(a.size(-1), dtype=rl.bool)
    return (a / divisor.masked_fill(one, 1)).masked_fill(one, 0)


def _check_phase(name, phase):
    """A loss must not depend on the phases that complex vectors are free to have."""
    if phase.numel() and not every(phase.detach().abs() <= 1e-2):
        raise RuntimeError(
            f"{name}_backward: complex vectors are determined up to a factor of modulus 1 "
            f"each, and "
            "this loss depends on those factors, so its gradient is ill-defined"
        )


# ---- Cholesky


@op(
    "cholesky_factor(Tensor A, bool upper, str check) -> (Tensor L, Tensor info)",
    at="internal",
    out=False,
    grad_name="LinalgCholeskyExBackward0",
)
def _cholesky(A, upper, check):
    """The Cholesky factor and its error code (internal; see `cholesky`)."""
    ...


@_cholesky.vjp_all
def _(given, needs, L, upper):
    g = given[0]
    if g is None:
        return None, None, None
    lower, g = (_h(L), _h(g)) if upper else (L, g)
    inner = _lower_half(_h(lower) @ g)
    inner = (inner + _h(inner)) * 0.5
    solve = rl.linalg.solve_triangular
    half = solve(_h(lower), inner, upper=True)
    return solve(lower, half, upper=False, left=False), None, None


@op("cholesky(Tensor self, *, bool upper=False) -> Tensor", at="linalg", out="exact")
def cholesky(self, upper=False):
    """L, lower triangular, with L L^H = self, for positive definite (*, n, n); ``upper``: L^H.

    Only one triangle is read. Raises LinAlgError if a matrix is not positive definite.

    Example:
        >>> rl.linalg.cholesky(rl.tensor([[4., 2.], [2., 2.]]))
        tensor([[2., 0.],
                [1., 1.]])
    """
    _check_matrix("linalg.cholesky", self)
    return _cholesky(self, upper, "linalg.cholesky")[0]


@op("cholesky.old(Tensor self, bool upper=False) -> Tensor", grad_name=True)
def _(self, upper=False):
    """Another name of `torch.linalg.cholesky`.

    Example::

        >>> rl.cholesky(rl.tensor([[4., 0.], [0., 9.]]))
        tensor([[2., 0.],
                [0., 3.]])
    """
    _check_matrix("cholesky", self)
    return _cholesky(self, upper, "cholesky")[0]


@op(
    "cholesky_ex(Tensor self, *, bool upper=False, bool check_errors=False) -> (Tensor L, "
    "Tensor info)",
    at="linalg",
    out="exact",
)
def _(self, upper=False, check_errors=False):
    """`cholesky` with an error code for each matrix: the order of the first leading minor that is
    not positive definite, or 0. The factor of such a matrix is unfinished; with ``check_errors``
    it raises LinAlgError.

    Example::

        >>> rl.linalg.cholesky_ex(rl.tensor([[4., 0.], [0., 9.]])).L
        tensor([[2., 0.],
                [0., 3.]])
    """
    _check_matrix("linalg.cholesky", self)
    return tuple(_cholesky(self, upper, "linalg.cholesky_ex" if check_errors else ""))


# ---- QR


@op(
    "qr_factors(Tensor A, str mode) -> (Tensor Q, Tensor R)",
    at="internal",
    out=False,
    grad_name="LinalgQrBackward0",
)
def _qr(A, mode):
    """Q and R (internal; see `qr`)."""
    ...


@op("qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)", at="linalg", out="exact")
def qr(A, mode="reduced"):
    """A = Q R with orthonormal columns of Q and upper triangular R; A (*, m, n).

    ``mode``: "reduced", "complete" (square Q) or "r" (Q empty, no gradient).

    Example::

        >>> rl.linalg.qr(rl.ones(3, 2)).R.shape
        torch.Size([2, 2])
    """
    _check_matrix("linalg.qr", A, square=False)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    return tuple(_qr(A, mode))


@op(
    "qr.torch(Tensor self, bool some=True) -> (Tensor Q, Tensor R)",
    at=("torch", "Tensor"),
    out="exact",
)
def _(self, some=True):
    """`torch.linalg.qr`, reduced if ``some``, else complete.

    Example::

        >>> rl.qr(rl.ones(3, 2)).R.shape
        torch.Size([2, 2])
    """
    return tuple(qr(self, "reduced" if some else "complete"))


@_qr.vjp_all
def _(given, needs, A_meta, Q, R, mode):
    m, n = A_meta.shape[-2:]
    if mode == "r" or (mode == "complete" and m > n):
        raise RuntimeError(
            f"linalg_qr_backward: The QR decomposition is not differentiable when mode='{mode}'"
            + ("" if mode == "r" else " and nrows > ncols")
        )
    g_q = rl.zeros_like(Q) if given[0] is None else given[0]
    g_r = rl.zeros_like(R) if given[1] is None else given[1]
    if m >= n:
        return _qr_pullback(Q, R, g_q, g_r), None
    head, rest, g_head, g_rest = R[..., :m], R[..., m:], g_r[..., :m], g_r[..., m:]
    g_q = g_q + Q @ (rest @ _h(g_rest))  # A = [X Y]: X = Q head, and Y = Q rest pulls on Q too
    return rl.cat((_qr_pullback(Q, head, g_q, g_head), Q @ g_rest), -1), None


def _qr_pullback(q, r, g_q, g_r):
    inner = r @ _h(g_r) - _h(g_q) @ q
    strict = inner.tril(-1)
    whole = strict + _h(strict) + rl.diag_embed(_real(_diagonal(inner))).to(q.dtype)
    return rl.linalg.solve_triangular(_h(r), g_q + q @ whole, upper=False, left=False)


# ---- eigenvalues


@op(
    "hermitian_eig(Tensor A, bool upper, bool vectors, str check)"
    " -> (Tensor eigenvalues, Tensor eigenvectors)",
    at="internal",
    out=False,
    grad_name="LinalgEighBackward0",
)
def _hermitian_eig(A, upper, vectors, check):
    """Eigenvalues and, if wanted, eigenvectors of Hermitian matrices (internal; see `eigh`)."""
    ...


@_hermitian_eig.vjp_all
def _(given, needs, eigenvalues, eigenvectors):
    g_values, g_vectors = given
    v = eigenvectors
    if g_values is None and g_vectors is None:
        return None, None, None, None
    if g_vectors is None:
        return (v * _columns(g_values)) @ _h(v), None, None, None
    pull = _h(v) @ g_vectors
    if v.is_complex():
        _check_phase("linalg_eigh", _diagonal(pull).imag)
    inner = _off_diagonal(pull, _columns(eigenvalues) - eigenvalues.unsqueeze(-1))
    if g_values is not None:
        inner = inner + rl.diag_embed(g_values).to(v.dtype)
    return v @ inner @ _h(v), None, None, None


def _is_upper(UPLO):
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper() == "U"


@op(
    "eigh(Tensor self, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)",
    at="linalg",
    out="exact",
)
def eigh(self, UPLO="L"):
    """Eigenvalues (ascending, real) and eigenvectors (columns) of Hermitian matrices (*, n, n).

    Reads the triangle ``UPLO``, "L" or "U". The gradient needs distinct eigenvalues. Raises
    LinAlgError if the algorithm does not converge.

    Example::

        >>> rl.linalg.eigh(rl.tensor([[2., 0.], [0., 1.]])).eigenvalues
        tensor([1., 2.])
    """
    _check_matrix("linalg.eigh", self)
    return tuple(_hermitian_eig(self, _is_upper(UPLO), True, "linalg.eigh"))


@op("eigvalsh(Tensor self, str UPLO='L') -> Tensor", at="linalg", out="exact")
def eigvalsh(self, UPLO="L"):
    """The eigenvalues of Hermitian matrices (*, n, n), ascending.

    Example::

        >>> rl.linalg.eigvalsh(rl.tensor([[2., 0.], [0., 1.]]))
        tensor([1., 2.])
    """
    _check_matrix("linalg.eigh", self)
    wanted = recording(self)  # the gradient needs the vectors
    return _hermitian_eig(self, _is_upper(UPLO), wanted, "linalg.eigh")[0]


@op(
    "general_eig(Tensor A, bool vectors, str check) -> (Tensor eigenvalues, Tensor eigenvectors)",
    at="internal",
    out=False,
    grad_name="LinalgEigBackward0",
)
def _general_eig(A, vectors, check):
    """Eigenvalues and, if wanted, eigenvectors (internal; see `eig`)."""
    ...


@_general_eig.vjp_all
def _(given, needs, A_meta, eigenvalues, eigenvectors):
    g_values, g_vectors = given
    v = eigenvectors
    if g_values is None and g_vectors is None:
        return None, None, None
    inner = rl.zeros_like(v) if g_values is None else rl.diag_embed(g_values)
    if g_vectors is not None:
        pull = _h(v) @ g_vectors
        _check_phase("linalg_eig", _diagonal(pull).imag)
        pull = pull - (_h(v) @ v) * _columns(_diagonal(pull).real)
        gap = (_columns(eigenvalues) - eigenvalues.unsqueeze(-1)).conj()
        inner = inner + _off_diagonal(pull, gap)
    made = rl.linalg.solve_ex(_h(v), inner @ _h(v)).result
    return (made if A_meta.dtype.is_complex else made.real), None, None


def _checked_eig(self, vectors):
    _check_matrix("linalg.eig", self)
    if self.device.type != "meta" and not every(self.detach().isfinite()):
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    return _general_eig(self, vectors, "linalg.eig")


@op("eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)", at="linalg")
def eig(self):
    """Complex eigenvalues and eigenvectors (columns) of square matrices (*, n, n).

    Example::

        >>> rl.linalg.eig(rl.tensor([[2., 0.], [0., 1.]])).eigenvalues
        tensor([2.+0.j, 1.+0.j])
    """
    return tuple(_checked_eig(self, True))


@op("eigvals(Tensor self) -> Tensor", at="linalg")
def eigvals(self):
    """The eigenvalues of square matrices (*, n, n), complex, in no particular order.

    Example::

        >>> rl.linalg.eigvals(rl.tensor([[2., 0.], [0., 1.]]))
        tensor([2.+0.j, 1.+0.j])
    """
    return _checked_eig(self, recording(self))[0]


# ---- singular values


@op(
    "svd_factors(Tensor A, bool full, bool vectors, str check) -> (Tensor U, Tensor S, Tensor Vh)",
    at="internal",
    out=False,
    grad_name="LinalgSvdBackward0",
)
def _svd(A, full, vectors, check):
    """Singular values and, if wanted, vectors (internal; see `svd`)."""
    ...


@op(
    "svd_by_qr(Tensor A, str check) -> (Tensor U, Tensor S, Tensor Vh)",
    at="internal",
    out=False,
    grad_name="LinalgSvdBackward0",
)
def _svd_by_qr(A, check):
    """The reduced decomposition of a real matrix with many more rows than columns, or the other way
    round, by way of a square one (internal; see `svd`).
    """
    if A.size(-2) < A.size(-1):
        Q, R = _qr(A.mT, "reduced")
        U, S, Vh = _svd(R.mT, False, True, check)
        return U, S, Vh @ Q.mT
    Q, R = _qr(A, "reduced")
    U, S, Vh = _svd(R, False, True, check)
    return Q @ U, S, Vh


def _svd_of(A, full, vectors, check):
    """Takes the steps of LAPACK's gesdd, so that the signs of vectors are the same, but makes long
    matrices square by the faster QR factorisation.
    """
    least, most = sorted(A.shape[-2:])
    if full or not vectors or A.is_complex() or not least or most < least * 11 // 6:
        return _svd(A, full, vectors, check)
    return _svd_by_qr(A, check)


@_svd.vjp_all
def _(given, needs, U, S, Vh):
    return *_svd_gradient(given, U, S, Vh), None, None, None


@_svd_by_qr.vjp_all
def _(given, needs, U, S, Vh):
    return *_svd_gradient(given, U, S, Vh), None


def _svd_gradient(given, U, S, Vh):
    g_u, g_s, g_vh = given
    if g_u is None and g_s is None and g_vh is None:
        return (None,)
    k = S.size(-1)  # vectors beyond the first k are arbitrary: nothing flows through them
    U, Vh = U[..., :k], Vh[..., :k, :]
    if g_u is None and g_vh is None:
        return ((U * _columns(g_s)) @ Vh,)
    g_u = None if g_u is None else g_u[..., :k]
    g_vh = None if g_vh is None else g_vh[..., :k, :]
    return (_svd_pullback(g_u, g_s, g_vh, U, S, Vh),)


def _svd_pullback(g_u, g_s, g_vh, U, S, Vh):
    left = None if g_u is None else _h(U) @ g_u
    right = None if g_vh is None else Vh @ _h(g_vh)
    inner = 0 if g_s is None else rl.diag_embed(g_s).to(U.dtype)
    gap = (_columns(S) - S.unsqueeze(-1)) * (_columns(S) + S.unsqueeze(-1))
    if left is not None:
        inner = inner + _off_diagonal(left - _h(left), gap) * _columns(S)
    if right is not None:
        inner = inner + S.unsqueeze(-1) * _off_diagonal(right - _h(right), gap)
    if U.is_complex():
        turns = [_diagonal(x).imag for x in (left, right) if x is not None]
        _check_phase("svd", sum(turns))
        if left is not None:
            turn = turns[0] / S
            inner = inner + rl.diag_embed(rl.complex(rl.zeros_like(turn), turn))
    made = U @ inner @ Vh
    if g_u is not None and U.size(-2) > S.size(-1):
        made = made + ((g_u - U @ left) / _columns(S)) @ Vh
    if g_vh is not None and Vh.size(-1) > S.size(-1):
        made = made + (U / _columns(S)) @ (g_vh - _h(right) @ Vh)
    return made


def _check_driver(name, driver):
    if driver is not None:
        raise RuntimeError(
            f"torch.linalg.{name}: keyword argument `driver=` is only supported on CUDA inputs"
        )


@op(
    "svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, "
    "Tensor Vh)",
    at="linalg",
    out="exact",
)
def svd(A, full_matrices=True, driver=None):
    """A = U diag(S) Vh with S descending; A (*, m, n). ``full_matrices``: square U and Vh.

    The gradient needs distinct singular values and uses only the first min(m, n) vectors. Raises
    LinAlgError if the algorithm does not converge.

    Example::

        >>> rl.linalg.svd(rl.tensor([[3., 0.], [0., 4.]])).S
        tensor([4., 3.])
    """
    _check_matrix("linalg.svd", A, square=False)
    _check_driver("svd", driver)
    return tuple(_svd_of(A, full_matrices, True, "linalg.svd"))


@op("svdvals(Tensor A, *, str? driver=None) -> Tensor", at="linalg", out="exact")
def svdvals(A, driver=None):
    """The singular values of (*, m, n) matrices, descending.

    Example::

        >>> rl.linalg.svdvals(rl.tensor([[3., 0.], [0., 4.]]))
        tensor([4., 3.])
    """
    _check_matrix("linalg.svdvals", A, square=False)
    _check_driver("svdvals", driver)
    wanted = recording(A)  # the gradient needs the vectors
    return _svd_of(A, False, wanted, "linalg.svd")[1]


@op(
    "svd.torch(Tensor self, bool some=True, bool compute_uv=True) -> (Tensor U, Tensor S, "
    "Tensor V)",
    at=("torch", "Tensor"),
    out="exact",
)
def _(self, some=True, compute_uv=True):
    """self = U diag(S) V^H; ``some``: min(m, n) columns. Without ``compute_uv`` U and V are "
    "zeros.

    Example::

        >>> rl.svd(rl.tensor([[3., 0.], [0., 4.]])).S
        tensor([4., 3.])
    """
    _check_matrix("linalg.svd", self, square=False)
    m, n = self.shape[-2:]
    if not compute_uv:
        batch = self.shape[:-2]
        return self.new_zeros((*batch, m, m)), svdvals(self), self.new_zeros((*batch, n, n))
    u, s, vh = _svd_of(self, not some, True, "linalg.svd")
    return u, s, _h(vh)
