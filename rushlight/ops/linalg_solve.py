"""Records of solvers that start from factors or need none of their own: triangular systems,
Cholesky
and L D L^H factors, least squares.

Kernels: csrc/kernels/lapack_solve.cpp, lapack_cholesky.cpp and lapack_qr.cpp. General systems are
in
linalg.py. To add one: an internal record with a rule, a public record with a body.
"""

import rushlight as rl
from rushlight.ops._decisions import every, recording
from rushlight.ops._record import op
from rushlight.ops.linalg import (
    _check_dtype,
    _check_equation,
    _check_matrix,
    _check_same_dtype,
    _equal_batches,
    _h,
    _is_vectors,
)

# ---- triangular systems


@op(
    "triangular_solve_matrix(Tensor A, Tensor B, bool upper, bool left, bool unitriangular) "
    "-> Tensor",
    at="internal",
    out=False,
    grad_name="LinalgSolveTriangularBackward0",
)
def _triangular(A, B, upper, left, unitriangular):
    """`solve_triangular` of equal batches (internal)."""
    ...


@_triangular.vjp_all
def _(g, needs, A, upper, left, unitriangular, result):
    g_b = _triangular(_h(A), g, not upper, left, unitriangular)
    if not needs[0]:
        return None, g_b, None, None, None
    g_a = -(g_b @ _h(result)) if left else -(_h(result) @ g_b)
    kept = 1 if unitriangular else 0
    return g_a.triu(kept) if upper else g_a.tril(-kept), g_b, None, None, None


@op(
    "solve_triangular(Tensor self, Tensor B, *, bool upper, bool left=True, bool "
    "unitriangular=False) -> Tensor",
    at="linalg",
    out="exact",
)
def solve_triangular(self, B, upper, left=True, unitriangular=False):
    """X with A X = B (``left=False``: X A = B), reading one triangle of A (*, n, n).

    ``unitriangular``: the diagonal counts as ones and is not read.

    Example:
        >>> rl.linalg.solve_triangular(rl.tensor([[2., 1.], [0., 1.]]), rl.eye(2), upper=True)
        tensor([[ 0.5000, -0.5000],
                [ 0.0000,  1.0000]])
    """
    _check_same_dtype("linalg.solve_triangular", self, B)
    _check_matrix("linalg.solve_triangular", self)
    if B.dim() < 2:
        raise RuntimeError(
            "linalg.solve_triangular: The input tensor B must have at least 2 dimensions."
        )
    _check_equation("linalg.solve_triangular", self, B, left)
    a, b = _equal_batches(self, B)
    return _triangular(a, b, upper, left, unitriangular)


@op(
    "triangular_solve(Tensor self, Tensor A, bool upper=True, bool transpose=False, bool "
    "unitriangular=False)"
    " -> (Tensor solution, Tensor cloned_coefficient)",
    grad_name=True,
    out="exact",
)
def _(self, A, upper=True, transpose=False, unitriangular=False):
    """The older form of `torch.linalg.solve_triangular`: also gives a copy of A.

    Example::

        >>> rl.triangular_solve(rl.ones(2, 1), rl.eye(2)).solution
        tensor([[1.],
                [1.]])
    """
    for name, t in (("b", self), ("A", A)):
        if t.dim() < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but "
                f"it has "
                f"{t.dim()} dimensions instead"
            )
    _check_old_equation("triangular_solve", self, A)
    right, a = _equal_batches(self, A)
    solution = _triangular(a.mT if transpose else a, right, upper != transpose, True, unitriangular)
    return solution, a.clone()


def _check_old_equation(name, B, A):
    if A.size(-1) != A.size(-2):
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are "
            f"{A.size(-2)} by {A.size(-1)} matrices"
        )
    if A.size(-1) != B.size(-2):
        raise RuntimeError(
            f"{name}: Incompatible matrix sizes for {name}: each A matrix is {A.size(-1)} by "
            f"{A.size(-1)} but each b matrix is {B.size(-2)} by {B.size(-1)}"
        )
    if A.dtype != B.dtype:
        raise RuntimeError(
            f"{name}: Expected b and A to have the same dtype, but found b of type {B.dtype} and A "
            f"of type {A.dtype} instead."
        )


# ---- from Cholesky factors


@op(
    "cholesky_solve_matrix(Tensor B, Tensor L, bool upper) -> Tensor",
    at="internal",
    out=False,
    grad_name="CholeskySolveBackward0",
)
def _from_cholesky(B, L, upper):
    """`cholesky_solve` of equal batches (internal)."""
    ...


@_from_cholesky.vjp_all
def _(g, needs, L, upper, result):
    g_b = _from_cholesky(g, L, upper)
    if not needs[1]:
        return g_b, None, None
    inner = g_b @ _h(result)
    inner = inner + _h(inner)
    return g_b, -(L @ inner) if upper else -(inner @ L), None


@op("cholesky_solve(Tensor self, Tensor L, bool upper=False) -> Tensor")
def cholesky_solve(self, L, upper=False):
    """X with A X = self, from the Cholesky factor L of A = L L^H (``upper``: A = L^H L).

    Example::

        >>> rl.cholesky_solve(rl.ones(2, 1), 2 * rl.eye(2))
        tensor([[0.2500],
                [0.2500]])
    """
    for name, t in (("b", self), ("u", L)):
        if t.dim() < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {t.dim()} dimensions instead"
            )
    _check_old_equation("cholesky_solve", self, L)
    _check_dtype("cholesky_solve", self)
    right, factor = _equal_batches(self, L)
    return _from_cholesky(right, factor, upper)


@op(
    "cholesky_inverse_matrix(Tensor L, bool upper, str check) -> (Tensor inverse, Tensor info)",
    at="internal",
    out=False,
    grad_name="CholeskyInverseBackward0",
)
def _inverse_from_cholesky(L, upper, check):
    """The inverse and its error code (internal; see `cholesky_inverse`)."""
    ...


@_inverse_from_cholesky.vjp_all
def _(given, needs, L, upper, inverse):
    g = given[0]
    if g is None:
        return None, None, None
    inner = inverse @ (g + _h(g)) @ inverse
    return -(L @ inner) if upper else -(inner @ L), None, None


@op("cholesky_inverse(Tensor self, bool upper=False) -> Tensor")
def cholesky_inverse(self, upper=False):
    """The inverse of A = L L^H from its Cholesky factor L = self (``upper``: A = L^H L).

    Raises LinAlgError if the factor has a zero on its diagonal.

    Example::

        >>> rl.cholesky_inverse(2 * rl.eye(2))
        tensor([[0.2500, -0.0000],
                [-0.0000, 0.2500]])
    """
    _check_matrix("cholesky_inverse", self)
    return _inverse_from_cholesky(self, upper, "cholesky_inverse")[0]


# ---- L D L^H


@op(
    "ldl_factorize(Tensor A, bool hermitian, str check) -> (Tensor LD, Tensor pivots, Tensor info)",
    at="internal",
    out=False,
    differentiable=False,
)
def _ldl(A, hermitian, check):
    """Packed factors of symmetric matrices (internal; see `ldl_factor_ex`)."""
    ...


@op(
    "ldl_factor_ex(Tensor self, *, bool hermitian=False, bool check_errors=False)"
    " -> (Tensor LD, Tensor pivots, Tensor info)",
    at="linalg",
)
def _(self, hermitian=False, check_errors=False):
    """`ldl_factor` with an error code for each matrix: the first zero of D, from 1, or 0.

    Example::

        >>> rl.linalg.ldl_factor_ex(rl.eye(2)).LD
        tensor([[1., 0.],
                [0., 1.]])
    """
    _check_matrix("torch.linalg.ldl_factor_ex", self)
    return tuple(_ldl(self, hermitian, "torch.linalg.ldl_factor_ex" if check_errors else ""))


@op("ldl_factor(Tensor self, *, bool hermitian=False) -> (Tensor LD, Tensor pivots)", at="linalg")
def _(self, hermitian=False):
    """L and D of A = L D L^T (``hermitian``: L D L^H) in one tensor, and LAPACK's pivots.

    A (*, n, n) is symmetric and need not be definite; its lower triangle is read. Not
    differentiable. Raises LinAlgError if D has a zero block.

    Example::

        >>> rl.linalg.ldl_factor(rl.eye(2)).LD
        tensor([[1., 0.],
                [0., 1.]])
    """
    _check_matrix("torch.linalg.ldl_factor", self)
    return _ldl(self, hermitian, "torch.linalg.ldl_factor")[:2]


@op(
    "ldl_solve_matrix(Tensor LD, Tensor pivots, Tensor B, bool hermitian) -> Tensor",
    at="internal",
    out=False,
    differentiable=False,
)
def _from_ldl(LD, pivots, B, hermitian):
    """`ldl_solve` of equal batches (internal)."""
    ...


@op("ldl_solve(Tensor LD, Tensor pivots, Tensor B, *, bool hermitian=False) -> Tensor", at="linalg")
def _(LD, pivots, B, hermitian=False):
    """X with A X = B, from `ldl_factor` of A.

    Example::

        >>> rl.linalg.ldl_solve(*rl.linalg.ldl_factor(rl.eye(2)), rl.ones(2, 1))
        tensor([[1.],
                [1.]])
    """
    _check_matrix("torch.linalg.ldl_solve", LD)
    _check_same_dtype("torch.linalg.ldl_solve", LD, B)
    if B.dim() < 2:
        raise RuntimeError("torch.linalg.ldl_solve: Expected B to have at least 2 dimensions.")
    if pivots.shape != LD.shape[:-1] or pivots.is_floating_point() or pivots.is_complex():
        raise RuntimeError(
            "torch.linalg.ldl_solve: Expected integer pivots of shape "
            f"{tuple(LD.shape[:-1])}, but got {pivots.dtype} of shape {tuple(pivots.shape)}"
        )
    _check_equation("torch.linalg.ldl_solve", LD, B, True)
    factors, right, rows = _equal_batches(LD, B, pivots.unsqueeze(-1))
    return _from_ldl(factors, rows.squeeze(-1), right, hermitian)


# ---- least squares


@op(
    "least_squares(Tensor A, Tensor B, float rcond, str driver)"
    " -> (Tensor X, Tensor rank, Tensor singular_values)",
    at="internal",
    out=False,
    differentiable=False,
)
def _least_squares(A, B, rcond, driver):
    """max(m, n) rows: the solution, then what residuals come from (internal; see `lstsq`)."""
    ...


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def _check_lstsq(a, b, driver):
    if a.dim() < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if b.dim() < 1:
        raise RuntimeError("torch.linalg.lstsq: other must have at least 1 dimension.")
    gap = a.dim() - b.dim()
    if gap not in (0, 1):
        raise RuntimeError(
            "torch.linalg.lstsq: input.dim() must be greater or equal to other.dim() and "
            f"(input.dim() - other.dim()) <= 1, got {a.dim()} and {b.dim()}"
        )
    rows = -1 if _is_vectors(a, b) else -2
    if a.size(-2) != b.size(rows):
        raise RuntimeError(
            f"torch.linalg.lstsq: input.size(-2) should match other.size({rows}), "
            f"got shapes {tuple(a.shape)} and {tuple(b.shape)}"
        )
    _check_dtype("torch.linalg.lstsq", a)
    if a.dtype != b.dtype:
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got "
            f"input's dtype {a.dtype} and other's dtype {b.dtype}"
        )
    if driver not in _DRIVERS:
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of "
            f"(gels, gelsy, gelsd, gelss), got {driver!r}"
        )


@op(
    "lstsq(Tensor self, Tensor b, float? rcond=None, *, str? driver=None)"
    " -> (Tensor solution, Tensor residuals, Tensor rank, Tensor singular_values)",
    at="linalg",
    grad_name=True,
)
def lstsq(self, b, rcond=None, driver=None):
    """X with the least |self X - b| (and the least |X|), for (*, m, n) and (*, m, k).

    ``driver``: "gelsy" (the default; complete orthogonal factorisation), "gelsd", "gelss" (singular
    values) or "gels" (QR; needs full rank). ``residuals`` are given for m > n and full rank, but
    not
    by "gelsy"; ``rank`` and ``singular_values`` if the driver finds them. Singular values below
    ``rcond`` times the largest count as zero. Raises LinAlgError if "gels" meets a deficient rank.

    Example::

        >>> rl.linalg.lstsq(rl.eye(2), rl.tensor([[1.], [2.]])).solution
        tensor([[1.],
                [2.]])
    """
    driver = driver or "gelsy"
    _check_lstsq(self, b, driver)
    vector = _is_vectors(self, b)
    a, right = _equal_batches(self, b.unsqueeze(-1) if vector else b)
    m, n = a.shape[-2:]
    if rcond is None:
        rcond = rl.finfo(a.dtype).eps * max(m, n)
    x, rank, singular = _least_squares(a.detach(), right.detach(), rcond, driver)
    residuals = singular.new_empty(0)
    if m > n and driver != "gelsy" and (driver == "gels" or every(rank == n)):
        residuals = x[..., n:, :].abs().square().sum(-2)
    solution = x[..., :n, :]
    if recording(a, right):
        solution = _differentiable_solution(a, right, solution)
        errors = (a @ solution - right).abs().square().sum(-2)
        residuals = errors if residuals.numel() else errors.reshape(-1)[:0]
    rank = _of_each(self, rank) if driver != "gels" else rank.new_empty(0)
    singular = _of_each(self, singular) if driver in ("gelsd", "gelss") else singular.new_empty(0)
    return solution.squeeze(-1) if vector else solution, residuals, rank, singular


def _of_each(a, found):
    """What was found of the matrices ``a`` after they had been repeated for more right sides."""
    if found.numel() == 0:  # repeated for no right sides
        return found.new_zeros(a.shape[:-2] + found.shape[a.dim() - 2 :])
    for dim, size in enumerate(a.shape[:-2]):
        found = found.narrow(dim, 0, size)
    return found


def _differentiable_solution(a, b, solution):
    """``solution`` with the gradient of ``pinv(a) @ b``, which it equals."""
    through = rl.linalg.pinv(a) @ b
    return solution + (through - through.detach())
