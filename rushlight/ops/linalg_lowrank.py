"""Records of approximate factorisations: of low rank by random sampling, and a few eigenpairs by
iteration. Exact ones are in linalg_factor.py. To add one: a record with a composite body.
"""

import rushlight as rl
from rushlight.ops._decisions import every
from rushlight.ops._record import op
from rushlight.ops.linalg import _h


# ---- random sampling


def _basis(A, q, niter, M):
    """q orthonormal columns that nearly span the range of A - M.

    Source: Halko, Martinsson and Tropp, Finding structure with randomness, 2009, algorithm 4.4.
    """

    def applied(matrix, shift, x):
        made = matrix @ x
        return made if shift is None else made - shift @ x

    adjoint, adjoint_shift = _h(A), None if M is None else _h(M)
    sample = rl.randn(A.size(-1), q, dtype=A.dtype, device=A.device)
    Q = rl.linalg.qr(applied(A, M, sample)).Q
    for _ in range(niter):
        Q = rl.linalg.qr(applied(adjoint, adjoint_shift, Q)).Q
        Q = rl.linalg.qr(applied(A, M, Q)).Q
    return Q


@op(
    "svd_lowrank(Tensor A, int? q=6, int? niter=2, Tensor? M=None) -> (Tensor, Tensor, Tensor)",
    at="torch",
    out=False,
)
def svd_lowrank(A, q=6, niter=2, M=None):
    """U, S and V with A - M nearly U diag(S) V^H, of rank q, from products with random vectors.

    A is (*, m, n), M broadcasts to it; ``niter`` rounds of refinement. Draws q n normal numbers.

    Example::

        >>> rl.svd_lowrank(rl.eye(4), q=2)[1].round(decimals=4)
        tensor([1., 1.])
    """
    q, niter = 6 if q is None else q, 2 if niter is None else niter
    M = None if M is None else M.expand(A.shape)
    wide = A.size(-2) < A.size(-1)
    if wide:
        A, M = _h(A), None if M is None else _h(M)
    Q = _basis(A, q, niter, M)
    B = _h(Q) @ A
    if M is not None:
        B = B - _h(Q) @ M
    U, S, Vh = rl.linalg.svd(B, full_matrices=False)
    U, V = Q @ U, _h(Vh)
    return (V, S, U) if wide else (U, S, V)


@op(
    "pca_lowrank(Tensor A, int? q=None, bool center=True, int niter=2) -> (Tensor, Tensor, Tensor)",
    at="torch",
    out=False,
)
def pca_lowrank(A, q=None, center=True, niter=2):
    """U, S and V of the first q principal components of A, rows being observations.

    ``center`` subtracts each column's mean first. q is min(6, m, n) unless given.

    Example::

        >>> rl.pca_lowrank(rl.ones(4, 3), q=2)[1].shape
        torch.Size([2])
    """
    m, n = A.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if not (A.is_floating_point() or A.is_complex()):
        raise ValueError(f"pca_lowrank: input must have a floating point dtype, got {A.dtype}")
    if center:
        A = A - A.mean(-2, keepdim=True)
    return svd_lowrank(A, q, niter)


# ---- a few eigenpairs


@op(
    "lobpcg_pairs(Tensor A, Tensor? B, Tensor X, Tensor? iK, int niter, float tol, bool largest,"
    " any tracker) -> (Tensor E, Tensor V)",
    at="internal",
    out=False,
    grad_name="LOBPCGAutogradFunctionBackward",
)
def _pairs(A, B, X, iK, niter, tol, largest, tracker):
    """The eigenpairs of one symmetric matrix that X's columns converge to (internal)."""
    values, X = _rayleigh_ritz(A, B, X, X.size(-1), largest)
    previous = X[:, :0]
    size_a, size_b = _norm(A), 1.0 if B is None else _norm(B)
    for step in range(niter) if niter >= 0 else iter(int, 1):
        residual = A @ X - (X if B is None else B @ X) * values
        error = residual.norm(dim=0) / ((size_a + values.abs() * size_b) * X.norm(dim=0))
        if tracker is not None:
            tracker(step, values, X, error)
        if every(error < tol):
            break
        search = residual if iK is None else iK @ residual
        old = X
        values, X = _rayleigh_ritz(A, B, rl.cat((X, search, previous), 1), X.size(1), largest)
        previous = X - old @ (_h(old) @ (X if B is None else B @ X))
    return values, X


def _norm(a):
    return float(a.norm())


def _rayleigh_ritz(A, B, S, k, largest):
    """The best k eigenpairs in the span of S, whose columns may be dependent."""
    S = S / S.norm(dim=0).clamp(min=rl.finfo(S.dtype).tiny)
    gram = _h(S) @ (S if B is None else B @ S)
    sizes, turn = rl.linalg.eigh(gram)
    kept = sizes > sizes.abs().max() * rl.finfo(S.dtype).eps * 10
    basis = (S @ turn[:, kept]) / sizes[kept].sqrt()
    values, turn = rl.linalg.eigh(_h(basis) @ (A @ basis))
    order = rl.arange(values.size(0) - 1, values.size(0) - 1 - k, -1) if largest else rl.arange(k)
    return values[order], basis @ turn[:, order]


@_pairs.vjp_all
def _(given, needs, A, E, V):
    g_values, g_vectors = given
    inner = 0 if g_values is None else (V * g_values) @ _h(V)
    if g_vectors is not None:
        values, vectors = rl.linalg.eigh(A)
        gap = E.unsqueeze(-2) - values.unsqueeze(-1)
        near = gap.abs() <= rl.finfo(E.dtype).eps ** 0.5 * values.abs().max()
        weight = rl.where(near, 0, 1 / gap.masked_fill(near, 1))
        inner = inner + vectors @ ((_h(vectors) @ g_vectors) * weight) @ _h(V)
    return (inner + _h(inner)) * 0.5, None, None, None, None, None, None, None


def _check_lobpcg(A, B, k, method):
    m = A.size(-1)
    if A.dim() < 2 or A.size(-2) != m:
        raise ValueError(f"lobpcg: A must be a square matrix, got shape {tuple(A.shape)}")
    if m < 3 * k:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than "
            f"3 x the number of requested eigenpairs (={k})"
        )
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg: method must be 'basic' or 'ortho', got {method!r}")
    if B is not None and (B.requires_grad or A.requires_grad):
        raise ValueError("lobpcg.backward does not support a matrix B: only A may need a gradient")


@op(
    "lobpcg(Tensor A, int? k=None, Tensor? B=None, Tensor? X=None, int? n=None, Tensor? iK=None,"
    " int? niter=None, float? tol=None, bool? largest=None, str? method=None, any tracker=None,"
    " any ortho_iparams=None, any ortho_fparams=None, any ortho_bparams=None) -> (Tensor, Tensor)",
    at="torch",
    out=False,
)
def lobpcg(
    A,
    k=None,
    B=None,
    X=None,
    n=None,
    iK=None,
    niter=None,
    tol=None,
    largest=None,
    method=None,
    tracker=None,
    ortho_iparams=None,
    ortho_fparams=None,
    ortho_bparams=None,
):
    """The k largest (``largest=False``: smallest) eigenvalues of A x = lambda B x, and
    eigenvectors.

    A (*, m, m) is symmetric, B positive definite, iK a preconditioner, X (*, m, k) a first guess
    (else
    random). Stops when all residuals are below ``tol`` or after ``niter`` steps (-1: without a
    limit). Both methods keep an orthonormal basis here. ``tracker``, called as
    ``tracker(step, values, vectors, errors)``, observes.

    Source: Knyazev, Toward the optimal preconditioned eigensolver, 2001.

    Example::

        >>> rl.lobpcg(rl.diag(rl.arange(1., 7.)), k=1)[0].round()
        tensor([6.])
    """
    if ortho_iparams or ortho_fparams or ortho_bparams:
        raise NotImplementedError(
            "lobpcg: ortho_*params are not supported; the basis is always orthonormal"
        )
    k = (1 if X is None else X.size(-1)) if k is None else k
    n = k if n is None else n
    _check_lobpcg(A, B, k, method)
    if X is None:
        X = rl.randn(*A.shape[:-2], A.size(-1), n, dtype=A.dtype, device=A.device)
    tol = rl.finfo(A.dtype).eps ** 0.5 if tol is None else tol
    options = (1000 if niter is None else niter, tol, largest is not False, tracker)
    A = (A + _h(A)) / 2 if A.requires_grad else A
    if A.dim() == 2:
        values, vectors = _pairs(A, B, X, iK, *options)
        return values[:k], vectors[:, :k]
    return _batched_pairs(A, B, X, iK, options, k)


def _batched_pairs(A, B, X, iK, options, k):
    batch = A.shape[:-2]

    def each(t):
        return (None,) * batch.numel() if t is None else t.reshape(-1, *t.shape[-2:]).unbind(0)

    made = [_pairs(*item, *options) for item in zip(each(A), each(B), each(X), each(iK))]
    values = rl.stack([e[:k] for e, _ in made])
    vectors = rl.stack([v[:, :k] for _, v in made])
    return values.reshape(*batch, k), vectors.reshape(*batch, *vectors.shape[-2:])
