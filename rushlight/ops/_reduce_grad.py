"""What the gradient rules of reductions are made of: undoing the loss of dimensions, sharing a
gradient among equals, and products without one factor. No op records here."""

import rushlight as rl
from rushlight.ops._decisions import some, written


def dims_of(dim, ndim):
    """The reduced dimensions as a sorted tuple of non-negative ints; None and () mean all."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    dims = (dim,) if isinstance(dim, int) else dim
    return tuple(sorted([int(d) % max(ndim, 1) for d in dims]))


def restore(g, meta, dim, keepdim):
    """Puts the reduced dimensions back with size one, so that `g` broadcasts to `meta`'s shape."""
    ndim = meta.dim()
    if keepdim or ndim == 0 or g.dim() == ndim:
        return g
    dims = dims_of(dim, ndim)
    if len(dims) == ndim:
        return g
    for d in dims:
        g = g.unsqueeze(d)
    return g


def spread(g, meta, dim, keepdim):
    """`restore`, expanded to `meta`'s shape."""
    if dim is None:  # a number, or dimensions of size one
        return g.expand(meta.shape)
    return restore(g, meta, dim, keepdim).expand(meta.shape)


def count(meta, dim):
    """How many elements of `meta` go into each output."""
    n = 1
    for d in dims_of(dim, meta.dim()):
        n *= meta.shape[d] if meta.dim() else 1
    return n


def share_among_equals(g, x, result, dim, keepdim):
    """The gradient of an extremum, split evenly among the elements that attain it."""
    mask = x == restore(result, x, dim, keepdim)
    dims = dims_of(dim, x.dim())
    share = restore(g, x, dim, keepdim) / (mask.sum(dims, keepdim=True) if x.dim() else mask.sum())
    return share * mask


def to_selected(g, meta, dim, keepdim, indices):
    """Zeros of `meta`'s shape with `g` at the selected positions along `dim`."""
    if meta.dim() == 0:
        return g.reshape(())
    if not keepdim:
        g, indices = g.unsqueeze(dim), indices.unsqueeze(dim)
    return written(rl.zeros(meta.shape, dtype=g.dtype), "scatter", dim, indices, g)


def without_each(x, dim):
    """For each element the product of all others along `dim`; right where elements are zero."""
    n = x.shape[dim]
    one = rl.ones_like(x.narrow(dim, 0, 1))
    before = rl.cat([one, x.narrow(dim, 0, n - 1)], dim).cumprod(dim)
    behind = rl.cat([one, x.narrow(dim, 1, n - 1).flip(dim)], dim).cumprod(dim).flip(dim)
    return before * behind


def product_grad(g, x, result):
    """The gradient of x.prod()."""
    if x.dim() == 0:
        return g
    if some(x == 0):
        return g * without_each(x.reshape(-1), 0).reshape(x.shape).conj()
    return g * (result / x).conj()


def product_dim_grad(g, x, result, dim, keepdim):
    """The gradient of x.prod(dim)."""
    if x.dim() == 0:
        return g
    g, result = restore(g, x, dim, keepdim), restore(result, x, dim, keepdim)
    if x.numel() == 0:
        return g * x  # nothing, but part of the graph
    if some(x == 0):
        return g * without_each(x, dim).conj()
    return g * (result / x).conj()


def norm_grad(g, x, result, ord, dim, keepdim):
    """The gradient of a vector norm; at 0 the subgradient 0."""
    g, result = restore(g, x, dim, keepdim), restore(result, x, dim, keepdim)
    ord = float(ord)
    if ord == 0:
        return rl.zeros_like(x)
    if ord == 1:
        return x.sgn() * g
    if ord == 2:
        return (x / result).masked_fill(result == 0, 0) * g
    size = x.abs()
    if ord in (float("inf"), float("-inf")):
        mask = (size == result) | size.isnan()
        dims = dims_of(dim, x.dim())
        return x.sgn() * (g / mask.sum(dims, keepdim=True) if x.dim() else g) * mask
    if ord < 1:
        return (x.sgn() * size.pow(ord - 1)).masked_fill(x == 0, 0) * g * result.pow(1 - ord)
    scale = (g / result.pow(ord - 1)).masked_fill(result == 0, 0)
    return (x.sgn() * size.pow(ord - 1) if ord < 2 else x * size.pow(ord - 2)) * scale


def var_grad(g, x, dim, correction, keepdim):
    """The gradient of a variance."""
    freedom = max(count(x, dim) - (1 if correction is None else correction), 0)
    scale = 2.0 / freedom if freedom else float("inf")
    g = restore(g, x, dim, keepdim)
    if not freedom:
        return (g * rl.zeros_like(x)) / 0
    return g * scale * (x - x.mean(dims_of(dim, x.dim()), keepdim=True))


def std_grad(g, x, result, dim, correction, keepdim):
    """The gradient of a standard deviation; 0 where the deviation is 0."""
    return var_grad((g / (2 * result)).masked_fill(result == 0, 0), x, dim, correction, keepdim)
