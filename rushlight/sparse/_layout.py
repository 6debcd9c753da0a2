"""What a sparse tensor is: its parts, how it is made of them, and how gradients pass.

A sparse tensor has a kind (`rushlight._interpose`) and, as its payload, `Parts`: plain tensors of
indices and values. `values_of` and `build` are the only differentiable steps; whatever is computed
between them is ordinary dense ops, so gradients of any order follow. Operations on sparse tensors
are in the other modules of this package.
"""

import rushlight as rl
from rushlight import _native
from rushlight._interpose import SPARSE_KINDS, make_kind
from rushlight.autograd.function import Function

COO, CSR, CSC, BSR, BSC = range(1, 6)
LAYOUTS = {getattr(rl, name): kind for kind, name in enumerate(SPARSE_KINDS, 1)}
#: how PyTorch names layouts in messages
NAMES = ("Strided", "Sparse", "SparseCsr", "SparseCsc", "SparseBsr", "SparseBsc")


class Parts:
    """The parts of a sparse tensor: never changed, only replaced.

    Attributes:
        indices: COO: one int64 tensor (sparse_dim, nnz). Compressed: (compressed, plain) indices.
        values: COO: (nnz, *dense sizes). Compressed: (*batch, nnz, *block, *dense sizes).
        coalesced: COO: the indices are unique and sorted.
    """

    __slots__ = ("indices", "values", "coalesced")

    def __init__(self, indices, values, coalesced=True):
        self.indices, self.values, self.coalesced = indices, values, coalesced


kind_of, parts_of = _native.kind_of, _native.payload


def is_sparse(x):
    """Is it a tensor of one of the sparse layouts?"""
    return 0 < kind_of(x) <= BSC


class _Build(Function):
    @staticmethod
    def forward(ctx, values, kind, indices, coalesced, size):
        ctx.pattern = kind, indices, size
        ctx.blocks = tuple(values.shape[indices[0].dim() :][:2]) if kind >= BSR else None
        values = _native.untaped(values)
        parts = Parts(indices, values, coalesced)
        return make_kind(kind, size, values.dtype, values.device, parts)

    @staticmethod
    def backward(ctx, grad):
        kind, indices, size = ctx.pattern
        if is_sparse(grad) and same_indices(kind, indices, grad):
            return values_of(grad), None, None, None, None
        from rushlight.sparse._convert import gather

        return gather(grad, kind, indices, size, ctx.blocks), None, None, None, None


class _Values(Function):
    @staticmethod
    def forward(ctx, sparse):
        parts = parts_of(sparse)
        ctx.pattern = kind_of(sparse), parts.indices, parts.coalesced, tuple(sparse.shape)
        return parts.values.view_as(parts.values)

    @staticmethod
    def backward(ctx, grad):
        return build(grad, *ctx.pattern)


def build(values, kind, indices, coalesced, size):
    """The sparse tensor of these parts; gradients flow to `values`."""
    size = tuple(size)
    if rl.is_grad_enabled() and values.requires_grad:
        return _Build.apply(values, kind, indices, coalesced, size)
    parts = Parts(indices, _native.untaped(values), coalesced)
    return make_kind(kind, size, values.dtype, values.device, parts)


def coo(indices, values, size, coalesced=False):
    """A COO tensor of checked parts."""
    return build(values, COO, indices, coalesced, size)


def like(sparse, values, size=None):
    """A tensor with the pattern of `sparse` and other values."""
    parts = parts_of(sparse)
    size = sparse.shape if size is None else size
    return build(values, kind_of(sparse), parts.indices, parts.coalesced, size)


def values_of(sparse):
    """The values; gradients flow back into the sparse tensor."""
    if rl.is_grad_enabled() and sparse.requires_grad:
        return _Values.apply(sparse)
    return parts_of(sparse).values


def assign(sparse, result):
    """In-place: `sparse` becomes what `result`, of its kind, is."""
    if kind_of(result) != kind_of(sparse):
        raise RuntimeError(
            f"in-place operation on a {sparse.layout} tensor gave a {result.layout} one"
        )
    if result.dtype != sparse.dtype and not rl.can_cast(result.dtype, sparse.dtype):
        raise RuntimeError(
            f"result type {result.dtype} can't be cast to the desired output type {sparse.dtype}"
        )
    parts = parts_of(result)
    values = parts.values.to(sparse.dtype)
    if rl.is_grad_enabled() and (sparse.requires_grad or result.requires_grad):
        if sparse.is_leaf and sparse.requires_grad:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        raise NotImplementedError(
            f"in-place operations on {sparse.layout} tensors are not recorded for backward; "
            "use the out-of-place operation"
        )
    _native.replace_payload(
        sparse, tuple(result.shape), Parts(parts.indices, values, parts.coalesced)
    )
    return sparse


def same_indices(kind, indices, other):
    """Does `other` have exactly this pattern?"""
    if kind_of(other) != kind:
        return False
    theirs = parts_of(other).indices
    if kind == COO:
        return theirs is indices or (theirs.shape == indices.shape and rl.equal(theirs, indices))
    return all(
        a is b or (a.shape == b.shape and rl.equal(a.to(rl.int64), b.to(rl.int64)))
        for a, b in zip(theirs, indices)
    )


# ---- sizes -----------------------------------------------------------------------------------


def nnz(sparse):
    """The number of specified elements (blocks), of each batch."""
    parts = parts_of(sparse)
    return parts.indices.shape[1] if kind_of(sparse) == COO else parts.indices[1].shape[-1]


def sparse_dim(sparse):
    """How many dimensions the indices cover."""
    return parts_of(sparse).indices.shape[0] if kind_of(sparse) == COO else 2


def batch_dim(sparse):
    """How many leading dimensions of a compressed tensor are a batch."""
    return 0 if kind_of(sparse) == COO else parts_of(sparse).indices[0].dim() - 1


def block_size(sparse):
    """The block of BSR and BSC; (1, 1) of others."""
    if kind_of(sparse) < BSR:
        return 1, 1
    at = batch_dim(sparse) + 1
    return tuple(parts_of(sparse).values.shape[at : at + 2])


def dense_dim(sparse):
    """How many trailing dimensions are stored whole in the values."""
    return sparse.dim() - sparse_dim(sparse) - batch_dim(sparse)


# ---- coalescing ------------------------------------------------------------------------------


def flat_index(indices, sizes):
    """One number for each column of indices: its place in row-major order."""
    flat = indices.new_zeros(indices.shape[1])
    for row, size in zip(indices, sizes):
        flat = flat * size + row
    return flat


def unflatten(flat, sizes):
    """The inverse of `flat_index`."""
    rows = []
    for size in reversed(sizes):
        rows.append(flat % max(size, 1))
        flat = flat // max(size, 1)
    rows.reverse()
    return rl.stack(rows) if rows else flat.new_zeros((0, flat.shape[0]))


def coalesce(sparse):
    """Unique, sorted indices; values of the same place are added up."""
    parts = parts_of(sparse)
    if parts.coalesced:
        return sparse
    return merged(parts.indices, values_of(sparse), sparse.shape)


def merged(indices, values, size):
    """A coalesced COO tensor of possibly repeated indices."""
    sizes = tuple(size)[: indices.shape[0]]
    if indices.shape[1] < 2:
        return coo(indices, values, size, coalesced=True)
    unique, inverse = rl.unique(flat_index(indices, sizes), return_inverse=True)
    summed = add_rows(values, inverse, unique.shape[0])
    return coo(unflatten(unique, sizes), summed, size, coalesced=True)


def add_rows(values, rows, count):
    """Sums rows of `values` that go to the same of `count` places; booleans are or-ed."""
    if values.dtype == rl.bool:
        return add_rows(values.to(rl.uint8), rows, count) != 0
    return values.new_zeros((count, *values.shape[1:])).index_add(0, rows, values)
