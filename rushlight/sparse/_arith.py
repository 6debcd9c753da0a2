"""Elementwise arithmetic: functions that keep zero, sums, products and quotients.

The result has the pattern of the sparse operand, of the union (sums) or of the intersection
(products). To add a function that maps 0 to 0: its name in `_ZERO_PRESERVING`.
"""

import rushlight as rl
from rushlight.sparse._convert import convert, coordinates, gather, to_coo, to_dense
from rushlight.sparse._dispatch import handles, refuse, unary_functions
from rushlight.sparse._layout import (
    BSR,
    COO,
    assign,
    block_size,
    coalesce,
    coo,
    is_sparse,
    kind_of,
    like,
    merged,
    nnz,
    parts_of,
    same_indices,
    sparse_dim,
    values_of,
)

_ZERO_PRESERVING = """abs asin arcsin asinh arcsinh atan arctan atanh arctanh ceil conj_physical
deg2rad erf erfinv expm1 fix floor frac isinf isnan isneginf isposinf log1p nan_to_num positive
rad2deg relu round sgn sign signbit sin sinh sqrt square tan tanh trunc angle absolute
threshold_backward""".split()
_LINEAR = "neg negative conj real imag".split()


def _unary(name, linear):
    op = getattr(rl.Tensor, name, None) or getattr(rl, name)

    def apply(x, *args, **kwargs):
        if kind_of(x) == COO and not linear:
            x = coalesce(x)
        return like(x, op(values_of(x), *args, **kwargs))

    apply.__name__ = name
    return apply


for _name in _ZERO_PRESERVING + _LINEAR:
    if hasattr(rl.Tensor, _name) or hasattr(rl, _name):
        _function = handles(_name)(_unary(_name, _name in _LINEAR))
        if _name in _ZERO_PRESERVING:
            unary_functions.add(_function)


@handles("pow")
def power(x, exponent):
    """Powers of the values with a number other than 0; missing elements stay zero."""
    if not is_sparse(x) or isinstance(exponent, rl.Tensor):
        refuse("pow", x, exponent)
    if exponent == 0:
        raise RuntimeError("pow: exponent cannot be zero, which would make a dense tensor")
    x = coalesce(x) if kind_of(x) == COO else x
    return like(x, values_of(x) ** exponent)


# ---- sums ------------------------------------------------------------------------------------


def _same_size(op, a, b):
    if tuple(a.shape) != tuple(b.shape):
        raise RuntimeError(
            f"{op}: expected sizes of 'self' and 'other' to match, but "
            f"{list(a.shape)} != {list(b.shape)}"
        )


@handles("add")
def add(self, other, *, alpha=1):
    """``self + alpha * other``; two sparse operands, or a strided and a sparse one."""
    if is_sparse(self) and is_sparse(other):
        return _add_sparse(self, other, alpha)
    if is_sparse(other) and isinstance(self, rl.Tensor):
        return _add_to_dense(self, other, alpha)
    if not isinstance(other, rl.Tensor) or kind_of(self) in (0, COO):
        raise RuntimeError("add(sparse, dense) is not supported. Use add(dense, sparse) instead.")
    return _add_to_dense(other if alpha == 1 else other * alpha, self, 1)


def _add_to_dense(dense, sparse, alpha):
    if rl.broadcast_shapes(dense.shape, sparse.shape) != tuple(dense.shape):
        raise RuntimeError(
            f"add: Expected 'other' sizes {list(sparse.shape)} to be broadcastable to "
            f"'self' sizes {list(dense.shape)}"
        )
    if tuple(dense.shape) != tuple(sparse.shape) or kind_of(sparse) >= BSR:
        return rl.add(dense, to_dense(sparse), alpha=alpha)
    at, values = _entries(sparse)
    dtype = rl.promote_types(dense.dtype, sparse.dtype)
    values = _times(values, alpha, dtype)
    if not at.shape[0]:
        return dense.to(dtype) + values.sum(0)
    return dense.to(dtype).index_put(tuple(at), values, accumulate=True)


def _times(values, alpha, dtype):
    """In the dtype of the sum, where unsigned values can be made negative."""
    values = values.to(dtype)
    return values if alpha == 1 else values * alpha


def _entries(sparse):
    """Coordinates and flat values of a tensor without blocks."""
    values = values_of(sparse)
    if kind_of(sparse) != COO:
        values = values.flatten(0, parts_of(sparse).indices[0].dim() - 1)
    return coordinates(kind_of(sparse), parts_of(sparse).indices), values


def _add_sparse(a, b, alpha):
    _same_size("add", a, b)
    kind = kind_of(a)
    dtype = rl.promote_types(a.dtype, b.dtype)
    if same_indices(kind, parts_of(a).indices, b) and kind_of(b) == kind:
        if kind < BSR or block_size(a) == block_size(b):
            return like(a, rl.add(values_of(a), values_of(b), alpha=alpha))
    if kind != COO:
        total = _add_sparse(to_coo(a), to_coo(b), alpha)
        return convert(total, kind, block_size(a))
    if kind_of(b) != COO:
        b = to_coo(b)
    if sparse_dim(a) != sparse_dim(b):
        if not nnz(b):
            return like(a, values_of(a).to(dtype))
        if not nnz(a):
            return like(b, _times(values_of(b), alpha, dtype))
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same number of sparse dimensions, got "
            f"{sparse_dim(a)} and {sparse_dim(b)}"
        )
    indices = rl.cat((parts_of(a).indices, parts_of(b).indices), 1)
    values = rl.cat((values_of(a).to(dtype), _times(values_of(b), alpha, dtype)))
    if parts_of(a).coalesced and parts_of(b).coalesced:
        return merged(indices, values, a.shape)
    return coo(indices, values, a.shape)


@handles("add_")
def add_(self, other, *, alpha=1):
    """``add`` into the first operand; a strided one only changes at the places of `other`."""
    if is_sparse(self):
        return assign(self, add(self, other, alpha=alpha))
    plain = kind_of(other) < BSR and tuple(self.shape) == tuple(other.shape)
    if not plain or not rl.can_cast(other.dtype, self.dtype):
        return self.add_(to_dense(other), alpha=alpha)
    at, values = _entries(other)
    values = _times(values, alpha, rl.promote_types(self.dtype, other.dtype)).to(self.dtype)
    if not at.shape[0]:
        return self.add_(values.sum(0))
    return self.index_put_(tuple(at), values, accumulate=True)


@handles("sub", "subtract")
def sub(self, other, *, alpha=1):
    """``self - alpha * other``."""
    return add(self, other, alpha=-alpha)


@handles("sub_", "subtract_")
def sub_(self, other, *, alpha=1):
    """``sub`` into the first operand."""
    return add_(self, other, alpha=-alpha)


@handles("rsub")
def _rsub(self, other, alpha=1):
    return add(like(self, -values_of(self) * alpha), other)


# ---- products --------------------------------------------------------------------------------


def _is_number(x):
    return not isinstance(x, rl.Tensor) or (not is_sparse(x) and x.dim() == 0)


@handles("mul", "multiply")
def mul(self, other):
    """Products by a number, a strided tensor (read at the pattern) or a sparse one."""
    if not is_sparse(self):
        self, other = other, self
    if _is_number(other):
        return like(self, values_of(self) * other)
    if is_sparse(other):
        return _mul_sparse(self, other)
    return _mul_dense(self, other)


@handles("mul_", "multiply_")
def mul_(self, other):
    """``mul`` into the first operand."""
    if is_sparse(self):
        return assign(self, mul(self, other))
    return self.mul_(to_dense(other))


def _mul_dense(sparse, dense):
    size = rl.broadcast_shapes(sparse.shape, dense.shape)
    if tuple(size) != tuple(sparse.shape):
        sparse = _expanded(sparse, size)
    kind, indices = kind_of(sparse), parts_of(sparse).indices
    there = gather(dense.expand(sparse.shape), kind, indices, sparse.shape, block_size(sparse))
    return like(sparse, values_of(sparse) * there)


def _expanded(sparse, size):
    """A sparse tensor broadcast to `size`: through the strided one, whose zeros are left out."""
    from rushlight.sparse._convert import dense_to_coo

    return dense_to_coo(to_dense(sparse).expand(size))


def _mul_sparse(a, b):
    kind = kind_of(a)
    if same_indices(kind, parts_of(a).indices, b) and parts_of(a).coalesced:
        if kind < BSR or block_size(a) == block_size(b):
            return like(a, values_of(a) * values_of(b))
    if kind != COO:
        _same_size("mul", a, b)
        return convert(_mul_sparse(to_coo(a), to_coo(b)), kind, block_size(a))
    a, b = coalesce(a), coalesce(to_coo(b))
    size = rl.broadcast_shapes(a.shape, b.shape)
    if tuple(size) != tuple(a.shape) or tuple(size) != tuple(b.shape):
        a, b = _expanded(a, size), _expanded(b, size)
    marks = coo(parts_of(b).indices, rl.ones(parts_of(b).indices.shape[1]), _sparse_sizes(b), True)
    both = gather(marks, COO, parts_of(a).indices, _sparse_sizes(a)) != 0
    indices = parts_of(a).indices[:, both]
    values = values_of(a)[both] * gather(b, COO, indices, size)
    return coo(indices, values, size, coalesced=True)


def _sparse_sizes(x):
    return tuple(x.shape)[: sparse_dim(x)]


@handles("div", "divide", "true_divide")
def div(self, other, *, rounding_mode=None):
    """Quotients by a number."""
    if not is_sparse(self) or not _is_number(other):
        raise RuntimeError(
            "Sparse division requires a scalar or zero-dim dense tensor divisor (got shape "
            f"{list(getattr(other, 'shape', ()))} for divisor)"
        )
    if rounding_mode is not None and kind_of(self) == COO:
        self = coalesce(self)
    return like(self, rl.div(values_of(self), other, rounding_mode=rounding_mode))


@handles("floor_divide")
def floor_divide(self, other):
    """Quotients by a number, rounded down."""
    return div(self, other, rounding_mode="floor")
