"""Reading and writing elements by position: gather and scatter, index_*, take and put, masks.

``x[...]`` is in indexing.py. To add one: a kernel in csrc/kernels/{gather,scatter,index_reduce}.cpp
and a record here.
"""

import rushlight as rl
from rushlight.ops._decisions import is_wrapped, written
from rushlight.ops._record import op
from rushlight.ops.views import _wrap

# ---- reading -----------------------------------------------------------------------------------


def _zeros(meta, g):
    return rl.zeros(meta.shape, dtype=g.dtype)


@op(
    "gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor",
    out="disjoint",
)
def gather(self, dim, index, sparse_grad):
    """``out[i][j] = self[index[i][j]][j]`` (for dim 0): picks elements along ``dim``.

    ``index`` is int32 or int64, with self's number of dimensions and no larger apart from ``dim``.
    Raises RuntimeError for an index out of range.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).gather(1, rl.tensor([[1], [0]]))
        tensor([[2],
                [3]])
    """
    ...


gather.vjp(
    self=lambda g, self_meta, dim, index: written(
        _zeros(self_meta, g), "scatter_add", dim, index, g
    )
)


@op(
    "index_select(Tensor self, int dim, Tensor index) -> Tensor",
    out="disjoint",
    no_float8="float4_e2m1fn_x2",
)
def index_select(self, dim, index):
    """The slices of ``dim`` at the positions in the vector ``index``.

    Raises IndexError for an index out of range.

    Example::

        >>> rl.tensor([5, 6, 7]).index_select(0, rl.tensor([2, 0]))
        tensor([7, 5])
    """
    ...


def _index_select_grad(g, self_meta, dim, index):
    if self_meta.dim() == 0:
        return g.reshape(())
    return written(_zeros(self_meta, g), "index_add", dim, index, g)


index_select.vjp(self=_index_select_grad)


@op("take(Tensor self, Tensor index) -> Tensor", out="disjoint")
def take(self, index):
    """The elements of the flattened tensor at ``index``, in index's shape.

    Example::

        >>> rl.tensor([[5, 6], [7, 8]]).take(rl.tensor([3, 0]))
        tensor([8, 5])
    """
    ...


take.vjp(self=lambda g, self_meta, index: _zeros(self_meta, g).put(index, g, True))


@op("take_along_dim(Tensor self, Tensor indices, int? dim=None) -> Tensor", out="exact")
def take_along_dim(self, indices, dim):
    """`gather` with broadcasting; of the flattened tensors without ``dim``.

    Example::

        >>> x = rl.tensor([[3, 1, 2]])
        >>> x.take_along_dim(x.argsort(1), 1)
        tensor([[1, 2, 3]])
    """
    if indices.dtype != rl.int64:
        raise RuntimeError(f"take_along_dim(): expected int64 indices, but got {indices.dtype}")
    if dim is None:
        return rl.gather(self.reshape(-1), 0, indices.reshape(-1) % max(self.numel(), 1))
    if self.dim() != indices.dim():
        raise RuntimeError(
            f"take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {self.dim()} dimensions for input, and {indices.dim()} dimensions for indices"
        )
    dim = _wrap(dim, self.dim())
    indices = indices % self.shape[dim] if self.shape[dim] else indices
    shape = [1 if d == dim else n for d, n in enumerate(self.shape)]
    other = [1 if d == dim else n for d, n in enumerate(indices.shape)]
    common = list(rl.broadcast_shapes(shape, other))
    common[dim] = self.shape[dim]
    self = self.expand(common)
    common[dim] = indices.shape[dim]
    return rl.gather(self, dim, indices.expand(common))


@op(
    "masked_select(Tensor self, Tensor mask) -> Tensor",
    out="disjoint",
    no_float8="float4_e2m1fn_x2",
)
def masked_select(self, mask):
    """The elements where the bool ``mask`` is true, as a vector; both broadcast.

    Example::

        >>> x = rl.tensor([1, 2, 3])
        >>> x.masked_select(x > 1)
        tensor([2, 3])
    """
    ...


def _masked_select_grad(g, self_meta, mask):
    shape = rl.broadcast_shapes(self_meta.shape, mask.shape)
    return rl.zeros(shape, dtype=g.dtype).masked_scatter(mask.expand(shape), g)


masked_select.vjp(self=_masked_select_grad)


@op("nonzero(Tensor self) -> Tensor", differentiable=False, kernel="nonzero", at=())
def _nonzero(self):
    """The positions of the elements that are not zero."""
    ...


@op(
    "nonzero.as_tuple(Tensor self, *, bool as_tuple=False) -> Tensor",
    differentiable=False,
    out="exact",
)
def nonzero(self, as_tuple):
    """The positions of the elements that are not zero: an (n, ndim) int64 matrix, or with
    ``as_tuple`` one vector per dimension, as indexing takes them.

    Example::

        >>> rl.tensor([0, 7, 8]).nonzero()
        tensor([[1],
                [2]])
    """
    if not as_tuple:
        return _nonzero(self.detach())
    found = _nonzero(self.detach().reshape(1) if self.dim() == 0 else self.detach())
    return found.unbind(1)


@op("argwhere(Tensor self) -> Tensor", differentiable=False, out=False)
def argwhere(self):
    """As `nonzero`.

    Example::

        >>> rl.tensor([0, 7]).argwhere()
        tensor([[1]])
    """
    return _nonzero(self.detach())


# ---- writing -----------------------------------------------------------------------------------


def _without(g, dim, index):
    """`g` with zeros where `index` wrote."""
    return g.scatter(dim, index, 0)


@op(
    "scatter.src(Tensor self, int dim, Tensor index, Tensor src) -> Tensor",
    inplace=True,
    grad_name="ScatterBackward0",
)
def scatter(self, dim, index, src):
    """``out[index[i][j]][j] = src[i][j]`` (for dim 0) on a copy of self; the last of equals wins.

    ``src`` may be a number. ``reduce="add"`` or ``"multiply"`` combines instead of replacing.
    Raises RuntimeError for an index out of range and for a src of another dtype.

    Example::

        >>> rl.zeros(3).scatter(0, rl.tensor([2, 0]), rl.tensor([1., 2.]))
        tensor([2., 0., 1.])
    """
    ...


scatter.vjp(
    self=lambda g, dim, index: _without(g, dim, index),
    src=lambda g, dim, index: g.gather(dim, index),
)


@op(
    "scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor",
    inplace=True,
    grad_name="ScatterBackward1",
)
def scatter(self, dim, index, value):
    """Writes a number."""
    ...


scatter.vjp(self=lambda g, dim, index: _without(g, dim, index))


@op(
    "scatter.reduce(Tensor self, int dim, Tensor index, Tensor src, *, str reduce) -> Tensor",
    inplace=True,
    kernel="scatter.src",
)
def scatter(self, dim, index, src, reduce):
    """Combines by addition or multiplication."""
    ...


@op(
    "scatter.value_reduce(Tensor self, int dim, Tensor index, Scalar value, *, "
    "str reduce) -> Tensor",
    inplace=True,
    kernel="scatter.value",
)
def scatter(self, dim, index, value, reduce):
    """Combines with a number."""
    ...


@op("scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor", inplace=True)
def scatter_add(self, dim, index, src):
    """``out[index[i][j]][j] += src[i][j]`` (for dim 0) on a copy of self.

    Example::

        >>> rl.zeros(2).scatter_add(0, rl.tensor([1, 1]), rl.tensor([1., 2.]))
        tensor([0., 3.])
    """
    ...


scatter_add.vjp(self=lambda g: g, src=lambda g, dim, index: g.gather(dim, index))


def _combine_grads(g, self, source, result, reduce, include_self, read, write):
    """Gradients of a reduction by index. `read(x)` reads a self-shaped tensor at the source's
    positions; `write(base, x, reduce)` combines x into base there."""
    reached = write(rl.zeros_like(result), rl.ones_like(source), "sum")
    if reduce in ("sum", "mean"):
        n = reached + 1 if include_self else reached.masked_fill(reached == 0, 1)
        shared = g / n if reduce == "mean" else g
        return (shared if include_self else shared.masked_fill(reached != 0, 0)), read(shared)
    if reduce in ("amax", "amin"):
        hit_self = (self == result) if include_self else (self == result) & (reached == 0)
        hit_source = source == read(result)
        n = write(hit_self.to(g.dtype), hit_source.to(g.dtype), "sum")
        shared = g / n.masked_fill(n == 0, 1)
        return shared * hit_self, read(shared) * hit_source
    zero_source = source == 0
    ones = source.masked_fill(zero_source, 1)
    start = self if include_self else self.masked_fill(reached != 0, 1)
    zeros = read(write(rl.zeros_like(result), zero_source.to(g.dtype), "sum"))
    # The only zero among several: the others' product, which dividing by it cannot give.
    single = zero_source & (zeros == 1)
    without_zeros = write(start, source.masked_fill(single, 1), "prod")
    grad_source = rl.where(single, read(g * without_zeros), read(g * result) / ones)
    filled = self.masked_fill(self == 0, 1)
    grad_self = g * write(filled, source, "prod") / filled
    return (grad_self if include_self else grad_self.masked_fill(reached != 0, 0)), grad_source


@op(
    "scatter_reduce(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, "
    "bool include_self=True) -> Tensor",
    inplace=True,
)
def scatter_reduce(self, dim, index, src, reduce, include_self):
    """Combines ``src`` into a copy of self at ``index``: sum, prod, mean, amax or amin.

    Without ``include_self`` the elements that are written start afresh.

    Example::

        >>> rl.zeros(2).scatter_reduce(0, rl.tensor([1, 1]), rl.tensor([1., 3.]), "amax")
        tensor([0., 3.])
    """
    ...


@scatter_reduce.vjp_all
def _(g, needs, self, dim, index, src, reduce, include_self, result):
    if index.numel() == 0:
        return g, None, rl.zeros_like(src)
    used = src
    for d, n in enumerate(index.shape):
        used = used.narrow(d, 0, n)
    a, b = _combine_grads(
        g,
        self,
        used,
        result,
        reduce,
        include_self,
        lambda x: x.gather(dim, index),
        lambda base, x, how: base.scatter_reduce(dim, index, x, how),
    )
    for d, n in enumerate(src.shape):
        if b.shape[d] < n:
            pad = list(b.shape)
            pad[d] = n - b.shape[d]
            b = rl.cat([b, rl.zeros(pad, dtype=b.dtype)], d)
    return a, None, b


@op(
    "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor",
    inplace=True,
)
def index_add(self, dim, index, source, alpha):
    """Adds ``alpha`` times the slices of ``source`` at the positions ``index`` of ``dim``.

    Example::

        >>> rl.zeros(3).index_add(0, rl.tensor([0, 0]), rl.tensor([1., 2.]))
        tensor([3., 0., 0.])
    """
    ...


def _source_slices(g, source_meta, dim, index):
    return g.index_select(dim, index).reshape(source_meta.shape)


index_add.vjp(
    self=lambda g: g,
    source=lambda g, source_meta, dim, index, alpha: (
        _source_slices(g, source_meta, dim, index) * alpha
    ),
)


@op(
    "index_copy(Tensor self, int dim, Tensor index, Tensor source) -> Tensor",
    inplace=True,
    grad_name="IndexCopyBackward0",
)
def index_copy(self, dim, index, source):
    """Replaces the slices at the positions ``index`` of ``dim`` by those of ``source``.

    Example::

        >>> rl.zeros(3).index_copy(0, rl.tensor([2]), rl.tensor([5.]))
        tensor([0., 0., 5.])
    """
    ...


index_copy.vjp(
    self=lambda g, dim, index: g.index_fill(dim, index, 0),
    source=lambda g, source_meta, dim, index: _source_slices(g, source_meta, dim, index),
)


@op("index_fill(Tensor self, int dim, Tensor index, Tensor | Scalar value) -> Tensor", inplace=True)
def index_fill(self, dim, index, value):
    """Fills the slices at the positions ``index`` of ``dim`` with a number or a 0-d tensor.

    Example::

        >>> rl.zeros(3).index_fill(0, rl.tensor([1]), 7.)
        tensor([0., 7., 0.])
    """
    ...


index_fill.vjp(
    self=lambda g, dim, index: g.index_fill(dim, index, 0),
    value=lambda g, dim, index: g.index_select(dim, index.unique()).sum(),
)


@op(
    "index_reduce(Tensor self, int dim, Tensor index, Tensor source, str reduce, *, "
    "bool include_self=True) -> Tensor",
    inplace=True,
)
def index_reduce(self, dim, index, source, reduce, include_self):
    """Combines slices of ``source`` into a copy of self at ``index``: prod, mean, amax or amin.

    Example::

        >>> rl.ones(2).index_reduce(0, rl.tensor([1, 1]), rl.tensor([2., 3.]), "prod")
        tensor([1., 6.])
    """
    ...


@index_reduce.vjp_all
def _(g, needs, self, dim, index, source, reduce, include_self, result):
    def write(base, x, how):
        if how == "sum":
            return base.index_add(dim, index, x)
        return base.index_reduce(dim, index, x, how)

    a, b = _combine_grads(
        g,
        self,
        source,
        result,
        reduce,
        include_self,
        lambda x: _source_slices(x, source, dim, index),
        write,
    )
    return a, None, b


@op("put(Tensor self, Tensor index, Tensor source, bool accumulate=False) -> Tensor", inplace=True)
def put(self, index, source, accumulate):
    """Writes (or adds) ``source`` at the positions ``index`` of the flattened tensor.

    Example::

        >>> rl.zeros(3).put(rl.tensor([1]), rl.tensor([9.]))
        tensor([0., 9., 0.])
    """
    ...


put.vjp(
    self=lambda g, index, source_meta, accumulate: (
        g if accumulate else g.put(index, rl.zeros(source_meta.shape, dtype=g.dtype))
    ),
    source=lambda g, index, source_meta: g.take(index).reshape(source_meta.shape),
)


@op("masked_scatter(Tensor self, Tensor mask, Tensor source) -> Tensor", inplace=True)
def masked_scatter(self, mask, source):
    """Writes the elements of ``source``, in order, where ``mask`` is true.

    Example::

        >>> rl.zeros(3).masked_scatter(rl.tensor([True, False, True]), rl.tensor([1., 2.]))
        tensor([1., 0., 2.])
    """
    ...


def _masked_scatter_source_grad(g, mask, source_meta):
    if is_wrapped(mask) and source_meta.numel():  # how many it picks differs between examples
        mask = mask.expand(g.shape).reshape(-1)
        place = (mask.cumsum(0) - 1).clamp(0, source_meta.numel() - 1)
        zeros = rl.zeros(source_meta.numel(), dtype=g.dtype)
        picked = g.reshape(-1).masked_fill(~mask, 0)
        return zeros.index_add(0, place, picked).reshape(source_meta.shape)
    picked = g.masked_select(mask)
    missing = source_meta.numel() - picked.numel()
    return rl.cat([picked, rl.zeros(missing, dtype=g.dtype)]).reshape(source_meta.shape)


masked_scatter.vjp(self=lambda g, mask: g.masked_fill(mask, 0), source=_masked_scatter_source_grad)
