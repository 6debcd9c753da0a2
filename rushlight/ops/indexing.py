"""Reading and writing by tensors of positions or masks: what ``x[...]`` and ``x[...] = v`` call.

Slices and integers never come here: they are views (csrc/python/index.cpp). Indexing along one
dimension (gather, index_select, ...) is in another module. Kernels: csrc/kernels/index.cpp.
"""

import rushlight as rl
from rushlight.ops._decisions import is_wrapped
from rushlight.ops._record import op


@op("index(Tensor self, Tensor?[] indices) -> Tensor", at=(), no_float8="float4_e2m1fn_x2")
def index(self, indices):
    """The elements at the given positions; None keeps a dimension whole.

    Index tensors (int64, int32 or masks) broadcast together. Their shape takes the place of the
    indexed dimensions if these are neighbours, and comes first otherwise.
    """
    ...


def _index_vjp(g, self_meta, indices):
    zeros = g.new_zeros(self_meta.shape)
    for i in indices:
        if i is not None and is_wrapped(i):  # what is mapped is written into zeros that are
            zeros = zeros + i.new_zeros((), dtype=g.dtype)
    return (index_put if g.requires_grad else index_put_)(zeros, indices, g, True)


index.vjp(self=_index_vjp)


@op(
    "index_put(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor",
    no_float8="float8_e8m0fnu float4_e2m1fn_x2",
)
def index_put(self, indices, values, accumulate):
    """A copy of the tensor with values written at the given positions,
    or added if ``accumulate``.

    Positions that occur several times keep the last value, or receive the sum, in a fixed order.

    Example::

        >>> rl.zeros(3).index_put((rl.tensor([0, 0]),), rl.ones(2), accumulate=True)
        tensor([2., 0., 0.])
    """
    ...


@op(
    "index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, "
    "bool accumulate=False) -> Tensor",
    grad_name="IndexPutBackward0",
    no_float8="float8_e8m0fnu float4_e2m1fn_x2",
)
def index_put_(self, indices, values, accumulate):
    """As `index_put`, into the tensor itself.

    Example::

        >>> rl.zeros(3).index_put_((rl.tensor([0, 2]),), rl.tensor([5., 6.]))
        tensor([5., 0., 6.])
    """
    ...


def _self_vjp(g, indices, accumulate):
    return g if accumulate else index_put(g, indices, rl.zeros((), dtype=g.dtype))


def _values_vjp(g, indices):
    return index(g, indices)


@op("_masked_fill_repeated(Tensor(a!) self, Tensor mask, any value) -> Tensor", at="internal")
def _masked_fill_repeated(self, mask, value):
    """`masked_fill_` of a tensor whose dimensions repeat their elements: filled where any is."""
    import warnings

    warnings.warn(
        "masked_fill_: elements of an expanded tensor are the same memory, filled where any of "
        "them is; this is deprecated, clone() the tensor first",
        stacklevel=3,
    )
    if not isinstance(value, rl.Tensor):
        value = rl.full((), value, dtype=self.dtype, device=self.device)
    return index_put_(self, (mask.expand(self.shape),), value.to(self.dtype))


# The rules of both: what was overwritten gets no gradient, the values get what is read there.
index_put.vjp(self=_self_vjp, values=_values_vjp)
index_put_.vjp(self=_self_vjp, values=_values_vjp)
