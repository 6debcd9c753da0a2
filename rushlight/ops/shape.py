"""Operations that copy elements to another place: joining, repeating, flipping, triangles,
diagonals.

What only changes how memory is seen is in views.py and parts.py. Most are compositions; the kernels
of the rest are in csrc/kernels/shape.cpp.
"""

import rushlight as rl
from rushlight.ops._decisions import writable_copy
from rushlight.ops._record import op
from rushlight.ops.views import _wrap

# ---- repeating ---------------------------------------------------------------------------------


def _repeat_vjp(g, self_meta, repeats):
    repeats = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    shape = (1,) * (len(repeats) - self_meta.dim()) + tuple(self_meta.shape)
    if g.numel() == 0:
        return g.new_zeros(self_meta.shape)
    paired = [n for pair in zip(repeats, shape) for n in pair]
    return g.reshape(paired).sum(tuple(range(0, len(paired), 2))).reshape(self_meta.shape)


@op("repeat(Tensor self, int[] repeats) -> Tensor", at="Tensor")
def repeat(self, repeats):
    """The tensor copied ``repeats[i]`` times along each dimension;
    extra repeats add dimensions in front.

    Example::

        >>> rl.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    ...


repeat.vjp(self=_repeat_vjp)


@repeat.samples
def _(make):
    yield make(2, 3), (2, 2)
    yield make(3), (2, 1)


@op("tile(Tensor self, int[] dims) -> Tensor")
def tile(self, dims):
    """As `repeat`, with missing leading repeats taken as 1.

    Example::

        >>> rl.tile(rl.tensor([1, 2]), (2,))
        tensor([1, 2, 1, 2])
    """
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    return self.repeat((1,) * (self.dim() - len(dims)) + dims)


@op("repeat_positions(Tensor repeats) -> Tensor", at=(), differentiable=False)
def repeat_positions(repeats):
    """i, ``repeats[i]`` times, for every i."""
    ...


def _check_output_size(given, size):
    if given is not None and given != size:
        raise RuntimeError(
            f"repeat_interleave: output_size is {given}, but the repeats add up to {size}"
        )


def _repeated_evenly(x, dim, times, output_size):
    if isinstance(times, bool) or not hasattr(times, "__index__"):
        raise TypeError(f"repeat_interleave: repeats must be an int or a tensor, got {times!r}")
    if times < 0:
        raise RuntimeError(f"repeat_interleave: repeats can not be negative, got {times}")
    _check_output_size(output_size, times * x.shape[dim])
    spread = [-1] * (x.dim() + 1)
    spread[dim + 1] = times
    copies = x.unsqueeze(dim + 1).expand(spread).clone(memory_format=rl.contiguous_format)
    return copies.flatten(dim, dim + 1)


@op(
    "repeat_interleave(Tensor self, Tensor | Scalar repeats, int? dim=None, *, "
    "int? output_size=None) -> Tensor"
)
def repeat_interleave(self, repeats, dim, output_size):
    """Every entry along ``dim`` (of the flat tensor if None) repeated, before the next one.

    Args:
        repeats: one number for all, or a vector with one for each entry.
        output_size: the resulting length, if known; it is checked.

    Example::

        >>> rl.tensor([1, 2]).repeat_interleave(2)
        tensor([1, 1, 2, 2])
    """
    if dim is None:
        self, dim = self.flatten(), 0
    at = _wrap(dim, self.dim())
    length = self.shape[at]
    if not isinstance(repeats, rl.Tensor):
        return _repeated_evenly(self, at, repeats, output_size)
    if repeats.numel() == 1:
        repeats = repeats.reshape(1).expand(length)
    if repeats.shape != (length,):
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats.numel()} and input.size({at}) = {length}"
        )
    where = repeat_positions(repeats)
    _check_output_size(output_size, where.numel())
    return self.index_select(at, where)


@op("repeat_interleave.positions(Tensor repeats, *, int? output_size=None) -> Tensor", method=False)
def repeat_interleave_positions(repeats, output_size):
    """i, ``repeats[i]`` times, for every i."""
    return repeat_positions(repeats)


# ---- turning -----------------------------------------------------------------------------------


@op("flip(Tensor self, int[] dims) -> Tensor")
def flip(self, dims):
    """The order reversed along the given dimensions.

    Example::

        >>> rl.tensor([1, 2, 3]).flip(0)
        tensor([3, 2, 1])
    """
    ...


flip.vjp(self=lambda g, dims: g.flip(dims))


@flip.samples
def _(make):
    yield make(2, 3), (0, 1)
    yield make(2, 3), (-1,)


@op("fliplr(Tensor self) -> Tensor")
def fliplr(self):
    """The order of columns reversed.

    Example::

        >>> rl.fliplr(rl.tensor([[1, 2], [3, 4]]))
        tensor([[2, 1],
                [4, 3]])
    """
    if self.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return self.flip(1)


@op("flipud(Tensor self) -> Tensor")
def flipud(self):
    """The order of rows reversed.

    Example::

        >>> rl.flipud(rl.tensor([[1, 2], [3, 4]]))
        tensor([[3, 4],
                [1, 2]])
    """
    if self.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return self.flip(0)


@op("roll(Tensor self, int[] shifts, int[]? dims=None) -> Tensor")
def roll(self, shifts, dims):
    """Elements moved on by ``shifts`` places, around the end;
    over the flat tensor without ``dims``.

    Example::

        >>> rl.arange(4).roll(1)
        tensor([3, 0, 1, 2])
    """
    ...


def _roll_vjp(g, shifts, dims):
    return g.roll(-shifts if isinstance(shifts, int) else [-s for s in shifts], dims)


roll.vjp(self=_roll_vjp)


@roll.samples
def _(make):
    yield make(4), 1
    yield make(2, 3), (1, 2), (0, 1)


@op("rot90(Tensor self, int k=1, int[] dims=[0, 1]) -> Tensor", grad_name=True, no_float8="all")
def rot90(self, k, dims):
    """Rotated ``k`` times by 90 degrees in the plane of two dimensions,
    from the first to the second.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).rot90()
        tensor([[2, 4],
                [1, 3]])
    """
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if self.dim() < 2:
        raise RuntimeError(f"rot90: expected at least 2 dimensions, got {self.dim()}")
    a, b = (_wrap(d, self.dim()) for d in dims)
    if a == b:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {a} and dim1 = {b}"
        )
    turns = k % 4
    if turns == 1:
        return self.flip(b).transpose(a, b)
    if turns == 2:
        return self.flip((a, b))
    if turns == 3:
        return self.flip(a).transpose(a, b)
    return self.clone()


# ---- triangles and diagonals -------------------------------------------------------------------


@op("tril(Tensor self, int diagonal=0) -> Tensor", inplace=True)
def tril(self, diagonal):
    """The lower triangle of the last two dimensions, up to the given diagonal; zeros above.

    Example::

        >>> rl.ones(2, 2).tril()
        tensor([[1., 0.],
                [1., 1.]])
    """
    ...


tril.vjp(self=lambda g, diagonal: g.tril(diagonal))


@op("triu(Tensor self, int diagonal=0) -> Tensor", inplace=True)
def triu(self, diagonal):
    """The upper triangle of the last two dimensions, from the given diagonal on; zeros below.

    Example::

        >>> rl.triu(rl.ones(2, 2))
        tensor([[1., 1.],
                [0., 1.]])
    """
    ...


triu.vjp(self=lambda g, diagonal: g.triu(diagonal))


@tril.samples
@triu.samples
def _(make):
    yield (make(3, 4),)
    yield make(2, 3, 3), -1


@op("diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1) -> Tensor", grad_name=True)
def diag_embed(self, offset, dim1, dim2):
    """Matrices with the last dimension on a diagonal and zeros elsewhere.

    Example::

        >>> rl.diag_embed(rl.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    n = self.dim() + 1
    a, b = _wrap(dim1, n), _wrap(dim2, n)
    if a == b:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    out = _diag_embed(self, offset)
    return out if (a, b) == (n - 2, n - 1) else out.movedim((-2, -1), (a, b)).contiguous()


@op("_diag_embed(Tensor self, int offset) -> Tensor", at=(), grad_name="DiagEmbedBackward0")
def _diag_embed(self, offset):
    """`diag_embed` into the last two dimensions, in one pass."""
    ...


_diag_embed.vjp(self=lambda g, offset: g.diagonal(offset, -2, -1))


@diag_embed.samples
def _(make):
    yield (make(3),)
    yield make(2, 3), 1, 0, -1


@op(
    "diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1) -> Tensor",
    grad_name=True,
)
def diagonal_scatter(self, src, offset, dim1, dim2):
    """A copy of the tensor with ``src`` on a diagonal.

    Example::

        >>> rl.diagonal_scatter(rl.zeros(2, 2), rl.tensor([1., 2.]))
        tensor([[1., 0.],
                [0., 2.]])
    """
    out = writable_copy(self, src)
    out.diagonal(offset, dim1, dim2).copy_(src)
    return out


@op("select_scatter(Tensor self, Tensor src, int dim, int index) -> Tensor", grad_name=True)
def select_scatter(self, src, dim, index):
    """A copy of the tensor with ``src`` as one slice.

    Example::

        >>> rl.select_scatter(rl.zeros(2, 2), rl.tensor([1., 2.]), 0, 1)
        tensor([[0., 0.],
                [1., 2.]])
    """
    out = writable_copy(self, src)
    out.select(dim, index).copy_(src)
    return out


@op(
    "slice_scatter(Tensor self, Tensor src, int dim=0, int? start=None, int? end=None, int step=1) "
    "-> Tensor",
    grad_name=True,
)
def slice_scatter(self, src, dim, start, end, step):
    """A copy of the tensor with ``src`` in place of ``self[start:end:step]`` along ``dim``.

    Example::

        >>> rl.slice_scatter(rl.zeros(3), rl.ones(2), 0, 1)
        tensor([0., 1., 1.])
    """
    from rushlight.ops.parts import slice

    out = writable_copy(self, src)
    slice(out, dim, start, end, step).copy_(src)
    return out


@op("diag(Tensor self, int diagonal=0) -> Tensor", out="exact")
def diag(self, diagonal):
    """A vector as a diagonal matrix, or the diagonal of a matrix.

    Example::

        >>> rl.diag(rl.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
    """
    if self.dim() == 1:
        return rl.diag_embed(self, diagonal)
    if self.dim() == 2:
        return self.diagonal(diagonal).clone()
    raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {self.dim()}D")


@op("diagflat(Tensor self, int offset=0) -> Tensor")
def diagflat(self, offset):
    """All elements on the diagonal of a matrix.

    Example::

        >>> rl.diagflat(rl.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    return rl.diag_embed(self.reshape(-1), offset)


# ---- dense copies ------------------------------------------------------------------------------


@op(
    "dense_copy(Tensor self, memory_format memory_format) -> Tensor",
    at=(),
    grad_name="CloneBackward0",
)
def dense_copy(self, memory_format):
    """The elements in fresh memory, in the given order."""
    ...


dense_copy.vjp(self=lambda g: g)


@op(
    "contiguous(Tensor self, *, memory_format memory_format=contiguous_format) -> Tensor",
    at="Tensor",
    out=False,
)
def contiguous(self, memory_format):
    """The tensor itself if its elements lie densely in the given order,
    else a copy where they do.

    Example::

        >>> rl.ones(2, 3).t().contiguous().stride()
        (2, 1)
    """
    if self.is_contiguous(memory_format=memory_format):
        return self
    return dense_copy(self, memory_format)
