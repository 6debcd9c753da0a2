"""Operations that show a tensor's memory under another shape, order or element type.

All return views: no element is copied, and changes through a view show in the tensor. Views with
several outputs are in parts.py, operations that copy in shape.py. To add one: an infer function in
csrc/kernels/views.cpp and a record here.
"""

import rushlight as rl
from rushlight._interpose import attribute
from rushlight.ops._record import op

# ---- what the gradients are made of ------------------------------------------------------------


@op(
    "restride(Tensor self, int[] stride, int offset, int[] to_size, int[] to_stride, "
    "int to_offset, bool average_source=False) -> Tensor",
    at=(),
)
def restride(self, stride, offset, to_size, to_stride, to_offset, average_source):
    """Adds values laid out one way into zeros and reads the result laid out another way."""
    ...


restride.vjp(
    self=lambda g, self_meta, stride, offset, to_stride, to_offset, average_source: restride(
        g, to_stride, to_offset, self_meta.shape, stride, offset, not average_source
    )
)


def embed(g, meta, view):
    """A gradient of `meta`'s shape: zeros, with `g` added where `view` would look."""
    whole = rl.empty(meta.shape, device="meta")
    part = view(whole)
    return restride(g, part.stride(), part.storage_offset(), meta.shape, whole.stride(), 0)


# ---- shape -------------------------------------------------------------------------------------


@op("alias(Tensor self) -> Tensor", at=())
def alias(self):
    """The tensor again, as a view."""
    ...


alias.vjp(self=lambda g: g)


@op("view(Tensor self, int[] size) -> Tensor", at="Tensor", grad_name="ViewBackward0")
def view(self, size):
    """The same elements in the same order as a tensor of shape ``size``, without a copy.

    One size may be -1: it is inferred. Raises RuntimeError where the strides do not allow it;
    `reshape` copies then.

    Example::

        >>> rl.arange(6).view(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    ...


view.vjp(self=lambda g, self_meta: g.reshape(self_meta.shape))


@view.samples
def _(make):
    yield make(2, 3), (3, 2)
    yield make(2, 3), (-1,)
    yield make(0, 3), (3, 0)
    yield make(), (1, 1)


@op(
    "view.dtype(Tensor self, dtype dtype) -> Tensor",
    at="Tensor",
    kernel="view_dtype",
    differentiable=False,
)
def view_dtype(self, dtype):
    """The same bytes as elements of ``dtype``; the last dimension stretches or shrinks to fit.

    Example::

        >>> rl.tensor([1.0]).view(rl.int32)
        tensor([1065353216], dtype=torch.int32)
    """
    ...


@op("reshape(Tensor self, int[] shape) -> Tensor", out=False, grad_name="ViewBackward0")
def reshape(self, shape):
    """The same elements in the same order as a tensor of the given shape.

    A view where the strides allow it, a copy otherwise. One size may be -1: it is inferred.

    Example::

        >>> rl.arange(4).reshape(2, 2)
        tensor([[0, 1],
                [2, 3]])
    """
    ...


reshape.vjp(self=lambda g, self_meta: g.reshape(self_meta.shape))


@reshape.samples
def _(make):
    yield make(2, 3), (3, 2)
    yield make(4, 3).t(), (2, 6)
    yield make(2, 0), (0, 5)


@op("view_as(Tensor self, Tensor other) -> Tensor", at="Tensor", out=False)
def view_as(self, other):
    """``self.view(other.size())``.

    Example::

        >>> rl.arange(4).view_as(rl.ones(2, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    return self.view(other.shape)


@op("reshape_as(Tensor self, Tensor other) -> Tensor", at="Tensor", out=False)
def reshape_as(self, other):
    """``self.reshape(other.size())``.

    Example::

        >>> rl.arange(4).reshape_as(rl.ones(2, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    return self.reshape(other.shape)


@op("expand(Tensor self, int[] size, *, bool implicit=False) -> Tensor", at="Tensor")
def expand(self, size, implicit):
    """Dimensions of length 1 repeated to the given sizes, without a copy; -1 keeps a size.

    New dimensions come in front. Several elements may then share memory: clone before writing.

    Example::

        >>> rl.tensor([[1], [2]]).expand(2, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    ...


expand.vjp(self=lambda g: g)


@expand.samples
def _(make):
    yield make(3, 1), (3, 4)
    yield make(3), (2, -1)
    yield make(), (2,)


@op("expand_as(Tensor self, Tensor other) -> Tensor", at="Tensor", out=False)
def expand_as(self, other):
    """``self.expand(other.size())``.

    Example::

        >>> rl.tensor([1, 2]).expand_as(rl.ones(2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return self.expand(other.shape)


@op("broadcast_to(Tensor self, int[] size) -> Tensor", out=False)
def broadcast_to(self, size):
    """The same as `expand`.

    Example::

        >>> rl.broadcast_to(rl.tensor([1, 2]), (2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return self.expand(size)


@op("squeeze(Tensor self, int[]? dim=None) -> Tensor")
def squeeze(self, dim):
    """Without dimensions of length 1: all of them, or those in ``dim`` (others there are kept).

    Example::

        >>> rl.zeros(1, 3, 1).squeeze(0).shape
        torch.Size([3, 1])
    """
    ...


squeeze.vjp(self=lambda g, self_meta: g.reshape(self_meta.shape))


@squeeze.samples
def _(make):
    yield (make(1, 3, 1),)
    yield make(1, 3, 1), 0
    yield make(1, 3, 1), (0, 1)
    yield (make(),)


@op("unsqueeze(Tensor self, int dim) -> Tensor")
def unsqueeze(self, dim):
    """With a dimension of length 1 inserted at ``dim``.

    Example::

        >>> rl.tensor([1, 2]).unsqueeze(1)
        tensor([[1],
                [2]])
    """
    ...


unsqueeze.vjp(self=lambda g, dim: g.squeeze(dim))


@unsqueeze.samples
def _(make):
    yield make(3), 0
    yield make(2, 3), -1


@op("as_strided(Tensor self, int[] size, int[] stride, int? storage_offset=None) -> Tensor")
def as_strided(self, size, stride, storage_offset):
    """Any geometry over the tensor's storage: sizes, strides and offset in elements.

    Example::

        >>> rl.arange(4).as_strided((3, 2), (1, 1))
        tensor([[0, 1],
                [1, 2],
                [2, 3]])
    """
    ...


def _as_strided_vjp(g, self_meta, stride, storage_offset):
    start = self_meta.storage_offset()
    offset = start if storage_offset is None else storage_offset
    return restride(g, stride, offset, self_meta.shape, self_meta.stride(), start)


as_strided.vjp(self=_as_strided_vjp)

for _step in ("Alias", "Select", "Slice", "Unsqueeze"):  # x[...]: csrc/python/index.cpp

    def _indexed(self, size, stride, storage_offset): ...

    _indexed.__doc__ = f"`as_strided`, under the name that a basic index has in the graph: {_step}."
    op(
        f"_index_{_step.lower()}(Tensor self, int[] size, int[] stride, int? storage_offset=None)"
        " -> Tensor",
        at=("internal",),
        kernel="as_strided",
        grad_name=f"{_step}Backward0",
    )(_indexed).vjp(self=_as_strided_vjp)


@op(
    "flatten(Tensor self, int start_dim=0, int end_dim=-1) -> Tensor",
    out=False,
    grad_name="ViewBackward0",
)
def flatten(self, start_dim, end_dim):
    """Dimensions ``start_dim`` to ``end_dim`` merged into one.

    Example::

        >>> rl.zeros(2, 3, 4).flatten(1).shape
        torch.Size([2, 12])
    """
    ...


flatten.vjp(self=lambda g, self_meta: g.reshape(self_meta.shape))


def _wrap(dim, n):
    n = max(n, 1)
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim % n


@op("unflatten(Tensor self, int dim, int[] sizes) -> Tensor", out=False)
def unflatten(self, dim, sizes):
    """Dimension ``dim`` split into ``sizes``, of which one may be -1.

    Example::

        >>> rl.zeros(6, 2).unflatten(0, (2, -1)).shape
        torch.Size([2, 3, 2])
    """
    if isinstance(sizes, int):
        sizes = (sizes,)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    shape = self.shape
    at, known = _wrap(dim, len(shape)), 1
    for size in sizes:
        known *= 1 if size == -1 else size
    length, holes = shape[at], list(sizes).count(-1)
    if holes > 1 or (known != length if not holes else known == 0 or length % known):
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of "
            f"dim {at} ({length}) in the input tensor"
        )
    if holes:
        sizes = [length // known if size == -1 else size for size in sizes]
    return self.view((*shape[:at], *sizes, *shape[at + 1 :]))


@op("ravel(Tensor self) -> Tensor", out=False)
def ravel(self):
    """All elements in one dimension, copied only if they must be.

    Example::

        >>> rl.ravel(rl.ones(2, 2))
        tensor([1., 1., 1., 1.])
    """
    return self.contiguous().view(-1)


# ---- element type ------------------------------------------------------------------------------


@op("view_as_real(Tensor self) -> Tensor")
def view_as_real(self):
    """A complex tensor as a real one with a last dimension of 2: real and imaginary part.

    Example::

        >>> rl.view_as_real(rl.tensor([1 + 2j]))
        tensor([[1., 2.]])
    """
    ...


view_as_real.vjp(self=lambda g: rl.view_as_complex(g.contiguous()))


@op("view_as_complex(Tensor self) -> Tensor")
def view_as_complex(self):
    """A real tensor with a last dimension of 2 as a complex one.

    Example::

        >>> rl.view_as_complex(rl.tensor([[1., 2.]]))
        tensor([1.+2.j])
    """
    ...


view_as_complex.vjp(self=lambda g: rl.view_as_real(g))


@op(
    "real_complex(Tensor self) -> Tensor",
    at="internal",
    kernel="real",
    grad_name="SelectBackward0",
)
def _real_complex(self):
    """The real part of a complex tensor, a view (internal; see `real`)."""
    ...


_real_complex.vjp(self=lambda g: rl.complex(g, rl.zeros_like(g)))


@op("real(Tensor self) -> Tensor", method=False, out=False)
def real(self):
    """The real part, a view; a real tensor itself.

    Example::

        >>> rl.real(rl.tensor([1 + 2j]))
        tensor([1.])
    """
    return _real_complex(self) if self.is_complex() else self


@op("imag(Tensor self) -> Tensor", method=False, grad_name="SelectBackward0")
def imag(self):
    """The imaginary part of a complex tensor, a view.

    Example::

        >>> rl.imag(rl.tensor([1 + 2j]))
        tensor([2.])
    """
    ...


imag.vjp(self=lambda g: rl.complex(rl.zeros_like(g), g))


def _assign(part):
    def assign(self, value):
        target = part(self)
        target.copy_(value) if isinstance(value, rl.Tensor) else target.fill_(value)

    return assign


for _name, _op in {"real": real, "imag": imag}.items():
    attribute(_name, _op, _assign(_op))
