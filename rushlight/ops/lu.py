"""Records of the LU factorisation with partial pivoting, in `rl.linalg` and under older names.

The kernels are in csrc/kernels/lapack_lu.cpp; the other factorisations in linalg_factor.py. To add
one: a record over the internal ops.
"""

import rushlight as rl
from rushlight.ops._decisions import unwrapped
from rushlight.ops._record import op
from rushlight.ops.linalg import _check_equation, _check_matrix, _equal_batches, _h, _lu_solve


@op(
    "lu_factorize(Tensor A, bool pivot, str check) -> (Tensor LU, Tensor pivots, Tensor info)",
    at="internal",
    out=False,
    grad_name="LinalgLuFactorExBackward0",
)
def _factorize(A, pivot, check):
    """The packed factors, pivot rows from 1, and U's first zero, from 1, or 0 (internal)."""
    ...


@_factorize.vjp_all
def _(given, needs, LU, pivots):
    g = given[0]
    if g is None:
        return None, None, None
    lower, upper = _unpacked(LU)
    return _permuted(pivots, _lu_pullback(lower, upper, g.tril(-1), g.triu())), None, None


def _lu_pullback(lower, upper, g_lower, g_upper):
    """The gradient of P^T A from those of its factors, of which only triangles count.

    Square: L^-H (tril(L^H gL, -1) + triu(gU U^H)) U^-H. More columns: the last ones are L U2; more
    rows: the last ones are L2 U. Both pull on the square factor they share.
    """
    m, n = lower.size(-2), upper.size(-1)
    k = min(m, n)
    solve = rl.linalg.solve_triangular
    head, tail = lower[..., :k, :], lower[..., k:, :]
    square, rest = upper[..., :k], upper[..., k:]
    g_head, g_tail = g_lower[..., :k, :k], g_lower[..., k:, :k]
    g_square, g_rest = g_upper[..., :k, :k], g_upper[..., :k, k:]
    below, above = _h(head) @ g_head, g_square @ _h(square)
    if n > k:
        below = below - g_rest @ _h(rest)
    if m > k:
        above = above - _h(tail) @ g_tail
    inner = below.tril(-1) + above.triu()
    made = solve(
        _h(square), solve(_h(head), inner, upper=True, unitriangular=True), upper=False, left=False
    )
    if n > k:
        g_columns = solve(_h(head), g_rest, upper=True, unitriangular=True)
        return rl.cat((made, g_columns), -1)
    if m > k:
        g_rows = solve(_h(square), g_tail, upper=False, left=False)
        return rl.cat((made, g_rows), -2)
    return made


@op(
    "pivots_to_order(Tensor pivots, int m) -> Tensor",
    at="internal",
    out=False,
    differentiable=False,
)
def _order(pivots, m):
    """Which row of A each row of P^T A is (internal)."""
    ...


def _permuted(pivots, x, transpose=False):
    """P x, or P^T x, with A = P L U."""
    order = _order(pivots, x.size(-2))
    order = order if transpose else order.argsort(-1)
    return x.gather(-2, order.unsqueeze(-1).expand(x.shape))


def _permutation(pivots, m):
    """P, with A = P L U, as booleans."""
    return rl.arange(m).unsqueeze(-1) == _order(pivots, m).unsqueeze(-2)


def _unpacked(packed):
    m, n = packed.shape[-2:]
    k = min(m, n)
    lower = packed[..., :k].tril(-1) + rl.eye(m, k, dtype=packed.dtype, device=packed.device)
    return lower, packed[..., :k, :].triu()


def _check_lu(name, A, pivot):
    _check_matrix(name, A, square=False)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


_ZERO_PIVOT = (
    "is zero and using it on lu_solve would result in a division by zero. If you still want to "
    "perform the factorization, consider calling linalg.lu(A, pivot) or "
    "linalg.lu_factor_ex(A, pivot)"
)


def _check_pivots(name, info):
    if info.device.type == "meta":
        return
    for i, code in enumerate(unwrapped(info).reshape(-1).tolist()):
        if code:
            where = f"(Batch element {i}): " if info.dim() else ""
            raise RuntimeError(f"torch.linalg.{name}: {where}U[{code},{code}] {_ZERO_PIVOT}")


@op(
    "lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, "
    "Tensor pivots, Tensor info)",
    at="linalg",
    out="exact",
)
def lu_factor_ex(A, pivot=True, check_errors=False):
    """`lu_factor` with, for each matrix, the position (from 1) of the first zero in U's "
    "diagonal, or 0.

    Example::

        >>> rl.linalg.lu_factor_ex(rl.eye(2)).info
        tensor(0, dtype=torch.int32)
    """
    _check_lu("linalg.lu_factor_ex", A, pivot)
    made = _factorize(A, pivot, "")
    if check_errors:
        _check_pivots("lu_factor_ex", made[2])
    return tuple(made)


@op(
    "lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)",
    at="linalg",
    out="exact",
)
def lu_factor(A, pivot=True):
    """L (below the diagonal) and U of A = P L U in one tensor, and the rows exchanged, from 1.

    Raises RuntimeError if U has a zero on its diagonal; see `lu_factor_ex` and `lu` for such.

    Example::

        >>> rl.linalg.lu_factor(rl.eye(2)).pivots
        tensor([1, 2], dtype=torch.int32)
    """
    _check_lu("linalg.lu_factor", A, pivot)
    packed, pivots, info = _factorize(A, pivot, "")
    _check_pivots("lu_factor", info)
    return packed, pivots


@op(
    "lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)",
    at="linalg",
    grad_name=True,
    out="exact",
)
def lu(A, pivot=True):
    """A = P L U: a permutation, unit lower triangular, upper triangular.

    Example:
        >>> rl.linalg.lu(rl.tensor([[0., 1.], [2., 0.]])).U
        tensor([[2., 0.],
                [0., 1.]])
    """
    _check_lu("linalg.lu", A, pivot)
    packed, pivots, _ = _factorize(A, pivot, "")
    lower, upper = _unpacked(packed)
    return _permutation(pivots, A.size(-2)).to(A.dtype), lower, upper


@op(
    "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True)"
    " -> (Tensor P, Tensor L, Tensor U)",
    at="torch",
    grad_name=True,
)
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L and U from what `lu_factor` gives; what is not wanted is empty.

    Example::

        >>> rl.lu_unpack(*rl.linalg.lu_factor(rl.eye(2)))[2]
        tensor([[1., 0.],
                [0., 1.]])
    """
    if LU_data.dim() < 2:
        raise RuntimeError("torch.lu_unpack: The input tensor must have at least 2 dimensions.")
    if unpack_pivots and LU_pivots.dtype != rl.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype.\n"
            "Note: this function is intended to be used with the output produced by "
            f"torch.linalg.lu_factor; got {LU_pivots.dtype}"
        )
    nothing = LU_data.new_empty(0)
    lower, upper = _unpacked(LU_data) if unpack_data else (nothing, nothing)
    p = nothing
    if unpack_pivots:
        p = _permutation(LU_pivots, LU_data.size(-2)).to(LU_data.dtype)
    return p, lower, upper


# ---- solving with factors


@op(
    "lu_solve_factors(Tensor LU, Tensor pivots, Tensor B, bool left, bool adjoint) -> Tensor",
    at="internal",
    out=False,
    grad_name="LinalgLuSolveBackward0",
)
def _solve_factors(LU, pivots, B, left, adjoint):
    """`lu_solve` of equal batches, with gradients for LU and B (internal)."""
    return _lu_solve(LU, pivots, B, left, adjoint)


@_solve_factors.vjp_all
def _(g, needs, LU, pivots, left, adjoint, result):
    g_b = _solve_factors(LU, pivots, g, left, not adjoint)
    if not needs[0]:
        return None, None, g_b, None, None
    x = result
    g_a = g_b @ _h(x) if left else _h(x) @ g_b  # of op(A), up to the sign
    g_a = _permuted(pivots, -(_h(g_a) if adjoint else g_a), transpose=True)
    lower, upper = _unpacked(LU)
    return (g_a @ _h(upper)).tril(-1) + (_h(lower) @ g_a).triu(), None, g_b, None, None


@op(
    "lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    at="linalg",
    out="exact",
)
def lu_solve(LU, pivots, B, left=True, adjoint=False):
    """X with A X = B (``left=False``: X A = B; ``adjoint``: A^H in place of A), from "
    "`lu_factor` of A.

    Example::

        >>> rl.linalg.lu_solve(*rl.linalg.lu_factor(rl.eye(2)), rl.ones(2, 1))
        tensor([[1.],
                [1.]])
    """
    _check_matrix("torch.linalg.lu_solve", LU)
    if pivots.dtype != rl.int32:
        raise RuntimeError(
            f"linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32, got "
            f"{pivots.dtype}"
        )
    if B.dtype != LU.dtype:
        raise RuntimeError(
            "linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type "
            f"{LU.dtype} and B of type {B.dtype} instead"
        )
    if B.dim() < 2:
        raise RuntimeError("linalg.lu_solve: The input tensor B must have at least 2 dimensions.")
    _check_equation("linalg.lu_solve", LU, B, left)
    if pivots.shape != LU.shape[:-1]:
        raise RuntimeError(
            "linalg.lu_solve: Number of pivots per batch should be same as the dimension of the "
            f"matrix: expected shape {tuple(LU.shape[:-1])}, got {tuple(pivots.shape)}"
        )
    factors, right, rows = _equal_batches(LU, B, pivots.unsqueeze(-1))
    return _solve_factors(factors, rows.squeeze(-1), right, left, adjoint)


@op(
    "lu_solve.torch(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor",
    at=("torch", "Tensor"),
)
def _(self, LU_data, LU_pivots):
    """`torch.linalg.lu_solve` with the right-hand side first.

    Example::

        >>> rl.lu_solve(rl.ones(2, 1), *rl.linalg.lu_factor(rl.eye(2)))
        tensor([[1.],
                [1.]])
    """
    return lu_solve(LU_data, LU_pivots, self)


def _lu_of_old(self, pivot=True, get_infos=False, out=None):
    """`torch.linalg.lu_factor` as a tuple; with ``get_infos`` also its error codes."""
    import warnings

    warnings.warn(
        "torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex",
        stacklevel=2,
    )
    made = lu_factor_ex(self, pivot=pivot)
    made = made if get_infos else made[:2]
    if out is None:
        return made
    if not isinstance(out, (tuple, list)):
        raise TypeError(f"argument 'out' must be tuple of Tensors, not {type(out).__name__}")
    if len(out) != len(made):
        raise TypeError(f"expected tuple of {len(made)} elements but got {len(out)}")
    for target, value in zip(out, made):
        target.resize_(value.shape).copy_(value)
    return out


_lu_of_old.__name__ = _lu_of_old.__qualname__ = "lu"
rl.ops._record.namespaces["torch"]["lu"] = rl.Tensor.lu = _lu_of_old
