"""Views of parts of a tensor: one slice, a diagonal, sliding windows,
or all pieces along a dimension.

Indexing with ``x[...]`` is in indexing.py. To add one: an infer function in csrc/kernels/views.cpp
(or views_split.cpp for several outputs) and a record here.
"""

import rushlight as rl
from rushlight.ops._record import op
from rushlight.ops.views import _wrap, embed


@op("select(Tensor self, int dim, int index) -> Tensor")
def select(self, dim, index):
    """The slice at ``index`` of dimension ``dim``, without that dimension.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).select(1, 0)
        tensor([1, 3])
    """
    ...


select.vjp(
    self=lambda g, self_meta, dim, index: embed(g, self_meta, lambda x: x.select(dim, index))
)


@select.samples
def _(make):
    yield make(2, 3), 1, -1
    yield make(4), 0, 2


@op("slice(Tensor self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor", at=())
def slice(self, dim, start, end, step):
    """``x[start:end:step]`` along ``dim``."""
    ...


slice.vjp(
    self=lambda g, self_meta, dim, start, end, step: embed(
        g, self_meta, lambda x: slice(x, dim, start, end, step)
    )
)


@op(
    "narrow(Tensor self, int dim, int start, int length) -> Tensor",
    grad_name="SliceBackward0",
)
def narrow(self, dim, start, length):
    """``length`` entries of dimension ``dim`` from ``start`` on.

    Example::

        >>> rl.arange(5).narrow(0, 1, 3)
        tensor([1, 2, 3])
    """
    ...


narrow.vjp(
    self=lambda g, self_meta, dim, start, length: embed(
        g, self_meta, lambda x: x.narrow(dim, start, length)
    )
)


@narrow.samples
def _(make):
    yield make(4, 3), 0, 1, 2
    yield make(4, 3), 1, -1, 1
    yield make(4), 0, 4, 0


@op("narrow.tensor(Tensor self, int dim, Tensor start, int length) -> Tensor", out=False)
def narrow_tensor(self, dim, start, length):
    """As `narrow`, with the start in an integer tensor of one element."""
    if start.dim() or start.dtype == rl.bool or start.is_floating_point() or start.is_complex():
        raise RuntimeError(
            "narrow: start must be a 0-dim integral tensor, got "
            f"{start.dim()} dimension(s) of {start.dtype}"
        )
    return self.narrow(dim, int(start), length)


@op("diagonal(Tensor self, int offset=0, int dim1=0, int dim2=1) -> Tensor")
def diagonal(self, offset, dim1, dim2):
    """The diagonal over two dimensions, as the last dimension;
    ``offset`` > 0 lies above the main one.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).diagonal()
        tensor([1, 4])
    """
    ...


diagonal.vjp(
    self=lambda g, self_meta, offset, dim1, dim2: embed(
        g, self_meta, lambda x: x.diagonal(offset, dim1, dim2)
    )
)


@diagonal.samples
def _(make):
    yield (make(3, 4),)
    yield make(3, 4), 1
    yield make(2, 3, 3), -1, 1, 2


@op("unfold(Tensor self, int dimension, int size, int step) -> Tensor", at="Tensor")
def unfold(self, dimension, size, step):
    """Windows of ``size`` entries along ``dimension``, ``step`` apart;
    windows are the last dimension.

    Example::

        >>> rl.arange(5).unfold(0, 3, 1)
        tensor([[0, 1, 2],
                [1, 2, 3],
                [2, 3, 4]])
    """
    ...


unfold.vjp(
    self=lambda g, self_meta, dimension, size, step: embed(
        g, self_meta, lambda x: x.unfold(dimension, size, step)
    )
)


# ---- all pieces --------------------------------------------------------------------------------


@op("split(Tensor self, int split_size, int dim=0) -> Tensor[]", kernel="split_size")
def split(self, split_size, dim):
    """Pieces of ``split_size`` along ``dim`` (the last may be shorter), or of the sizes in a list.

    Example::

        >>> rl.arange(5).split(2)
        (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    ...


split.vjp(self=lambda g, dim: rl.cat(g, dim))


@split.samples
def _(make):
    yield make(5, 2), 2
    yield make(2, 6), 3, 1


@op(
    "split.sizes(Tensor self, int[] split_size, int dim=0) -> Tensor[]",
    kernel="split_with_sizes",
    grad_name="SplitWithSizesBackward0",
)
def split_sizes(self, split_size, dim):
    """Pieces of the given sizes."""
    ...


split_sizes.vjp(self=lambda g, dim: rl.cat(g, dim))


@op(
    "split.any(Tensor tensor, object split_size_or_sections, int dim=0) -> Tensor[]",
    out=False,
    method=True,
)
def split_any(tensor, split_size_or_sections, dim):
    """The names that the function's keywords have."""
    return tensor.split(split_size=split_size_or_sections, dim=dim)


@op("split_with_sizes(Tensor self, int[] split_sizes, int dim=0) -> Tensor[]")
def split_with_sizes(self, split_sizes, dim):
    """Pieces of the given sizes along ``dim``; they must add up to its length.

    Example::

        >>> rl.arange(3).split_with_sizes([1, 2])
        (tensor([0]), tensor([1, 2]))
    """
    ...


split_with_sizes.vjp(self=lambda g, dim: rl.cat(g, dim))


@op("chunk(Tensor self, int chunks, int dim=0) -> Tensor[]", grad_name="SplitBackward0")
def chunk(self, chunks, dim):
    """At most ``chunks`` pieces of equal size along ``dim``; the last may be shorter.

    Example::

        >>> [c.tolist() for c in rl.arange(5).chunk(2)]
        [[0, 1, 2], [3, 4]]
    """
    ...


chunk.vjp(self=lambda g, dim: rl.cat(g, dim))


@chunk.samples
def _(make):
    yield make(5, 2), 2
    yield make(2, 6), 3, 1


@op("unbind(Tensor self, int dim=0) -> Tensor[]")
def unbind(self, dim):
    """All slices along ``dim``, without that dimension.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).unbind()
        (tensor([1, 2]), tensor([3, 4]))
    """
    ...


unbind.vjp(self=lambda g, dim: rl.stack(g, dim))


@unbind.samples
def _(make):
    yield (make(3, 2),)
    yield make(3, 2), 1


def _even_sizes(length, sections):
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    short, longer = divmod(length, sections)
    return [short + (i < longer) for i in range(sections)]


def _cuts_of_tensor(cuts):
    if cuts.device.type != "cpu" or cuts.dtype != rl.int64 or cuts.dim() > 1:
        raise RuntimeError(
            "tensor_split: cut points or a number of sections in a tensor have to be a vector or a "
            f"0-d tensor of int64 on the CPU, got {cuts.dim()} dimensions of {cuts.dtype} on "
            f"{cuts.device}"
        )
    return cuts.tolist()


def _sections(self, indices_or_sections, dim):
    """The pieces between cut points, or a number of nearly equal ones."""
    if self.dim() == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    length, cuts = self.shape[_wrap(dim, self.dim())], indices_or_sections
    if isinstance(cuts, rl.Tensor):
        cuts = _cuts_of_tensor(cuts)
    if isinstance(cuts, int):
        return self.split_with_sizes(_even_sizes(length, cuts), dim)
    edges = [0, *cuts, length]
    return tuple(
        [
            slice(self, dim, a, b, 1) if i < len(edges) - 2 else slice(self, dim, a, None, 1)
            for i, (a, b) in enumerate(zip(edges, edges[1:]))
        ]
    )


@op("tensor_split(Tensor self, object indices_or_sections, int dim=0) -> Tensor[]", out=False)
def tensor_split(self, indices_or_sections, dim):
    """Pieces between the given cut points, or a number of nearly equal pieces.

    Example::

        >>> [p.tolist() for p in rl.arange(5).tensor_split(3)]
        [[0, 1], [2, 3], [4]]
    """
    return _sections(self, indices_or_sections, dim)


@op("tensor_split.indices(Tensor self, *, int[] indices, int dim=0) -> Tensor[]", out=False)
def tensor_split_indices(self, indices, dim):
    """The cut points by their keyword."""
    return _sections(self, list(indices), dim)


@op("tensor_split.sections(Tensor self, *, int sections, int dim=0) -> Tensor[]", out=False)
def tensor_split_sections(self, sections, dim):
    """The number of pieces by its keyword."""
    return _sections(self, sections, dim)


def _split_along(self, indices_or_sections, dim, name, least):
    if self.dim() < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension"
            f"{'s' * (least > 1)}, but got a tensor with {self.dim()} dimensions!"
        )
    n = self.shape[dim]
    if isinstance(indices_or_sections, int):
        if indices_or_sections == 0 or n % indices_or_sections:
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of "
                f"the dimension {n} is not divisible by the split_size "
                f"{indices_or_sections}!"
            )
    return _sections(self, indices_or_sections, dim)


@op("hsplit(Tensor self, object indices_or_sections) -> Tensor[]", out=False)
def hsplit(self, indices_or_sections):
    """Pieces along the columns (of a vector: along itself).

    Example::

        >>> rl.hsplit(rl.arange(4), 2)
        (tensor([0, 1]), tensor([2, 3]))
    """
    return _split_along(self, indices_or_sections, 0 if self.dim() == 1 else 1, "hsplit", 1)


@op("vsplit(Tensor self, object indices_or_sections) -> Tensor[]", out=False)
def vsplit(self, indices_or_sections):
    """Pieces along the rows.

    Example::

        >>> rl.vsplit(rl.arange(4).reshape(2, 2), 2)
        (tensor([[0, 1]]), tensor([[2, 3]]))
    """
    return _split_along(self, indices_or_sections, 0, "vsplit", 2)


@op("dsplit(Tensor self, object indices_or_sections) -> Tensor[]", out=False)
def dsplit(self, indices_or_sections):
    """Pieces along the third dimension.

    Example::

        >>> rl.dsplit(rl.arange(4).reshape(1, 2, 2), 2)
        (tensor([[[0],
                 [2]]]), tensor([[[1],
                 [3]]]))
    """
    return _split_along(self, indices_or_sections, 2, "dsplit", 3)
