"""Records of linear algebra over batches of matrices: solving, determinants, factorisations.

The factorisations run in NumPy's LAPACK (OpenBLAS), imported on first use, and have gradients of
their own; norms and what is built from factorisations are in linalg_derived.py. Products are in
matmul.py. To add one: a record here; `_lapack` calls NumPy and names its errors.
"""

import rushlight as rl
from rushlight.ops._record import namespaces, op


class LinAlgError(RuntimeError):
    """A factorisation failed: the matrix is singular, or not positive definite,
    or did not converge.
    """


LinAlgError.__module__ = "torch.linalg"
namespaces.setdefault("linalg", {})["LinAlgError"] = LinAlgError


def _lapack(name, failure, *tensors, **options):
    """`numpy.linalg.name` of the tensors' data, as tensors."""
    import numpy

    arrays = [t.detach().numpy() if isinstance(t, rl.Tensor) else t for t in tensors]
    try:
        made = getattr(numpy.linalg, name)(*arrays, **options)
    except numpy.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg.{name}: {failure} ({error})") from None
    if isinstance(made, tuple):
        return tuple([rl.from_numpy(numpy.array(a, order="C")) for a in made])
    return rl.from_numpy(numpy.array(made, order="C"))


def _check_matrix(name, a, square=True):
    if a.dim() < 2:
        raise RuntimeError(f"linalg.{name}: The input tensor A must have at least 2 dimensions.")
    if square and a.size(-1) != a.size(-2):
        raise RuntimeError(
            f"linalg.{name}: A must be batches of square matrices, but they are "
            f"{a.size(-2)} by {a.size(-1)} matrices"
        )
    if not (a.is_floating_point() or a.is_complex()) or a.dtype in (rl.float16, rl.bfloat16):
        raise RuntimeError(
            f"linalg.{name}: Expected a floating point or complex tensor as input. Got {a.dtype}"
        )


def _h(a):
    """The conjugate transpose."""
    return a.mT.conj() if a.is_complex() else a.mT


def _lower_half(a):
    """The lower triangle with half of the diagonal."""
    return a.tril() - rl.diag_embed(a.diagonal(dim1=-2, dim2=-1)) * 0.5


def _columns(v):
    return v.unsqueeze(-2)


# ---- solving


@op("inv(Tensor A) -> Tensor", at="linalg")
def inv(A):
    """The inverse of square matrices (*, n, n). Raises LinAlgError if one is singular.

    Example:
        >>> rl.linalg.inv(rl.tensor([[2., 0.], [0., 4.]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    _check_matrix("inv", A)
    return _lapack(
        "inv",
        "The diagonal element is zero, the inversion could not be completed because the "
        "input matrix is singular.",
        A,
    )


inv.vjp(A=lambda g, result: -(_h(result) @ g @ _h(result)))


@op("inverse(Tensor self) -> Tensor")
def _(self):
    """Another name of `torch.linalg.inv`."""
    return inv(self)


@op("solve_matrix(Tensor A, Tensor B) -> Tensor", at="internal", out=False)
def _solve(A, B):
    """X with A X = B, for matrices of equal batch dimensions (internal; see `solve`)."""
    return _lapack("solve", "The solver failed because the input matrix is singular.", A, B)


_solve.vjp(A=lambda g, A, result: -(_solve(_h(A), g) @ _h(result)), B=lambda g, A: _solve(_h(A), g))


@op("solve(Tensor A, Tensor B, *, bool left=True) -> Tensor", at="linalg")
def solve(A, B, left=True):
    """X with A X = B (``left=False``: X A = B), A (*, n, n), B (*, n, k) or vectors (*, n).

    Raises LinAlgError if a matrix is singular.

    Example:
        >>> rl.linalg.solve(rl.tensor([[2., 0.], [0., 4.]]), rl.tensor([2., 2.]))
        tensor([1.0000, 0.5000])
    """
    _check_matrix("solve", A)
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"linalg.solve: Expected A and B to have the same dtype, but found A of type {A.dtype} "
            f"and B of type {B.dtype} instead"
        )
    vector = B.dim() == 1 or (B.dim() == A.dim() - 1 and B.shape == A.shape[:-1])
    right = B.unsqueeze(-1) if vector else B
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for "
            "left=False"
        )
    if right.size(-2 if left else -1) != A.size(-1):
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation AX = B: "
            f"{list(A.shape)} and {list(B.shape)}"
        )
    if not left:
        return solve(A.mT, right.mT).mT
    batch = rl.broadcast_shapes(A.shape[:-2], right.shape[:-2])
    made = _solve(A.expand(*batch, *A.shape[-2:]), right.expand(*batch, *right.shape[-2:]))
    return made.squeeze(-1) if vector else made


# ---- determinants


@op("det(Tensor A) -> Tensor", at=("linalg", "torch", "Tensor"))
def det(A):
    """The determinants of square matrices (*, n, n)."""
    _check_matrix("det", A)
    return _lapack("det", "failed", A)


@det.vjp_all
def _(g, needs, A, result):
    factor = (g * (result.conj() if result.is_complex() else result))[..., None, None]
    if bool((result.detach() != 0).all()):
        return (factor * _h(inv(A)),)
    return (g[..., None, None] * _cofactors(A),)


def _cofactors(a):
    """The derivative of det at singular matrices: from products of all singular values but one."""
    u, s, vh = svd(a)
    n = s.size(-1)
    one = rl.eye(n, dtype=s.dtype)
    products = (s.unsqueeze(-2) * (1 - one) + one).prod(-1)
    sign = det(u) * det(vh)
    sign = sign.conj() if sign.is_complex() else sign
    return sign[..., None, None] * ((u * _columns(products)) @ vh)


@op("slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)", at=("linalg", "torch", "Tensor"))
def slogdet(A):
    """The sign (or unit complex number) and the log of the modulus of determinants (*, n, n)."""
    _check_matrix("slogdet", A)
    return _lapack("slogdet", "failed", A)


@slogdet.vjp_all
def _(grads, needs, A, sign):
    g_sign, g_log = grads
    if g_log is None:
        g_log = rl.zeros_like(sign.real if sign.is_complex() else sign)
    if sign.is_complex() and g_sign is not None:
        g_log = rl.complex(g_log, -(g_sign.conj() * sign).imag)
    return (g_log[..., None, None] * _h(inv(A)),)


@op("logdet(Tensor self) -> Tensor")
def logdet(self):
    """The logarithm of determinants: NaN for negative ones, -inf for 0."""
    sign, size = slogdet(self)
    return sign.log() + size


# ---- factorisations


@op("cholesky(Tensor self, *, bool upper=False) -> Tensor", at="linalg")
def cholesky(self, upper=False):
    """L, lower triangular, with L L^H = self, for positive definite (*, n, n); ``upper``: L^H.

    Only one triangle is read. Raises LinAlgError if a matrix is not positive definite.
    """
    _check_matrix("cholesky", self)
    lower = _lower_cholesky(_h(self) if upper else self)
    return _h(lower) if upper else lower


@op("cholesky.old(Tensor self, bool upper=False) -> Tensor")
def _(self, upper=False):
    """Another name of `torch.linalg.cholesky`."""
    return cholesky(self, upper=upper)


@op("lower_cholesky(Tensor self) -> Tensor", at="internal", out=False)
def _lower_cholesky(self):
    """The lower Cholesky factor (internal; see `cholesky`)."""
    return _lapack(
        "cholesky",
        "The factorization could not be completed because the input is not positive-definite.",
        self,
    )


@_lower_cholesky.vjp_all
def _(g, needs, result):
    inner = _lower_half(_h(result) @ g)
    inner = (inner + _h(inner)) * 0.5
    inverse = inv(result)
    return (_h(inverse) @ inner @ inverse,)


@op("qr(Tensor A, str mode='reduced') -> (Tensor Q, Tensor R)", at="linalg")
def qr(A, mode="reduced"):
    """A = Q R with orthonormal columns of Q and upper triangular R; A (*, m, n).

    ``mode``: "reduced", "complete" (square Q) or "r" (Q empty, no gradient).
    """
    _check_matrix("qr", A, square=False)
    if mode == "r":
        return A.new_empty(0), _lapack("qr", "failed", A, mode="r")
    if mode not in ("reduced", "complete"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    return _lapack("qr", "failed", A, mode=mode)


@qr.vjp_all
def _(grads, needs, A_meta, Q, R, mode):
    m, n = A_meta.shape[-2:]
    if mode == "r" or (mode == "complete" and m > n):
        raise RuntimeError(
            f"The QR decomposition is not differentiable when mode='{mode}' and nrows > ncols"
        )
    g_q = rl.zeros_like(Q) if grads[0] is None else grads[0]
    g_r = rl.zeros_like(R) if grads[1] is None else grads[1]
    if m >= n:
        return _qr_pullback(Q, R, g_q, g_r), None
    head, rest, g_head, g_rest = R[..., :m], R[..., m:], g_r[..., :m], g_r[..., m:]
    g_q = g_q + Q @ (rest @ _h(g_rest))  # A = [X Y]: X = Q head, and Y = Q rest pulls on Q too
    return rl.cat((_qr_pullback(Q, head, g_q, g_head), Q @ g_rest), -1), None


def _qr_pullback(q, r, g_q, g_r):
    inner = r @ _h(g_r) - _h(g_q) @ q
    strict = inner.tril(-1)
    diagonal = inner.diagonal(dim1=-2, dim2=-1)
    whole = (
        strict
        + _h(strict)
        + rl.diag_embed(diagonal.real if diagonal.is_complex() else diagonal).to(q.dtype)
    )
    return _h(_solve(r, _h(g_q + q @ whole)))


@op("eigh(Tensor self, str UPLO='L') -> (Tensor eigenvalues, Tensor eigenvectors)", at="linalg")
def eigh(self, UPLO="L"):
    """Eigenvalues (ascending, real) and eigenvectors (columns) of Hermitian matrices (*, n, n).

    Reads the triangle ``UPLO``, "L" or "U". The gradient needs distinct eigenvalues.
    """
    _check_matrix("eigh", self)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return _lapack("eigh", "The algorithm failed to converge.", self, UPLO=UPLO.upper())


@eigh.vjp_all
def _(grads, needs, eigenvalues, eigenvectors):
    g_values, g_vectors = grads
    v = eigenvectors
    inner = rl.zeros_like(v) if g_values is None else rl.diag_embed(g_values).to(v.dtype)
    if g_vectors is not None:
        gap = _columns(eigenvalues) - eigenvalues.unsqueeze(-1)
        inner = inner + _off_diagonal(_h(v) @ g_vectors, gap)
    return v @ inner @ _h(v), None


def _off_diagonal(a, divisor):
    """a / divisor, with zeros on the diagonal."""
    one = rl.eye(a.size(-1), dtype=rl.bool)
    return (a / divisor.masked_fill(one, 1)).masked_fill(one, 0)


@op(
    "svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor U, Tensor S, "
    "Tensor Vh)",
    at="linalg",
)
def _(A, full_matrices=True, driver=None):
    """A = U diag(S) Vh with S descending; A (*, m, n). ``full_matrices``: square U and Vh.

    The gradient needs distinct singular values and uses only the first min(m, n) vectors.
    """
    _check_matrix("svd", A, square=False)
    if driver is not None:
        raise RuntimeError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs"
        )
    u, s, vh = svd(A)
    k, (m, n) = s.size(-1), A.shape[-2:]
    if not full_matrices or m == n:
        return u, s, vh
    whole_u, _, whole_vh = _lapack("svd", "The algorithm failed to converge.", A)
    return (rl.cat((u, whole_u[..., k:]), -1), s, rl.cat((vh, whole_vh[..., k:, :]), -2))


@op("thin_svd(Tensor A) -> (Tensor U, Tensor S, Tensor Vh)", at="internal", out=False)
def svd(A):
    """The singular value decomposition of min(m, n) terms (internal; see `linalg.svd`)."""
    return _lapack("svd", "The algorithm failed to converge.", A, full_matrices=False)


@svd.vjp_all
def _(grads, needs, U, S, Vh):
    """Source: Giles, Collected matrix derivative results for forward and reverse mode AD, 2008."""
    g_u, g_s, g_vh = grads
    inner = (
        rl.zeros(*S.shape, S.size(-1), dtype=U.dtype)
        if g_s is None
        else rl.diag_embed(g_s).to(U.dtype)
    )
    if g_u is None and g_vh is None:
        return (U @ inner @ Vh,)
    gap = (_columns(S) - S.unsqueeze(-1)) * (_columns(S) + S.unsqueeze(-1))
    left = None if g_u is None else _h(U) @ g_u
    right = None if g_vh is None else Vh @ _h(g_vh)
    if left is not None:
        inner = inner + _off_diagonal(left - _h(left), gap) * _columns(S)
    if right is not None:
        inner = inner + S.unsqueeze(-1) * _off_diagonal(right - _h(right), gap)
    if U.is_complex() and left is not None:
        turn = left.diagonal(dim1=-2, dim2=-1).imag / S
        inner = inner + rl.diag_embed(rl.complex(rl.zeros_like(turn), turn))
    made = U @ inner @ Vh
    if g_u is not None and U.size(-2) > S.size(-1):
        made = made + ((g_u - U @ left) / _columns(S)) @ Vh
    if g_vh is not None and Vh.size(-1) > S.size(-1):
        made = made + (U / _columns(S)) @ (g_vh - _h(right) @ Vh)
    return (made,)


@op("eig(Tensor self) -> (Tensor eigenvalues, Tensor eigenvectors)", at="linalg")
def eig(self):
    """Complex eigenvalues and eigenvectors (columns) of square matrices (*, n, n)."""
    _check_matrix("eig", self)
    kind = (
        self.dtype
        if self.is_complex()
        else rl.complex128
        if self.dtype == rl.float64
        else rl.complex64
    )
    return tuple([t.to(kind) for t in _lapack("eig", "The algorithm failed to converge.", self)])


@eig.vjp_all
def _(grads, needs, self_meta, eigenvalues, eigenvectors):
    g_values, g_vectors = grads
    v = eigenvectors
    inner = rl.zeros_like(v) if g_values is None else rl.diag_embed(g_values)
    if g_vectors is not None:
        pull = _h(v) @ g_vectors
        pull = pull - (_h(v) @ v) * _columns(pull.diagonal(dim1=-2, dim2=-1).real)
        gap = (_columns(eigenvalues) - eigenvalues.unsqueeze(-1)).conj()
        inner = inner + _off_diagonal(pull, gap)
    made = _solve(_h(v), inner @ _h(v))
    return (made if self_meta.dtype.is_complex else made.real,)
