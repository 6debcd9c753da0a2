"""Shapes: views, permutations, joining, splitting, repeating."""

import rushlight as rl

from .._table import translates


def _flat(sizes):
    """Sizes given one by one, or as a tuple."""
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)) else \
        list(sizes)  # fmt: skip


@translates("view", "reshape")
def _(g, self, *size, shape=None):
    sizes = _flat(size) if shape is None else list(shape)
    if len(sizes) == 1 and isinstance(sizes[0], rl.dtype):
        raise g.unsupported("view", "of another dtype")
    if 0 in self.shape:
        return g.op("Reshape", self, g.ints(sizes), allowzero=1)
    return g.op("Reshape", self, g.ints(sizes))


@translates("view_as", "reshape_as")
def _(g, self, other):
    return g.op("Reshape", self, g.shape(other))


@translates("flatten")
def _(g, self, start_dim=0, end_dim=-1):
    rank = max(self.dim(), 1)
    start, end = start_dim % rank, end_dim % rank
    if self.dim() == 0:
        return g.op("Reshape", self, g.ints([1]))
    lengths = g.lengths(self)
    if start == 0 and end == rank - 1:
        return g.op("Reshape", self, g.ints([-1]))
    return g.op("Reshape", self, g.ints([*lengths[:start], -1, *lengths[end + 1 :]]))


@translates("unflatten")
def _(g, self, dim, sizes):
    lengths, dim = g.lengths(self), dim % self.dim()
    sizes = [sizes] if isinstance(sizes, int) else list(sizes)
    return g.op("Reshape", self, g.ints([*lengths[:dim], *sizes, *lengths[dim + 1 :]]))


@translates("squeeze")
def _(g, self, dim=None):
    dims = range(self.dim()) if dim is None else [dim] if isinstance(dim, int) else dim
    axes = [d % max(self.dim(), 1) for d in dims if self.dim() and self.shape[d] == 1]
    return g.op("Squeeze", self, g.ints(axes)) if axes else g.value(self)


@translates("unsqueeze")
def _(g, self, dim):
    return g.op("Unsqueeze", self, g.ints([dim]))


@translates("permute")
def _(g, self, *dims):
    return g.op("Transpose", self, perm=[int(d) % self.dim() for d in _flat(dims)])


@translates("transpose", "swapaxes", "swapdims")
def _(g, self, dim0, dim1):
    order = list(range(self.dim()))
    if not order:
        return g.value(self)
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return g.op("Transpose", self, perm=order)


@translates("t")
def _(g, self):
    return g.op("Transpose", self, perm=[1, 0]) if self.dim() == 2 else g.value(self)


@translates("numpy_T")
def _(g, self):
    return g.op("Transpose", self, perm=list(range(self.dim()))[::-1])


@translates("mT", "adjoint")
def _(g, self):
    order = list(range(self.dim()))
    return g.op("Transpose", self, perm=[*order[:-2], order[-1], order[-2]])


@translates("movedim", "moveaxis")
def _(g, self, source, destination):
    rank = self.dim()
    source = [d % rank for d in ([source] if isinstance(source, int) else source)]
    destination = [d % rank for d in ([destination] if isinstance(destination, int)
                                      else destination)]  # fmt: skip
    placed = dict(zip(destination, source))
    rest = iter(d for d in range(rank) if d not in source)
    return g.op("Transpose", self, perm=[placed.get(d, None) if d in placed else next(rest)
                                         for d in range(rank)])  # fmt: skip


@translates("expand", "broadcast_to")
def _(g, self, *size, implicit=False):
    sizes = _flat(size)
    return g.op("Expand", self, g.ints([1 if type(n) is int and n == -1 else n for n in sizes]))


@translates("expand_as")
def _(g, self, other):
    return g.op("Expand", self, g.shape(other))


@translates("repeat", "tile")
def _(g, self, *repeats, dims=None):
    times = _flat(repeats) if dims is None else list(dims)
    missing = len(times) - self.dim()
    x = g.op("Unsqueeze", self, g.ints(range(missing))) if missing > 0 else self
    return g.op("Tile", x, g.ints([1] * -missing + times))


@translates("cat", "concat", "concatenate")
def _(g, tensors, dim=0, **options):
    dim = options.get("axis", dim)
    tensors = [t for t in tensors if t.dim() != 1 or t.shape[0]]  # empty ones join anything
    dtype = tensors[0].dtype
    for tensor in tensors:
        dtype = rl.promote_types(dtype, tensor.dtype)
    return g.op("Concat", *(g.value(t, dtype) for t in tensors), axis=dim, dtype=dtype)


@translates("stack")
def _(g, tensors, dim=0):
    dim = dim % (tensors[0].dim() + 1)
    parts = [g.op("Unsqueeze", t, g.ints([dim])) for t in tensors]
    return g.op("Concat", *parts, axis=dim)


def sliced(g, x, dim, start, end, step=1):
    """``x[..., start:end:step, ...]``."""
    return g.op("Slice", x, g.ints([start]), g.ints([end]), g.ints([dim]), g.ints([step]))


@translates("split", "split_with_sizes")
def _(g, self, split_size=None, dim=0, *, split_size_or_sections=None):
    size = split_size_or_sections if split_size is None else split_size
    return _parts(g, self, self.split(size, dim), dim)


@translates("chunk")
def _(g, self, chunks, dim=0):
    return _parts(g, self, self.chunk(chunks, dim), dim)


@translates("tensor_split")
def _(g, self, indices_or_sections, dim=0):
    return _parts(g, self, self.tensor_split(indices_or_sections, dim), dim)


def _parts(g, self, parts, dim):
    """Slices as long as those parts."""
    end, values = 0, []
    for part in parts:
        values.append(sliced(g, self, dim, end, end + part.shape[dim]))
        end += part.shape[dim]
    return values


@translates("unbind")
def _(g, self, dim=0):
    return [g.op("Gather", self, g.constant(i, rl.int64), axis=dim)
            for i in range(self.shape[dim])]  # fmt: skip


@translates("narrow")
def _(g, self, dim, start, length):
    return sliced(g, self, dim, start, start + length)


@translates("select")
def _(g, self, dim, index):
    return g.op("Gather", self, g.value(index, rl.int64), axis=dim)


@translates("slice")
def _(g, self, dim=0, start=None, end=None, step=1):
    end = 2**63 - 1 if end is None else end
    return sliced(g, self, dim, 0 if start is None else start, end, step)


@translates("flip")
def _(g, self, *dims):
    dims = [d % self.dim() for d in _flat(dims)]
    count = len(dims)
    least = -(2**63) + 1
    return g.op("Slice", self, g.ints([-1] * count), g.ints([least] * count), g.ints(dims),
                g.ints([-1] * count))  # fmt: skip


@translates("roll")
def _(g, self, shifts, dims=None):
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    if dims is None or dims == ():
        flat = g.op("Reshape", self, g.ints([-1]))
        return g.op("Reshape", _rolled(g, flat, 0, shifts[0], self.numel()), g.shape(self))
    x = g.value(self)
    for shift, dim in zip(shifts, [dims] if isinstance(dims, int) else dims):
        x = _rolled(g, x, dim, shift, self.shape[dim])
    return x


def _rolled(g, x, dim, shift, length):
    shift = shift % length if length else 0
    if not shift:
        return x
    last = sliced(g, x, dim, -shift, 2**63 - 1)
    return g.op("Concat", last, sliced(g, x, dim, 0, -shift), axis=dim)


def _triangle(upper):
    def translate(g, self, diagonal=0):
        return g.op("Trilu", self, g.constant(int(diagonal), rl.int64), upper=upper)

    return translate


translates("tril")(_triangle(0))
translates("triu")(_triangle(1))


@translates("repeat_interleave")
def _(g, self, repeats, dim=None, *, output_size=None):
    if isinstance(repeats, rl.Tensor):
        raise g.unsupported("repeat_interleave", "repeats as a tensor")
    x = g.op("Reshape", self, g.ints([-1])) if dim is None else g.value(self)
    rank, dim = (1, 0) if dim is None else (self.dim(), dim % self.dim())
    wide = g.op("Unsqueeze", x, g.ints([dim + 1]))
    times = [1] * (dim + 1) + [repeats] + [1] * (rank - dim - 1)
    lengths = g.lengths(self) if rank > 1 or self.dim() == 1 else [-1]
    flat = [*lengths[:dim], -1, *lengths[dim + 1 :]]
    return g.op("Reshape", g.op("Tile", wide, g.ints(times)), g.ints(flat))


@translates("diagonal")
def _(g, self, offset=0, dim1=0, dim2=1):
    rank = self.dim()
    dim1, dim2 = dim1 % rank, dim2 % rank
    order = [d for d in range(rank) if d not in (dim1, dim2)]
    x = g.op("Transpose", self, perm=[*order, dim1, dim2])
    rows, columns = g.length(self, dim1), g.length(self, dim2)
    lengths = [g.length(self, d) for d in order]
    flat = g.op("Reshape", x, g.ints([*lengths, -1]))
    number = lambda n: g.value(n, rl.int64)  # noqa: E731
    count = g.op("Min", number(rows + min(offset, 0)), number(columns - max(offset, 0)))
    every = g.op("Range", number(0), count, number(1))
    start = offset if offset >= 0 else columns * -offset
    return g.op("Gather", flat, g.op("Add", g.op("Mul", every, number(columns + 1)),
                                     number(start)), axis=-1)  # fmt: skip


@translates("unfold")
def _(g, self, dimension, size, step):
    if self.dim() == 0:
        raise g.unsupported("unfold", "of a single number")
    dim = dimension % self.dim()
    number = lambda n: g.value(n, rl.int64)  # noqa: E731
    starts = g.op("Range", number(0), number(g.length(self, dim) - (size - 1)), number(step))
    places = g.op("Add", g.op("Unsqueeze", starts, g.ints([1])), g.constant(
        list(range(size)), rl.int64))  # fmt: skip
    rank = self.dim() + 1
    order = [d for d in range(rank) if d != dim + 1] + [dim + 1]
    return g.op("Transpose", g.op("Gather", self, places, axis=dim), perm=order)


@translates("unfold.nn")
def _(g, self, *args, **kwargs):
    return NotImplemented  # not the method of that name


@translates("pixel_shuffle")
def _(g, self, upscale_factor):
    return g.op("DepthToSpace", self, blocksize=upscale_factor, mode="CRD")
