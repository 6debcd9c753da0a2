"""Reductions: sum, norm, any, softmax over the specified elements.

A sum over sparse dimensions drops rows of the indices and adds up what falls together.
"""

import rushlight as rl
from rushlight.sparse._convert import convert, to_coo
from rushlight.sparse._dispatch import handles, refuse
from rushlight.sparse._layout import (
    COO,
    add_rows,
    block_size,
    coalesce,
    coo,
    flat_index,
    is_sparse,
    kind_of,
    like,
    merged,
    nnz,
    parts_of,
    sparse_dim,
    values_of,
)
from rushlight.sparse._shape import unsqueeze, wrap


@handles("sum")
def total(self, dim=None, keepdim=False, *, dtype=None):
    """The sum of all elements, or over dimensions."""
    if dtype is None and not (self.dtype.is_floating_point or self.dtype.is_complex):
        dtype = rl.int64
    values = values_of(self) if dtype is None else values_of(self).to(dtype)
    dims = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if not dims:
        whole = values.sum()
        return whole.reshape((1,) * self.dim()) if keepdim else whole
    if kind_of(self) != COO:
        summed = total(to_coo(like(self, values)), dims, keepdim)
        return convert(summed, kind_of(self), block_size(self)) if is_sparse(summed) else summed
    return _sum_dims(like(self, values), dims, keepdim)


def _sum_dims(x, dims, keepdim):
    dims = sorted({wrap(d, x.dim()) for d in dims})
    n, values, indices = sparse_dim(x), values_of(x), parts_of(x).indices
    dense = [d - n + 1 for d in dims if d >= n]
    if dense:
        values = values.sum(dense)
    kept = [d for d in range(n) if d not in dims]
    size = [s for d, s in enumerate(x.shape) if d not in dims]
    if not kept:
        result = values.sum(0)
    elif len(kept) == n:
        result = coalesce(coo(indices, values, size, parts_of(x).coalesced))
    else:
        result = merged(indices[rl.tensor(kept)], values, size)
    for d in dims if keepdim else ():
        result = unsqueeze(result, d) if is_sparse(result) else result.unsqueeze(d)
    return result


@handles("any")
def any_element(self, dim=None, keepdim=False):
    """Is any element not zero?"""
    if dim is not None:
        refuse("any", self)
    self = coalesce(self) if kind_of(self) == COO else self
    return values_of(self).any()


@handles("norm", "native_norm")
def norm(self, p="fro", dim=None, keepdim=False, dtype=None):
    """The norm of all elements."""
    if dim not in (None, (), []) or keepdim:
        refuse("norm", self)
    self = coalesce(self) if kind_of(self) == COO else self
    return rl.norm(values_of(self).reshape(-1), p, dtype=dtype)


# ---- torch.sparse.* --------------------------------------------------------------------------


def sparse_sum(input, dim=None, dtype=None):  # noqa: A002
    """The sum of a sparse tensor; its gradient has the pattern of the input.

    Args:
        input: a sparse tensor.
        dim: dimensions to sum over; all if None.
        dtype: of the result.

    Returns: a number if nothing is left, strided if no sparse dimension is left, else sparse.

    Example::

        >>> rl.sparse.sum(rl.eye(3).to_sparse(), 0).to_dense()
        tensor([1., 1., 1.])
    """
    return total(input, dim, dtype=dtype)


def softmax(input, dim, *, dtype=None):  # noqa: A002
    """Softmax over the specified elements along `dim`; missing ones count as -inf.

    Example::

        >>> rl.sparse.softmax(rl.eye(2).to_sparse(), 1).values()
        tensor([1., 1.])
    """
    return _softmax(input, dim, dtype, log=False)


def log_softmax(input, dim, *, dtype=None):  # noqa: A002
    """The logarithm of `softmax`.

    Example::

        >>> rl.sparse.log_softmax(rl.eye(2).to_sparse(), 1).values()
        tensor([0., 0.])
    """
    return _softmax(input, dim, dtype, log=True)


def _softmax(x, dim, dtype, log):
    if kind_of(x) != COO:
        refuse("softmax", x)
    x = coalesce(x if dtype is None else like(x, values_of(x).to(dtype)))
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise RuntimeError(f"softmax: expected a floating dtype, got {x.dtype}")
    dim, n, values = wrap(dim, x.dim()), sparse_dim(x), values_of(x)
    if dim >= n:
        function = rl.log_softmax if log else rl.softmax
        return like(x, function(values, dim - n + 1))
    if not nnz(x):
        return x
    others = [d for d in range(n) if d != dim]
    indices = parts_of(x).indices
    flat = flat_index(indices[rl.tensor(others, dtype=rl.int64)], [x.shape[d] for d in others])
    unique, group = rl.unique(flat, return_inverse=True)
    count = unique.shape[0]
    lowest = rl.full((count, *values.shape[1:]), -rl.inf, dtype=values.dtype)
    places = group.reshape(-1, *[1] * (values.dim() - 1)).expand(values.shape)
    top = lowest.scatter_reduce(0, places, values.detach(), "amax")
    shifted = values - top[group]
    sums = add_rows(shifted.exp(), group, count)[group]
    return like(x, shifted - sums.log() if log else shifted.exp() / sums)


@handles("softmax", "log_softmax", "_softmax", "_log_softmax")
def _general_softmax(*args, **kwargs):
    raise NotImplementedError(
        "softmax(): not implemented for sparse tensors, whose missing elements would be zeros; "
        "torch.sparse.softmax treats them as -inf"
    )
