"""Matrix products with a sparse operand: mm, addmm, mv, bmm, matmul, hspmm, sspaddmm, ...

A product with a strided matrix gathers its rows at the column indices, scales them by the values
and adds up what belongs to one row.
"""

import rushlight as rl
from rushlight.ops.matmul import _coo_mm, _csr_mm
from rushlight.sparse._convert import (
    NATIVE,
    convert,
    coordinates,
    to_coo,
)
from rushlight.sparse._dispatch import handles, refuse, require_same_dtype
from rushlight.sparse._layout import (
    COO,
    CSC,
    CSR,
    add_rows,
    block_size,
    build,
    coalesce,
    coo,
    is_sparse,
    kind_of,
    like,
    merged,
    parts_of,
    values_of,
)
from rushlight.sparse._shape import transpose


def _need_matrices(op, a, b):
    left, right = a.shape, b.shape
    if len(left) != 2 or len(right) != 2:
        raise RuntimeError(
            f"{op}: Expected 2-D tensors, got {len(left)}-D and {len(right)}-D tensors"
        )
    if left[1] != right[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({left[0]}x{left[1]} and "
            f"{right[0]}x{right[1]})"
        )
    require_same_dtype(op, a, b)


@handles("mm")
def mm(self, mat2):
    """A product of matrices of which at least one is sparse."""
    _need_matrices("mm", self, mat2)
    if is_sparse(mat2):
        if is_sparse(self):
            return _sparse_sparse(self, mat2)
        return _times_dense(transpose(mat2, 0, 1), self.t()).t()
    return _times_dense(self, mat2)


def _times_dense(sparse, dense):
    if kind_of(sparse) == CSR and dense.dtype in NATIVE and dense.dtype == sparse.dtype:
        (starts, columns), values = parts_of(sparse).indices, values_of(sparse)
        if starts.dim() == values.dim() == 1:
            return _csr_mm(starts, columns, values, dense)
    sparse = to_coo(sparse)
    indices, values = parts_of(sparse).indices, values_of(sparse)
    if indices.shape[0] != 2:
        refuse("mm", sparse, dense)
    if values.dtype in NATIVE and dense.dtype == values.dtype and values.dim() == 1:
        return _coo_mm(indices, values, dense, sparse.shape[0])
    rows, columns = indices
    return add_rows(values.unsqueeze(1) * dense.index_select(0, columns), rows, sparse.shape[0])


def _sparse_sparse(a, b):
    """Pairs every element (i, k) of `a` with the elements (k, j) of `b`."""
    kind = CSR if kind_of(a) == CSC else kind_of(a)
    left, right = coalesce(to_coo(a)), coalesce(to_coo(b))
    (rows, inner), (starts, columns) = parts_of(left).indices, parts_of(right).indices
    ends = rl.searchsorted(starts, rl.arange(b.shape[0]), right=True)
    first = rl.searchsorted(starts, rl.arange(b.shape[0]))
    counts = (ends - first)[inner]
    pair = rl.repeat_interleave(rl.arange(inner.shape[0]), counts)
    within = rl.arange(pair.shape[0]) - rl.repeat_interleave(counts.cumsum(0) - counts, counts)
    other = first[inner[pair]] + within
    values = values_of(left)[pair] * values_of(right)[other]
    indices = rl.stack((rows[pair], columns[other]))
    product = merged(indices, values, (a.shape[0], b.shape[1]))
    return product if kind == COO else convert(product, kind, block_size(a))


@handles("addmm")
def addmm(self, mat1, mat2, *, beta=1, alpha=1):
    """``beta * self + alpha * mat1 @ mat2``."""
    product = mm(mat1, mat2) if is_sparse(mat1) or is_sparse(mat2) else mat1 @ mat2
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    self = self if beta == 1 else self * beta
    if is_sparse(product) and not is_sparse(self):
        return rl.add(self.expand(product.shape), product)
    return rl.add(product, self)


@handles("mv")
def mv(self, vec):
    """A sparse matrix times a strided vector."""
    if self.dim() != 2 or vec.dim() != 1:
        raise RuntimeError(
            f"mv: expected a matrix and a vector, got {self.dim()}-D and {vec.dim()}-D tensors"
        )
    if is_sparse(vec):
        refuse("mv", self, vec)
    return mm(self, vec.unsqueeze(1)).squeeze(1)


@handles("addmv")
def addmv(self, mat, vec, *, beta=1, alpha=1):
    """``beta * self + alpha * mat @ vec``."""
    return beta * self + alpha * mv(mat, vec)


@handles("bmm")
def bmm(self, mat2):
    """Batches of sparse times strided matrices, or strided times sparse."""
    if self.dim() != 3 or mat2.dim() != 3:
        raise RuntimeError(f"bmm: expected 3-D tensors, got {self.dim()}-D and {mat2.dim()}-D")
    if self.shape[0] != mat2.shape[0] or self.shape[2] != mat2.shape[1]:
        raise RuntimeError(
            f"bmm: sizes {list(self.shape)} and {list(mat2.shape)} do not fit: expected "
            "(b, n, m) and (b, m, p)"
        )
    require_same_dtype("bmm", self, mat2)
    if is_sparse(mat2):
        if is_sparse(self):
            refuse("bmm", self, mat2)
        return bmm(transpose(mat2, 1, 2), self.transpose(1, 2)).transpose(1, 2)
    which, rows, columns = parts_of(to_coo(self)).indices
    (b, n, m), p = self.shape, mat2.shape[2]
    picked = mat2.reshape(b * m, p).index_select(0, which * m + columns)
    terms = values_of(to_coo(self)).unsqueeze(1) * picked
    return add_rows(terms, which * n + rows, b * n).reshape(b, n, p)


@handles("matmul", "__matmul__")
def matmul(self, other):
    """``@`` with a sparse operand, for vectors, matrices and batches of equal size."""
    dims = self.dim(), other.dim()
    if dims == (2, 2):
        return mm(self, other)
    if dims == (2, 1):
        return mv(self, other)
    if dims == (1, 2):
        return mv(transpose(other, 0, 1), self)
    if dims == (3, 3):
        return bmm(self, other)
    if dims[0] > 2 and dims[1] == 2 and not is_sparse(self):
        return mm(self.flatten(0, -2), other).unflatten(0, self.shape[:-1])
    return refuse("matmul", self, other)


@handles("linear")
def linear(input, weight, bias=None):  # noqa: A002
    """``input @ weight.t() + bias``."""
    product = matmul(input, transpose(weight, 0, 1) if is_sparse(weight) else weight.t())
    return (
        product if bias is None else rl.add(bias, product) if is_sparse(product) else product + bias
    )


# ---- products whose result is sparse ---------------------------------------------------------


@handles("smm")
def smm(self, mat2):
    """The product of a sparse and a strided matrix, as COO."""
    zeros = rl.sparse_coo_tensor((self.shape[0], mat2.shape[1]), dtype=self.dtype)
    return sspaddmm(zeros, self, mat2)


@handles("sspaddmm")
def sspaddmm(self, mat1, mat2, *, beta=1, alpha=1):
    """``beta * self + alpha * mat1 @ mat2`` with sparse ``self`` and ``mat1``, as COO."""
    _need_matrices("sspaddmm", mat1, mat2)
    rows = _rows_product(mat1, mat2)
    at, values = parts_of(rows).indices[0], values_of(rows)
    count = mat2.shape[1]
    indices = rl.stack((at.repeat_interleave(count), rl.arange(count).repeat(at.shape[0])))
    joined = rl.cat((parts_of(self).indices, indices), 1)
    values = rl.cat((values_of(self) * beta, (values * alpha).reshape(-1)))
    return coo(joined, values, (mat1.shape[0], count))


@handles("hspmm")
def hspmm(mat1, mat2):
    """The product as a hybrid tensor: sparse rows, dense columns."""
    _need_matrices("hspmm", mat1, mat2)
    return _rows_product(mat1, mat2)


def _rows_product(sparse, dense):
    """Only the rows of the product that are not empty."""
    sparse = coalesce(to_coo(sparse))
    rows, columns = parts_of(sparse).indices
    unique, inverse = rl.unique(rows, return_inverse=True)
    terms = values_of(sparse).unsqueeze(1) * dense.index_select(0, columns)
    values = add_rows(terms, inverse, unique.shape[0])
    return coo(unique.unsqueeze(0), values, (sparse.shape[0], dense.shape[1]), coalesced=True)


# ---- torch.sparse.* --------------------------------------------------------------------------

_REDUCTIONS = {
    "sum": None, "mean": "mean", "amax": "amax", "max": "amax", "amin": "amin", "min": "amin"
}  # fmt: skip


def sparse_mm(mat1, mat2, reduce=None):
    """The product of a sparse matrix and a sparse or strided one, differentiable for both.

    Args:
        mat1: (n, m), sparse; or strided if mat2 is sparse.
        mat2: (m, p).
        reduce: CSR only: "sum", "mean", "amax" or "amin" of the products instead of their sum.

    Returns: strided (n, p), or sparse if both are. A gradient of a sparse operand has its pattern.

    Example::

        >>> a = rl.eye(2).to_sparse()
        >>> rl.sparse.mm(a, rl.tensor([[1., 2.], [3., 4.]]))
        tensor([[1., 2.],
                [3., 4.]])
    """
    if reduce is None:
        return rl.mm(mat1, mat2)
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"sparse.mm: reduce must be one of {list(_REDUCTIONS)}, got {reduce!r}")
    if kind_of(mat1) != CSR or is_sparse(mat2):
        raise RuntimeError("sparse.mm with reduce: expected a CSR and a strided matrix")
    _need_matrices("sparse.mm", mat1, mat2)
    if reduce == "sum":
        return mm(mat1, mat2)
    rows, columns = coordinates(CSR, parts_of(mat1).indices)
    terms = values_of(mat1).unsqueeze(1) * mat2.index_select(0, columns)
    zeros = terms.new_zeros((mat1.shape[0], mat2.shape[1]))
    places = rows.unsqueeze(1).expand(terms.shape)
    return zeros.scatter_reduce(0, places, terms, _REDUCTIONS[reduce], include_self=False)


def sparse_addmm(mat, mat1, mat2, *, beta=1.0, alpha=1.0):
    """``beta * mat + alpha * mat1 @ mat2`` with sparse mat1; differentiable for all three.

    Example::

        >>> rl.sparse.addmm(rl.ones(2, 2), rl.eye(2).to_sparse(), rl.ones(2, 2))
        tensor([[2., 2.],
                [2., 2.]])
    """
    return rl.addmm(mat, mat1, mat2, beta=beta, alpha=alpha)


def _batched(input, mat1, mat2):  # noqa: A002
    """The pattern for each product of a batch; RuntimeError where it does not fit."""
    batch, theirs = tuple(mat1.shape[:-2]), tuple(mat2.shape[:-2])
    ours, core = tuple(input.shape[:-2]), tuple(input.shape[-2:])
    if batch != theirs or (ours and ours != batch):
        raise RuntimeError(
            f"sampled_addmm: input, mat1 and mat2 have batches of different sizes: {list(ours)}, "
            f"{list(batch)} and {list(theirs)}"
        )
    if core != (mat1.shape[-2], mat2.shape[-1]):
        raise RuntimeError(
            f"sampled_addmm: input of size {list(input.shape)} does not fit a product of size "
            f"{[*batch, mat1.shape[-2], mat2.shape[-1]]}"
        )
    if ours == batch:
        return input
    crow, column = (i.expand(*batch, *i.shape) for i in parts_of(input).indices)
    values = values_of(input)
    return build(values.expand(*batch, *values.shape), CSR, (crow, column), True, (*batch, *core))


def sampled_addmm(input, mat1, mat2, *, beta=1.0, alpha=1.0, out=None):  # noqa: A002
    """``beta * input + alpha * mat1 @ mat2`` at the places of a CSR tensor only.

    Args:
        input: CSR (*batch, n, m); its pattern is that of the result.
        mat1, mat2: strided (*batch, n, k) and (*batch, k, m).

    Example::

        >>> pattern = rl.eye(2).to_sparse_csr()
        >>> rl.sparse.sampled_addmm(pattern, rl.ones(2, 3), rl.ones(3, 2)).values()
        tensor([4., 4.])
    """
    if kind_of(input) != CSR:
        raise RuntimeError(
            f"sampled_addmm: Expected input to have sparse csr layout, got {input.layout}"
        )
    if is_sparse(mat1) or is_sparse(mat2):
        raise RuntimeError("sampled_addmm: Expected mat1 and mat2 to have strided layout")
    if mat1.dim() < 2 or mat2.dim() < 2 or mat1.shape[-1] != mat2.shape[-2]:
        raise RuntimeError(
            f"sampled_addmm: mat1 and mat2 shapes cannot be multiplied "
            f"({list(mat1.shape)} and {list(mat2.shape)})"
        )
    input = _batched(input, mat1, mat2)  # noqa: A001
    at = coordinates(CSR, parts_of(input).indices)
    rows = mat1[tuple(at[:-1])]
    columns = mat2.transpose(-1, -2)[(*at[:-2], at[-1])]
    values = values_of(input)
    product = (rows * columns).sum(-1).reshape(values.shape)
    result = like(input, beta * values + alpha * product if beta else alpha * product)
    if out is None:
        return result
    from rushlight.sparse._layout import assign

    return assign(out, result)
