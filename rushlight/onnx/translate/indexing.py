"""Reading and writing elements: indexing, gather and scatter, embeddings, masks."""

import rushlight as rl
from rushlight.jit._sizes import Size

from .._table import translates
from .shapes import sliced

_END = 2**63 - 1


@translates("__getitem__")
def _(g, self, index):
    return indexed(g, g.value(self), self.shape, index)


def indexed(g, x, shape, index):
    """``x[index]`` of a value, whose shape in the example is given."""
    index = list(index) if isinstance(index, tuple) else [index]
    index = _expanded(index, len(shape))
    x, dim, tensors = _basic(g, x, index)
    return _advanced(g, x, dim, tensors) if tensors else x


def _expanded(index, rank):
    """The index with slices in place of the ellipsis and of what is missing."""
    index = [rl.tensor(i) if isinstance(i, (list, range)) else i for i in index]
    used = sum(_width(i) for i in index)
    places = [p for p, i in enumerate(index) if i is Ellipsis]
    place = places[0] if places else len(index)
    rest = index[place + 1 :] if places else []
    return index[:place] + [slice(None)] * (rank - used) + rest


def _width(item):
    if item is None or item is Ellipsis or isinstance(item, bool):
        return 0
    return item.dim() if isinstance(item, rl.Tensor) and item.dtype is rl.bool else 1


def _basic(g, x, index):
    """Applies all but the tensors: (value, number of dimensions, {dimension: tensor})."""
    dim, tensors = 0, {}
    for item in index:
        if isinstance(item, bool):
            raise g.unsupported("__getitem__", "True or False as an index")
        if item is None:
            x, dim = g.op("Unsqueeze", x, g.ints([dim])), dim + 1
        elif isinstance(item, slice):
            x, dim = _sliced(g, x, dim, item), dim + 1
        elif isinstance(item, rl.Tensor) and (item.dim() or g.tracks(item)):
            tensors[dim] = item
            dim += _width(item)
        else:
            number = item if isinstance(item, Size) else int(item)
            x = g.op("Gather", x, g.value(number, rl.int64), axis=dim)
    return x, dim, tensors


def _sliced(g, x, dim, item):
    if item.start in (None, 0) and item.stop is None and item.step in (None, 1):
        return x
    stop = _END if item.stop is None else item.stop
    return sliced(g, x, dim, item.start or 0, stop, item.step or 1)


def _advanced(g, x, rank, tensors):
    places = {}
    for dim, tensor in tensors.items():
        if tensor.dtype is rl.bool:
            found = g.op("NonZero", tensor)  # a row for each dimension of the mask
            for row in range(tensor.dim()):
                places[dim + row] = (g.op("Gather", found, g.constant(row, rl.int64), axis=0), 1)
        else:
            places[dim] = (g.value(tensor, rl.int64), tensor.dim())
    if len(places) == 1:
        ((dim, (where, _)),) = places.items()
        return g.op("Gather", x, where, axis=dim)
    return _gathered(g, x, rank, places)


def _gathered(g, x, rank, places):
    """Several index tensors: their dimensions to the front, GatherND, and back."""
    dims = sorted(places)
    together = dims == list(range(dims[0], dims[0] + len(dims)))
    rest = [d for d in range(rank) if d not in places]
    if dims[-1] != len(dims) - 1:
        x = g.op("Transpose", x, perm=dims + rest)
    shape = g.op("Shape", _sum(g, [places[d][0] for d in dims]))
    wide = [g.op("Unsqueeze", g.op("Expand", places[d][0], shape), g.ints([-1])) for d in dims]
    y = g.op("GatherND", x, g.op("Concat", *wide, axis=-1))
    width = max(places[d][1] for d in dims)
    if not together or dims[0] == 0:
        return y
    lead = list(range(width, width + dims[0]))
    after = list(range(width + dims[0], width + len(rest)))
    return g.op("Transpose", y, perm=lead + list(range(width)) + after)


def _sum(g, values):
    total = values[0]
    for value in values[1:]:
        total = g.op("Add", total, value)
    return total


# ---- writing -----------------------------------------------------------------------------------


@translates("__setitem__")
def _(g, self, index, value):
    if isinstance(index, rl.Tensor) and index.dtype is rl.bool and index.shape == self.shape \
            and (not isinstance(value, rl.Tensor) or value.dim() == 0):  # fmt: skip
        return g.op("Where", index, g.value(value, self.dtype), self)
    return _written(g, self, index, value)


def _written(g, self, index, value, reduction=None):
    """Places of the written elements in the flattened tensor, and a scatter there."""
    count = g.op("Size", self, dtype=rl.int64)
    step = g.constant(1, rl.int64)
    order = g.op("Range", g.constant(0, rl.int64), count, step, dtype=rl.int64)
    shape = g.op("Shape", self, dtype=rl.int64)
    where = indexed(g, g.op("Reshape", order, shape), self.shape, index)
    value = g.op("Expand", g.value(value, self.dtype), g.op("Shape", where))
    flat = [g.op("Reshape", x, g.ints([-1])) for x in (self, where, value)]
    written = g.op("ScatterElements", *flat, axis=0, reduction=reduction)
    return g.op("Reshape", written, shape)


@translates("index_put")
def _(g, self, indices, values, accumulate=False):
    index = tuple(slice(None) if i is None else i for i in indices)
    return _written(g, self, index, values, "add" if accumulate else None)


@translates("index")
def _(g, self, indices):
    return indexed(g, g.value(self), self.shape,
                   tuple(slice(None) if i is None else i for i in indices))  # fmt: skip


@translates("copy", "copy_")
def _(g, self, src, non_blocking=False):
    return g.op("Expand", g.value(src, self.dtype), g.shape(self))


@translates("fill", "fill_")
def _(g, self, value):
    return g.op("Expand", g.value(value, self.dtype), g.shape(self))


@translates("zero", "zero_")
def _(g, self):
    return g.op("Expand", g.constant(0, self.dtype), g.shape(self))


# ---- gather and scatter ------------------------------------------------------------------------


@translates("gather")
def _(g, self, dim, index, *, sparse_grad=False):
    return g.op("GatherElements", self, index, axis=dim)


@translates("take_along_dim")
def _(g, self, indices, dim=None):
    if dim is None:
        flat = g.op("Reshape", self, g.ints([-1]))
        return g.op("Gather", flat, g.op("Reshape", indices, g.ints([-1])), axis=0)
    return g.op("GatherElements", self, indices, axis=dim)


@translates("take")
def _(g, self, index):
    return g.op("Gather", g.op("Reshape", self, g.ints([-1])), index, axis=0)


@translates("index_select")
def _(g, self, dim, index):
    return g.op("Gather", self, index, axis=dim)


@translates("scatter")
def _(g, self, dim, index, src=None, *, value=None, reduce=None):
    src = value if src is None else src
    if not isinstance(src, rl.Tensor):
        src = g.op("Expand", g.constant(src, self.dtype), g.shape(index))
    kinds = {None: None, "add": "add", "multiply": "mul"}
    return _scattered(g, self, dim, index, src, kinds[reduce])


@translates("scatter_add")
def _(g, self, dim, index, src):
    return _scattered(g, self, dim, index, src, "add")


@translates("scatter_reduce")
def _(g, self, dim, index, src, reduce, *, include_self=True):
    kinds = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}
    if reduce not in kinds or not include_self:
        raise g.unsupported("scatter_reduce", f"reduce={reduce!r}, include_self={include_self}")
    if reduce in ("amax", "amin") and g.opset < 18:
        raise g.unsupported("scatter_reduce", f"reduce={reduce!r}", since=18)
    return _scattered(g, self, dim, index, src, kinds[reduce])


def _scattered(g, self, dim, index, src, reduction):
    if isinstance(src, rl.Tensor) and src.shape != index.shape:
        src_shape = src.shape
        for d, n in enumerate(index.shape):
            if n != src_shape[d]:
                src = sliced(g, src, d, 0, n)
    return g.op("ScatterElements", self, index, src, axis=dim, reduction=reduction)


def _along(g, self, dim, index, source, reduction=None):
    """``self[..., index, ...] = source``, index a vector."""
    dim = dim % self.dim()
    column = g.ints([-1] + [1] * (self.dim() - dim - 1))
    wide = g.op("Expand", g.op("Reshape", index, column), g.op("Shape", source))
    return g.op("ScatterElements", self, wide, source, axis=dim, reduction=reduction)


@translates("index_add")
def _(g, self, dim, index, source, *, alpha=1):
    factor = g.constant(alpha, self.dtype)
    source = source if alpha == 1 else g.op("Mul", source, factor)
    return _along(g, self, dim, index, source, "add")


@translates("index_copy")
def _(g, self, dim, index, source):
    return _along(g, self, dim, index, source)


@translates("index_fill")
def _(g, self, dim, index, value):
    like = g.op("Gather", self, index, axis=dim)
    filled = g.op("Expand", g.value(value, self.dtype), g.op("Shape", like))
    return _along(g, self, dim, index, filled)


@translates("embedding")
def _(g, input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
      sparse=False):  # fmt: skip
    if max_norm is not None:
        raise g.unsupported("embedding", "max_norm")
    return g.op("Gather", weight, input, axis=0)


@translates("masked_select")
def _(g, self, mask):
    shape = g.op("Shape", g.op("And", g.op("Equal", self, self), mask))
    flat = g.op("Reshape", g.op("Expand", self, shape), g.ints([-1]))
    return g.op("Compress", flat, g.op("Reshape", g.op("Expand", mask, shape), g.ints([-1])),
                axis=0)  # fmt: skip


@translates("nonzero", "argwhere")
def _(g, self, *, as_tuple=False):
    if not as_tuple:
        return g.op("Transpose", g.op("NonZero", self), perm=[1, 0])
    found = g.op("NonZero", self)
    return [g.op("Gather", found, g.constant(d, rl.int64), axis=0) for d in range(self.dim())]


@translates("one_hot")
def _(g, self, num_classes=-1):
    if num_classes < 0:
        raise g.unsupported("one_hot", "without num_classes")
    return g.op("OneHot", self, g.constant(num_classes, rl.int64), g.constant([0, 1], rl.int64),
                axis=-1, dtype=rl.int64)  # fmt: skip
