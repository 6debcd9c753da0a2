"""Records of the LU factorisation with partial pivoting, in `rl.linalg` and under older names.

One step of elimination a column, over the whole batch, in recorded ops: gradients of any order
follow. The other factorisations are in linalg.py. To add one: a record over `_eliminate`.
"""

import rushlight as rl
from rushlight.ops._record import op
from rushlight.ops.linalg import _check_matrix


def _swapped(places, k, pivot):
    """``places`` with k and pivot (a number a matrix) exchanged."""
    pivot = pivot.unsqueeze(-1)
    return rl.where(places == k, pivot, rl.where(places == pivot, k, places))


def _size(x):
    """What pivots are chosen by: LAPACK takes |re| + |im| for complex numbers."""
    return x.real.abs() + x.imag.abs() if x.is_complex() else x.abs()


def _eliminate(a, pivot):
    """L below the diagonal and U, packed; the pivot rows, from 1; U's first zero, from 1, or 0."""
    m, n = a.shape[-2:]
    places = rl.arange(m).expand(a.shape[:-1])
    pivots, info = [], rl.zeros(a.shape[:-2], dtype=rl.int32)
    for k in range(min(m, n)):
        row = _size(a[..., k:, k].detach()).argmax(-1) + k if pivot else rl.full(a.shape[:-2], k)
        pivots.append(row + 1)
        a = a.gather(-2, _swapped(places, k, row).unsqueeze(-1).expand(a.shape))
        corner = a[..., k : k + 1, k : k + 1]
        zero = corner == 0
        info = rl.where((info == 0) & zero[..., 0, 0], k + 1, info).to(rl.int32)
        factor = a[..., k + 1 :, k : k + 1] / corner.masked_fill(zero, 1)
        rest = a[..., k + 1 :, k + 1 :] - factor * a[..., k : k + 1, k + 1 :]
        lower = rl.cat((a[..., k + 1 :, :k], factor, rest), -1)
        a = rl.cat((a[..., : k + 1, :], lower), -2)
    rows = rl.stack(pivots, -1) if pivots else rl.zeros((*a.shape[:-2], 0))
    return a.clone() if not pivots else a, rows.to(rl.int32), info


def _permutation(pivots, m):
    """P, with A = P L U, from pivot rows."""
    order = rl.arange(m).expand((*pivots.shape[:-1], m))
    for k in range(pivots.size(-1)):
        row = pivots[..., k].to(rl.int64) - 1
        order = order.gather(-1, _swapped(rl.arange(m).expand(order.shape), k, row))
    return order.unsqueeze(-2) == rl.arange(m).unsqueeze(-1)


def _unpacked(packed):
    m, n = packed.shape[-2:]
    k = min(m, n)
    lower = packed[..., :k].tril(-1) + rl.eye(m, k, dtype=packed.dtype)
    return lower, packed[..., :k, :].triu()


@op(
    "lu_factor_ex(Tensor A, *, bool pivot=True, bool check_errors=False) -> (Tensor LU, "
    "Tensor pivots, Tensor info)",
    at="linalg",
)
def lu_factor_ex(A, pivot=True, check_errors=False):
    """`lu_factor` with, for each matrix, the position (from 1) of the first zero in U's diagonal,
    or 0.
    """
    _check_matrix("lu_factor", A, square=False)
    packed, pivots, info = _eliminate(A, pivot)
    if check_errors and bool((info != 0).any()):
        raise RuntimeError("linalg.lu_factor_ex: U is singular: it has a zero on its diagonal")
    return packed, pivots, info


@op("lu_factor(Tensor A, *, bool pivot=True) -> (Tensor LU, Tensor pivots)", at="linalg")
def lu_factor(A, pivot=True):
    """L (below the diagonal) and U of A = P L U in one tensor, and the rows exchanged, from 1."""
    return lu_factor_ex(A, pivot=pivot)[:2]


@op("lu(Tensor A, *, bool pivot=True) -> (Tensor P, Tensor L, Tensor U)", at="linalg")
def lu(A, pivot=True):
    """A = P L U: a permutation (empty without ``pivot``), unit lower triangular, upper triangular.

    Example:
        >>> rl.linalg.lu(rl.tensor([[0., 1.], [2., 0.]])).U
        tensor([[2., 0.],
                [0., 1.]])
    """
    packed, pivots = lu_factor(A, pivot=pivot)
    lower, upper = _unpacked(packed)
    p = _permutation(pivots, A.size(-2)).to(A.dtype) if pivot else A.new_empty(0)
    return p, lower, upper


@op(
    "lu_unpack(Tensor LU_data, Tensor LU_pivots, bool unpack_data=True, bool unpack_pivots=True)"
    " -> (Tensor P, Tensor L, Tensor U)",
    at="torch",
)
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L and U from what `lu_factor` gives; what is not wanted is empty."""
    lower, upper = (
        _unpacked(LU_data) if unpack_data else (LU_data.new_empty(0), LU_data.new_empty(0))
    )
    p = (
        _permutation(LU_pivots, LU_data.size(-2)).to(LU_data.dtype)
        if unpack_pivots
        else LU_data.new_empty(0)
    )
    return p, lower, upper


@op(
    "lu_solve(Tensor LU, Tensor pivots, Tensor B, *, bool left=True, bool adjoint=False) -> Tensor",
    at="linalg",
)
def lu_solve(LU, pivots, B, left=True, adjoint=False):
    """X with A X = B (``left=False``: X A = B; ``adjoint``: A^H in place of A),
    from `lu_factor` of A.
    """
    _check_matrix("lu_solve", LU)
    lower, upper = _unpacked(LU)
    a = _permutation(pivots, LU.size(-1)).to(LU.dtype) @ lower @ upper
    a = (a.mT.conj() if a.is_complex() else a.mT) if adjoint else a
    if not left:
        return rl.linalg.solve(a.mT.unsqueeze(0), B.mT.unsqueeze(0)).squeeze(0).mT
    return rl.linalg.solve(a.unsqueeze(0), B.unsqueeze(0)).squeeze(0)


@op(
    "lu_solve.torch(Tensor self, Tensor LU_data, Tensor LU_pivots) -> Tensor",
    at=("torch", "Tensor"),
)
def _(self, LU_data, LU_pivots):
    """`torch.linalg.lu_solve` with the right-hand side first."""
    return lu_solve(LU_data, LU_pivots, self)


def _lu_of_old(self, pivot=True, get_infos=False):
    """`torch.linalg.lu_factor` as a tuple; with ``get_infos`` also its error codes."""
    packed, pivots, info = lu_factor_ex(self, pivot=pivot)
    return (packed, pivots, info) if get_infos else (packed, pivots)


_lu_of_old.__name__ = _lu_of_old.__qualname__ = "lu"
rl.ops._record.namespaces["torch"]["lu"] = rl.Tensor.lu = _lu_of_old
