"""Rearranging and selecting: transpose, select, index_select, cat, unsqueeze, x[...], zeros_like.

Indices of sparse dimensions change in the indices, those of dense dimensions in the values.
"""

import rushlight as rl
from rushlight.sparse import _layout
from rushlight.sparse._construct import empty_coo
from rushlight.sparse._convert import convert, to_coo, to_dense
from rushlight.sparse._dispatch import handles, refuse
from rushlight.sparse._layout import (
    BSR,
    COO,
    LAYOUTS,
    batch_dim,
    build,
    coo,
    is_sparse,
    kind_of,
    nnz,
    parts_of,
    sparse_dim,
    values_of,
)

_SWAPPED = {
    _layout.CSR: _layout.CSC,
    _layout.CSC: _layout.CSR,
    _layout.BSR: _layout.BSC,
    _layout.BSC: _layout.BSR,
}


def wrap(dim, ndim):
    """A dimension counted from the front. IndexError if out of range."""
    if not -max(ndim, 1) <= dim < max(ndim, 1):
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], "
            f"but got {dim})"
        )
    return dim % max(ndim, 1)


# ---- order of dimensions ---------------------------------------------------------------------


@handles("permute")
def permute(x, *order, dims=None):
    """COO: dimensions in another order; sparse and dense ones may not mix."""
    dims = order if dims is None else dims
    dims = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    if len(dims) != x.dim():
        raise RuntimeError(f"permute(): got {len(dims)} dims for a tensor of {x.dim()} dimensions")
    dims = [wrap(d, x.dim()) for d in dims]
    if sorted(dims) != list(range(x.dim())):
        raise RuntimeError(f"permute(): dims {dims} are not a permutation of {x.dim()} dimensions")
    if dims == list(range(x.dim())):
        return x
    if kind_of(x) != COO:
        return _permute_compressed(x, dims)
    n, parts = sparse_dim(x), parts_of(x)
    if any(d >= n for d in dims[:n]):
        raise RuntimeError("permute(): transpositions of sparse and dense dimensions are not mixed")
    values = values_of(x).permute(0, *[d - n + 1 for d in dims[n:]])
    order = rl.tensor(dims[:n], dtype=rl.int64)
    size = [x.shape[d] for d in dims]
    kept = parts.coalesced and (nnz(x) < 2 or dims[:n] == list(range(n)))
    return coo(parts.indices[order], values, size, coalesced=kept)


def _permute_compressed(x, dims):
    batch = batch_dim(x)
    swapped = list(range(x.dim()))
    swapped[batch], swapped[batch + 1] = batch + 1, batch
    if dims != swapped:
        refuse("permute", x)
    return transpose(x, batch, batch + 1)


@handles("transpose", "swapaxes", "swapdims")
def transpose(x, dim0, dim1):
    """Two dimensions exchanged; CSR becomes CSC, and the other way round."""
    a, b = wrap(dim0, x.dim()), wrap(dim1, x.dim())
    if a == b:
        return x
    if kind_of(x) == COO:
        dims = list(range(x.dim()))
        dims[a], dims[b] = b, a
        return permute(x, dims)
    batch, values = batch_dim(x), values_of(x)
    if {a, b} != {batch, batch + 1}:
        refuse("transpose", x)
    if kind_of(x) >= BSR:
        values = values.transpose(batch + 1, batch + 2)
    size = list(x.shape)
    size[a], size[b] = size[b], size[a]
    return build(values, _SWAPPED[kind_of(x)], parts_of(x).indices, True, size)


@handles("t", rl.Tensor.T.__get__)
def t(x):
    """The transpose of a matrix."""
    if x.dim() > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {x.dim()}D")
    return transpose(x, 0, 1) if x.dim() == 2 else x


@handles(rl.Tensor.mT.__get__, "mT")
def matrix_transpose(x):
    """The last two dimensions exchanged."""
    return transpose(x, -2, -1)


@handles("adjoint", rl.Tensor.mH.__get__, rl.Tensor.H.__get__)
def adjoint(x):
    """The conjugate transpose."""
    return _layout.like(t_ := transpose(x, -2, -1), values_of(t_).conj())


@handles("unsqueeze")
def unsqueeze(x, dim):
    """A new dimension of size 1."""
    if kind_of(x) != COO:
        refuse("unsqueeze", x)
    dim, n, parts, size = wrap(dim, x.dim() + 1), sparse_dim(x), parts_of(x), list(x.shape)
    size.insert(dim, 1)
    if dim > n:
        return coo(parts.indices, values_of(x).unsqueeze(dim - n + 1), size, parts.coalesced)
    row = parts.indices.new_zeros((1, nnz(x)))
    indices = rl.cat((parts.indices[:dim], row, parts.indices[dim:]))
    return coo(indices, values_of(x), size, parts.coalesced)


# ---- selecting -------------------------------------------------------------------------------


@handles("select")
def select(x, dim, index):
    """The slice at one index; strided if no sparse dimension is left."""
    if kind_of(x) != COO:
        return select(to_coo(x), dim, index)
    dim, n, parts = wrap(dim, x.dim()), sparse_dim(x), parts_of(x)
    index = int(index)
    if not -x.shape[dim] <= index < x.shape[dim]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(x.shape)} "
            f"at dimension {dim}"
        )
    index %= x.shape[dim]
    size = [s for d, s in enumerate(x.shape) if d != dim]
    if dim >= n:
        return coo(parts.indices, values_of(x).select(dim - n + 1, index), size, parts.coalesced)
    chosen = (parts.indices[dim] == index).nonzero().reshape(-1)
    values = values_of(x)[chosen]
    if n == 1:
        return values.sum(0)
    kept = rl.cat((parts.indices[:dim], parts.indices[dim + 1 :]))[:, chosen]
    return coo(kept, values, size, parts.coalesced)


@handles("index_select")
def index_select(x, dim, index):
    """The slices at several indices, in their order."""
    if not is_sparse(x):
        refuse("index_select", x, index)
    if kind_of(x) != COO:
        return convert(index_select(to_coo(x), dim, index), kind_of(x))
    dim, n, parts, size = wrap(dim, x.dim()), sparse_dim(x), parts_of(x), list(x.shape)
    index = index.reshape(-1)
    length = index.shape[0]
    if length and not (-size[dim] <= int(index.min()) and int(index.max()) < size[dim]):
        raise IndexError(f"index_select(): index out of range for dimension of size {size[dim]}")
    index = rl.where(index < 0, index + size[dim], index)
    if dim >= n:
        values = values_of(x).index_select(dim - n + 1, index)
        size[dim] = length
        return coo(parts.indices, values, size, parts.coalesced)
    # For each element: the positions in `index` that ask for it.
    order = parts.indices[dim].argsort(stable=True)
    line = parts.indices[dim][order]
    first, last = rl.searchsorted(line, index), rl.searchsorted(line, index, right=True)
    counts = last - first
    place = rl.repeat_interleave(rl.arange(length), counts)
    within = rl.arange(place.shape[0]) - rl.repeat_interleave(counts.cumsum(0) - counts, counts)
    chosen = order[rl.repeat_interleave(first, counts) + within]
    indices = parts.indices[:, chosen].clone()
    indices[dim] = place
    size[dim] = length
    return coo(indices, values_of(x)[chosen], size, parts.coalesced and dim == 0)


@handles("narrow_copy")
def narrow_copy(x, dim, start, length):
    """A range of one dimension, as a copy."""
    if kind_of(x) != COO:
        refuse("narrow_copy", x)
    n, parts, size, start = sparse_dim(x), parts_of(x), list(x.shape), int(start)
    if not 0 <= dim < x.dim():
        raise RuntimeError(f"narrow_copy(): expected dim between 0 and {x.dim() - 1}, got {dim}")
    if start < 0 or start + length > size[dim] or length < 0:
        raise RuntimeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({size[dim]})."
        )
    size[dim] = length
    if dim >= n:
        values = values_of(x).narrow(dim - n + 1, start, length)
        return coo(parts.indices, values, size, parts.coalesced)
    row = parts.indices[dim]
    chosen = ((row >= start) & (row < start + length)).nonzero().reshape(-1)
    indices = parts.indices[:, chosen].clone()
    indices[dim] -= start
    return coo(indices, values_of(x)[chosen], size, parts.coalesced)


@handles("__getitem__")
def getitem(x, index):
    """Integers, ``...`` and None; slices of sparse tensors are not supported."""
    if not is_sparse(x):
        refuse("__getitem__", x, *(index if isinstance(index, tuple) else (index,)))
    index = index if isinstance(index, tuple) else (index,)
    used = sum(1 for i in index if i is not None and i is not Ellipsis)
    dim = 0
    for item in index:
        if item is Ellipsis:
            dim += max(0, x.dim() - dim - used)
        elif item is None:
            x, dim = rl.unsqueeze(x, dim), dim + 1
        elif isinstance(item, slice) and item == slice(None):
            used, dim = used - 1, dim + 1
        elif isinstance(item, int) or (isinstance(item, rl.Tensor) and item.dim() == 0):
            if dim >= x.dim():
                raise IndexError(f"too many indices for tensor of dimension {x.dim()}")
            x, used = rl.select(x, dim, int(item)), used - 1
        else:
            raise NotImplementedError(
                f"__getitem__: not implemented for {x.layout} tensors with index {item!r}; "
                "use index_select or narrow_copy"
            )
    return x


@handles("unbind")
def unbind(x, dim=0):
    """All slices of one dimension."""
    return tuple([select(x, dim, i) for i in range(x.shape[dim])])


# ---- joining ---------------------------------------------------------------------------------


@handles("cat", "concat", "concatenate")
def cat(tensors, dim=0):
    """Sparse tensors one after the other."""
    for i, tensor in enumerate(tensors):
        if not is_sparse(tensor):
            raise RuntimeError(
                f"Concatenating sparse tensors, but a dense tensor was found at position {i}."
            )
    first = tensors[0]
    if kind_of(first) != COO:
        refuse("cat", *tensors)
    dim, n = wrap(dim, first.dim()), sparse_dim(first)
    for tensor in tensors:
        if sparse_dim(tensor) != n:
            raise RuntimeError("cat(): all sparse tensors must have the same sparse_dim")
        if [s for d, s in enumerate(tensor.shape) if d != dim] != [
            s for d, s in enumerate(first.shape) if d != dim
        ]:
            raise RuntimeError(
                "All tensors must have the same shape, except along the dimension of the cat: got "
                f"{[list(x.shape) for x in tensors]}"
            )
    size = list(first.shape)
    size[dim] = sum(x.shape[dim] for x in tensors)
    if dim >= n:
        return _cat_dense(tensors, dim - n, size)
    rows, offset = [], 0
    for tensor in tensors:
        indices = parts_of(tensor).indices.clone()
        indices[dim] += offset
        offset += tensor.shape[dim]
        rows.append(indices)
    values = rl.cat([values_of(x) for x in tensors])
    whole = all(parts_of(x).coalesced for x in tensors) and dim == 0
    return coo(rl.cat(rows, 1), values, size, coalesced=whole)


def _cat_dense(tensors, dim, size):
    """Along a dense dimension: each tensor's values lie between zeros."""
    before, total, pieces = 0, sum(values_of(x).shape[dim + 1] for x in tensors), []
    for tensor in tensors:
        values = values_of(tensor).movedim(dim + 1, -1)
        after = total - before - values.shape[-1]
        pieces.append(rl.nn.functional.pad(values, (before, after)).movedim(-1, dim + 1))
        before += values.shape[-1]
    indices = rl.cat([parts_of(x).indices for x in tensors], 1)
    return coo(indices, rl.cat(pieces), size)


@handles("stack")
def stack(tensors, dim=0):
    """Sparse tensors along a new dimension."""
    return cat([unsqueeze(x, dim) for x in tensors], wrap(dim, tensors[0].dim() + 1))


# ---- new ones --------------------------------------------------------------------------------


def zeros_of(size, kind, dtype, device=None, blocks=(1, 1)):
    """No elements at all, in the given layout."""
    if kind == COO:
        return empty_coo(size, dtype, device)
    return convert(rl.zeros(size, dtype=dtype, device=device), kind, blocks)


@handles("zeros", "empty")
def _new(*size, dtype=None, layout=None, device=None, requires_grad=False, **options):
    size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    size = options.pop("size", size)
    kind = LAYOUTS[layout]
    if kind >= BSR:
        raise RuntimeError(f"zeros(): layout {layout} needs a block size, which zeros has not")
    made = zeros_of(size, kind, dtype or rl.get_default_dtype(), device)
    return made.requires_grad_() if requires_grad else made


@handles("zeros_like", "empty_like")
def _like(
    x, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None, **options
):
    if memory_format is not None:
        raise RuntimeError(f"memory formats are for strided tensors, got one for {x.layout}")
    kind = kind_of(x) if layout is None else LAYOUTS.get(layout, 0)
    dtype = dtype or x.dtype
    if kind == 0:
        made = rl.zeros(x.shape, dtype=dtype, device=device)
    elif kind == COO and kind_of(x) == COO:
        made = empty_coo(tuple(x.shape), dtype, device, sparse_dim(x))
    else:
        blocks = _layout.block_size(x) if is_sparse(x) else (1, 1)
        made = zeros_of(tuple(x.shape), kind, dtype, device, blocks)
    return made.requires_grad_() if requires_grad else made


@handles("new_zeros", "new_empty")
def _new_like(x, *size, dtype=None, device=None, layout=None, requires_grad=False, **options):
    size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    kind = kind_of(x) if layout is None else LAYOUTS.get(layout, 0)
    if kind == 0:
        return rl.zeros(size, dtype=dtype or x.dtype, device=device)
    made = zeros_of(tuple(size), kind, dtype or x.dtype, device)
    return made.requires_grad_() if requires_grad else made


@handles("squeeze", "reshape", "view", "flatten", "as_strided", "expand", "narrow")
def _refused(x, *args, **kwargs):
    raise NotImplementedError(
        f"views such as reshape, narrow and expand are not implemented for {x.layout} tensors"
    )


@handles("broadcast_to")
def broadcast_to(x, size):
    """A sparse tensor repeated along dimensions of size 1, as COO."""
    from rushlight.sparse._convert import dense_to_coo

    return dense_to_coo(to_dense(x).broadcast_to(size))
