"""Conversions between layouts: to_dense, to_sparse(...), sparse_mask, and reading a pattern.

Everything runs on plain indices and values, and is differentiable through them.
"""

import rushlight as rl
from rushlight.ops.matmul import _coo_dense, _csr_coordinates
from rushlight.sparse import _layout
from rushlight.sparse._construct import empty_coo
from rushlight.sparse._layout import (
    BSR,
    COO,
    CSC,
    LAYOUTS,
    batch_dim,
    block_size,
    build,
    coalesce,
    coo,
    flat_index,
    is_sparse,
    kind_of,
    nnz,
    parts_of,
    values_of,
)

NATIVE = (rl.float32, rl.float64)  # of sums in one pass; others are rounded after each step


def by_row(kind):
    """Do the compressed indices of the layout run over rows?"""
    return kind not in (CSC, _layout.BSC)


def coordinates(kind, indices):
    """(dimensions, elements): where each element (block) of a pattern is; batches come first."""
    if kind == COO:
        return indices
    compressed, plain = indices
    batch = compressed.shape[:-1]
    if not batch:
        return _csr_coordinates(compressed, plain, by_row(kind))
    compressed, plain = compressed.to(rl.int64), plain.to(rl.int64)
    lines = rl.arange(compressed.shape[-1] - 1).repeat(batch.numel())
    line = rl.repeat_interleave(lines, compressed.diff().reshape(-1))
    pair = (line, plain.reshape(-1)) if by_row(kind) else (plain.reshape(-1), line)
    which = rl.arange(batch.numel()).repeat_interleave(plain.shape[-1])
    return rl.stack((*_layout.unflatten(which, tuple(batch)), *pair))


def _flat_values(sparse):
    """Values as (elements, *block, *dense sizes), without batch dimensions."""
    values, batch = values_of(sparse), batch_dim(sparse)
    return values.flatten(0, batch) if batch else values


# ---- to dense --------------------------------------------------------------------------------


def to_dense(sparse, dtype=None, *, masked_grad=None):
    """The strided tensor with the same elements."""
    kind, size = kind_of(sparse), tuple(sparse.shape)
    at = coordinates(kind, parts_of(sparse).indices)
    values = values_of(sparse) if kind == COO else _flat_values(sparse)
    if kind >= BSR:
        dense = _dense_of_blocks(sparse, at, values)
    elif not at.shape[0]:
        dense = values.sum(0)
    else:
        dense = _scatter(values, at, size)
    return dense if dtype is None else dense.to(dtype)


def _scatter(values, at, size):
    if values.dtype == rl.bool:
        return _scatter(values.to(rl.uint8), at, size) != 0
    if values.dtype in NATIVE:
        return _coo_dense(at, values, size)
    zeros = values.new_zeros(size)
    put = zeros.index_put if values.requires_grad else zeros.index_put_
    return put(at.unbind(), values, accumulate=True)


def _dense_of_blocks(sparse, at, values):
    batch, (b0, b1) = batch_dim(sparse), block_size(sparse)
    size = tuple(sparse.shape)
    rows, columns = size[batch] // b0, size[batch + 1] // b1
    dense = size[batch + 2 :]
    blocks = _scatter(values, at, (*size[:batch], rows, columns, b0, b1, *dense))
    return blocks.transpose(batch + 1, batch + 2).reshape(size)


# ---- from dense ------------------------------------------------------------------------------


def dense_to_coo(dense, sparse_dim=None):
    """The elements that are not zero, as COO with that many sparse dimensions."""
    dims = dense.dim() if sparse_dim is None else sparse_dim
    if not 0 <= dims <= dense.dim() or (dims == 0 and dense.dim() > 0):
        raise RuntimeError(
            f"to_sparse: sparse_dim {dims} is out of range for a tensor of {dense.dim()} dimensions"
        )
    mask = dense.detach() != 0
    if dims < dense.dim():
        mask = mask.flatten(dims).any(-1)
    at = mask.nonzero().t()
    values = dense[tuple(at)] if dims else dense.reshape(1)[: at.shape[1]]
    return coo(at, values, dense.shape, coalesced=True)


def dense_to_compressed(dense, kind, blocks=(1, 1), dense_dim=0):
    """The elements (blocks) that are not zero, in a compressed layout; leading dims are a batch."""
    batch = dense.dim() - 2 - dense_dim
    if batch < 0:
        raise RuntimeError(
            f"to_sparse: expected at least {2 + dense_dim} dimensions, got {dense.dim()}"
        )
    if dense.dim() == 2 and kind < BSR:
        return _matrix_to_compressed(dense, kind)
    split = blocked(dense, blocks, batch)
    mask = (split.detach() != 0).flatten(batch + 2).any(-1)
    at = (mask if by_row(kind) else mask.transpose(-1, -2)).nonzero()
    lines = mask if by_row(kind) else mask.transpose(-1, -2)
    counts = lines.sum(-1)
    per_batch = counts.sum(-1)
    if per_batch.numel() and (per_batch != per_batch.flatten()[0]).any():
        raise RuntimeError(
            "Expect the same number of specified elements per batch, got "
            f"{per_batch.flatten().tolist()}"
        )
    many = int(per_batch.flatten()[0]) if per_batch.numel() else 0
    compressed = rl.nn.functional.pad(counts.cumsum(-1), (1, 0))
    where = list(at.t())
    plain = where[-1].reshape(*dense.shape[:batch], many)
    if not by_row(kind):
        where[-1], where[-2] = where[-2], where[-1]
    values = split[tuple(where)]
    if kind < BSR:
        values = values.reshape(values.shape[0], *dense.shape[batch + 2 :])
    values = values.reshape(*dense.shape[:batch], many, *values.shape[1:])
    return build(values, kind, (compressed, plain), True, dense.shape)


def _matrix_to_compressed(dense, kind):
    lines = dense if by_row(kind) else dense.t()
    mask = lines.detach() != 0
    line, plain = mask.nonzero().unbind(1)
    compressed = rl.nn.functional.pad(mask.sum(1).cumsum(0), (1, 0))
    return build(lines[line, plain], kind, (compressed, plain.contiguous()), True, dense.shape)


def blocked(dense, blocks, batch):
    """(*batch, rows, columns, *dense) as (*batch, block rows, block columns, *block, *dense)."""
    (b0, b1), size = blocks, tuple(dense.shape)
    rows, columns = size[batch : batch + 2]
    if b0 < 1 or b1 < 1 or rows % b0 or columns % b1:
        raise RuntimeError(
            f"Tensor size({batch}) {rows} and size({batch + 1}) {columns} need to be divisible by "
            f"blocksize {tuple(blocks)}"
        )
    split = dense.reshape(*size[:batch], rows // b0, b0, columns // b1, b1, *size[batch + 2 :])
    return split.transpose(batch + 1, batch + 2)


# ---- between sparse layouts ------------------------------------------------------------------


def to_coo(sparse):
    """Any sparse layout as COO."""
    kind = kind_of(sparse)
    if kind == COO:
        return sparse
    at, values = coordinates(kind, parts_of(sparse).indices), _flat_values(sparse)
    if kind >= BSR:
        at, values = _unblocked(at, values, block_size(sparse))
    if kind != _layout.CSR:  # in the order of columns or blocks: sort
        order = flat_index(at, tuple(sparse.shape)[: at.shape[0]]).argsort()
        at, values = at[:, order], values[order]
    return coo(at, values, sparse.shape, coalesced=True)


def _unblocked(at, values, blocks):
    """Coordinates and values of the single elements of blocks."""
    b0, b1 = blocks
    within = rl.stack((rl.arange(b0).repeat_interleave(b1), rl.arange(b1).repeat(b0)))
    corner = at[-2:] * rl.tensor([[b0], [b1]])
    pair = (corner.unsqueeze(-1) + within.unsqueeze(1)).reshape(2, -1)
    leading = at[:-2].repeat_interleave(b0 * b1, dim=1)
    return rl.cat((leading, pair)), values.flatten(0, 2)


def coo_to_compressed(sparse, kind, blocks=(1, 1)):
    """A two-dimensional COO tensor (with dense dimensions) in a compressed layout."""
    sparse = coalesce(sparse)
    if _layout.sparse_dim(sparse) != 2:
        return dense_to_compressed(to_dense(sparse), kind, blocks, _layout.dense_dim(sparse))
    at, values, size = parts_of(sparse).indices, values_of(sparse), tuple(sparse.shape)
    blocked(rl.empty(size[:2], device="meta"), blocks, 0)  # checks divisibility
    unit = rl.tensor(blocks).unsqueeze(1)
    places, counts = at // unit, (size[0] // blocks[0], size[1] // blocks[1])
    if not by_row(kind):
        places, counts = places.flip(0), counts[::-1]
    flat, inverse = rl.unique(flat_index(places, counts), return_inverse=True)
    line, plain = flat // max(counts[1], 1), flat % max(counts[1], 1)
    compressed = rl.searchsorted(line, rl.arange(counts[0] + 1))
    if kind < BSR:
        values = values[inverse.argsort()]
    else:
        row, column = at % unit
        blank = values.new_zeros((flat.shape[0], *blocks, *size[2:]))
        values = blank.index_put((inverse, row, column), values)
    return build(values, kind, (compressed, plain), True, size)


def convert(x, kind, blocks=None, dense_dim=None):
    """`x`, strided or sparse, in the given layout (0: strided)."""
    blocks = tuple(blocks) if blocks is not None else (1, 1)
    if kind == 0:
        return to_dense(x) if is_sparse(x) else x
    if not is_sparse(x):
        if kind == COO:
            return dense_to_coo(x, None if dense_dim is None else x.dim() - dense_dim)
        return dense_to_compressed(x, kind, blocks, dense_dim or 0)
    if kind == kind_of(x) and (kind < BSR or blocks == block_size(x)):
        return x
    if kind == COO:
        return to_coo(x)
    if batch_dim(x):
        made = dense_to_compressed(to_dense(x), kind, blocks, _layout.dense_dim(x))
    else:
        made = coo_to_compressed(to_coo(x), kind, blocks)
    if kind_of(x) == COO or parts_of(x).indices[0].dtype == rl.int64:
        return made
    narrow = tuple(i.to(rl.int32) for i in parts_of(made).indices)
    return build(values_of(made), kind, narrow, True, made.shape)


def to_sparse(x, *args, layout=None, blocksize=None, dense_dim=None, **kwargs):
    """``to_sparse(sparse_dim)`` or ``to_sparse(layout=, blocksize=, dense_dim=)``."""
    if not is_sparse(x) and x.dtype.itemsize == 1 and x.dtype.is_floating_point:
        raise NotImplementedError(f"to_sparse() is not implemented for {x.dtype}")
    sparse_dim = args[0] if args else kwargs.pop("sparseDims", kwargs.pop("sparse_dim", None))
    if kwargs:
        raise TypeError(f"to_sparse() got an unexpected keyword argument {next(iter(kwargs))!r}")
    if sparse_dim is not None and (layout or blocksize or dense_dim):
        raise TypeError("to_sparse() takes either sparse_dim or layout, blocksize and dense_dim")
    if sparse_dim is not None:
        if is_sparse(x):
            return convert(dense_to_coo(to_dense(x), sparse_dim), COO)
        return dense_to_coo(x, sparse_dim)
    kind = COO if layout is None else 0 if layout is rl.strided else LAYOUTS[layout]
    if blocksize is not None and kind < BSR:
        raise RuntimeError("to_sparse: blocksize is for layouts sparse_bsr and sparse_bsc only")
    if kind >= BSR and blocksize is None and kind != kind_of(x):
        raise RuntimeError(f"to_sparse: layout {layout} needs a blocksize")
    return convert(x, kind, blocksize, dense_dim)


# ---- reading at the places of a pattern ------------------------------------------------------


def gather(x, kind, indices, size, blocks=None):
    """The values of `x`, of any layout, at the places of a pattern; 0 where `x` has none."""
    at = coordinates(kind, indices)
    if kind >= BSR:
        batch = indices[0].dim() - 1
        split = blocked(to_dense(x) if is_sparse(x) else x, blocks, batch)
        return split[tuple(at)].reshape(*indices[1].shape, *split.shape[batch + 2 :])
    values = _gather_coo(to_coo(x), at) if is_sparse(x) else _gather_dense(x, at)
    batch = indices[0].dim() - 1 if kind != COO else 0
    return values.reshape(*indices[1].shape, *values.shape[1:]) if batch else values


def _gather_dense(x, at):
    return x[tuple(at)] if at.shape[0] else x.expand(at.shape[1], *x.shape)


def _gather_coo(x, at):
    x = coalesce(x)
    if _layout.sparse_dim(x) != at.shape[0]:
        return _gather_dense(to_dense(x), at)
    sizes = tuple(x.shape)[: at.shape[0]]
    have, want = flat_index(parts_of(x).indices, sizes), flat_index(at, sizes)
    values = values_of(x)
    if not have.shape[0]:
        return values.new_zeros((want.shape[0], *values.shape[1:]))
    place = rl.searchsorted(have, want).clamp(max=have.shape[0] - 1)
    found = have[place] == want
    found = found.reshape(-1, *[1] * (values.dim() - 1))
    return rl.where(found, values[place], rl.zeros((), dtype=values.dtype))


def sparse_mask(x, mask):
    """The elements of `x` at the places of `mask`, in the layout of `mask`."""
    if not is_sparse(mask):
        raise RuntimeError("sparse_mask(): expected mask to be sparse")
    if tuple(x.shape) != tuple(mask.shape):
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(x.shape)} but "
            f"mask has size {list(mask.shape)}"
        )
    if is_sparse(x) and nnz(mask) == 0:
        return empty_coo(x.shape, x.dtype, sparse=_layout.sparse_dim(mask))
    parts, kind = parts_of(mask), kind_of(mask)
    values = gather(x, kind, parts.indices, x.shape, block_size(mask))
    return build(values, kind, parts.indices, parts.coalesced, x.shape)


def with_dtype(sparse, dtype):
    """The same pattern with values of another dtype."""
    return _layout.like(sparse, values_of(sparse).to(dtype))


def clone(sparse):
    """A copy of indices and values."""
    parts = parts_of(sparse)
    pair = parts.indices
    indices = pair.clone() if kind_of(sparse) == COO else tuple(i.clone() for i in pair)
    return build(values_of(sparse).clone(), kind_of(sparse), indices, parts.coalesced, sparse.shape)
