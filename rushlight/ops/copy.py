"""Records that move and convert data: copy_, fill_, zero_, clone, to and its short forms."""

import rushlight as rl
from rushlight import _native
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op


@op(
    "copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor",
    method=True,
    at="Tensor",
    grad_name="CopyBackwards",
)
def copy_(self, src, non_blocking):
    """Copies ``src`` into ``self``, broadcasting and converting as needed; returns ``self``.

    Example::

        >>> rl.zeros(2).copy_(rl.tensor([1, 2]))
        tensor([1., 2.])
    """
    ...


copy_.vjp(self=lambda g: rl.zeros_like(g), src=lambda g: g)


@op(
    "copy_.number(Tensor(a!) self, Scalar src, bool non_blocking=False) -> Tensor",
    method=True,
    at="Tensor",
)
def _(self, src, non_blocking):
    """Sets every element to a number, converted as a tensor is."""
    wide = {float: rl.float64, complex: rl.complex128}.get(type(src))
    return self.copy_(rl.tensor(src, dtype=wide), non_blocking)


def _require_scalar(name, value):
    if value.dim():
        raise RuntimeError(
            f"{name} only supports 0-dimension value tensor but got tensor with {value.dim()} "
            "dimensions."
        )


@op("fill_.tensor(Tensor(a!) self, Tensor value) -> Tensor", at=("torch", "Tensor"))
def _(self, value):
    """Sets every element to that of a tensor without dimensions."""
    _require_scalar("fill_", value)
    if value.is_complex() and not self.is_complex():
        return self.fill_(value.item())  # which refuses what does not fit
    return self.copy_(value)


@op(
    "fill_.number(Tensor(a!) self, Scalar value) -> Tensor",
    at=("torch", "Tensor"),
    kernel="fill_",
    grad_name="FillBackward0",
)
def fill_(self, value):
    """Sets every element to ``value``; returns ``self``.

    Example::

        >>> rl.zeros(2).fill_(3)
        tensor([3., 3.])
    """
    ...


fill_.vjp(self=lambda g: rl.zeros_like(g))


@op("fill(Tensor self, Tensor | Scalar value) -> Tensor")
def _(self, value):
    """A tensor like ``self`` with every element ``value``.

    Example::

        >>> rl.fill(rl.zeros(2), 3)
        tensor([3., 3.])
    """
    if isinstance(value, rl.Tensor):
        _require_scalar("fill", value)
    return self.clone().copy_(value) if isinstance(value, rl.Tensor) else self.clone().fill_(value)


@op("zero_(Tensor(a!) self) -> Tensor", at=("torch", "Tensor"), grad_name=True)
def _(self):
    """Sets every element to zero; returns ``self``.

    Example::

        >>> rl.ones(2).zero_()
        tensor([0., 0.])
    """
    return self.fill_(0)


@op(
    "convert(Tensor self, dtype? dtype=None, memory_format? memory_format=None) -> Tensor",
    at="internal",
    out=False,
    grad_name="ToCopyBackward0",
)
def convert(self, dtype, memory_format):
    """A new tensor with the same values in another dtype (internal; see `Tensor.to`)."""
    ...


convert.vjp(self=lambda g: g)


@op("clone(Tensor self, *, memory_format? memory_format=preserve_format) -> Tensor")
def clone(self, memory_format):
    """A copy; gradients flow through it to the original.

    Example::

        >>> rl.ones(2).clone()
        tensor([1., 1.])
    """
    return _copied(self, None, memory_format)


def _copied(self, dtype, memory_format):
    return rl.ops.internal["convert"](self, dtype, memory_format)


clone.vjp(self=lambda g: g)


@op(
    "to.dtype(Tensor self, dtype dtype, bool non_blocking=False, bool copy=False, *, "
    "memory_format? memory_format=None) -> Tensor",
    at="Tensor",
    out=False,
)
def _(self, dtype, non_blocking, copy, memory_format):
    """Converts to a dtype; the tensor itself if it already has it and no copy is asked for.

    Example::

        >>> rl.tensor([1, 2]).to(rl.float64)
        tensor([1., 2.], dtype=torch.float64)
    """
    return _to(self, dtype, None, copy, memory_format)


@op(
    "to.other(Tensor self, Tensor other, bool non_blocking=False, bool copy=False, *, "
    "memory_format? memory_format=None) -> Tensor",
    at="Tensor",
    out=False,
)
def _(self, other, non_blocking, copy, memory_format):
    """Converts to the device and dtype of another tensor."""
    return _to(self, other.dtype, other.device, copy, memory_format)


@op(
    "to.device(Tensor self, device? device=None, dtype? dtype=None, bool non_blocking=False, "
    "bool copy=False, *, memory_format? memory_format=None) -> Tensor",
    at="Tensor",
    out=False,
)
def _(self, device, dtype, non_blocking, copy, memory_format):
    """Converts to a device and dtype; the tensor itself if nothing changes."""
    return _to(self, dtype, device, copy, memory_format)


def _to(self, dtype, device, copy, memory_format):
    if device is not None:
        place = rl.device(device)
        if place.type != self.device.type:
            return _on_other(self, dtype, device)
        # "cpu:0" is the memory of "cpu", but another device: PyTorch copies.
        copy = copy or place != self.device
    same_format = memory_format in (None, rl.preserve_format) or (
        memory_format is _native.suggested_format(self)
    )
    if not copy and same_format and (dtype is None or dtype == self.dtype):
        return self
    return _copied(self, dtype, memory_format)


def _on_other(self, dtype, device):
    """From memory to the meta device, which drops the data, or an error."""
    if self.device.type == "meta":
        raise NotImplementedError(
            "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() "
            "instead of torch.nn.Module.to() when moving module from meta to a different "
            "device."
        )
    return rl.empty_strided(self.size(), self.stride(), dtype=dtype or self.dtype, device=device)


@op("type_as(Tensor self, Tensor other) -> Tensor", at="Tensor")
def _(self, other):
    """Converts to the dtype of ``other``.

    Example::

        >>> rl.tensor([1, 2]).type_as(rl.zeros(1))
        tensor([1., 2.])
    """
    return self.to(other.dtype)


def _short(name, dtype):
    def convert_to(self, memory_format):
        return _to(self, dtype, None, False, memory_format)

    convert_to.__doc__ = with_example(
        f"Converts to {dtype}; the tensor itself if it already is.",
        f"tensor([1, 0]).{name}().dtype",
        str(dtype),
    )
    schema = f"{name}(Tensor self, *, memory_format? memory_format=None) -> Tensor"
    op(schema, at="Tensor", out=False)(convert_to)


for _name, _dtype in (
    ("float", rl.float32),
    ("double", rl.float64),
    ("half", rl.float16),
    ("bfloat16", rl.bfloat16),
    ("int", rl.int32),
    ("long", rl.int64),
    ("short", rl.int16),
    ("char", rl.int8),
    ("byte", rl.uint8),
    ("bool", rl.bool),
    ("chalf", rl.complex32),
    ("cfloat", rl.complex64),
    ("cdouble", rl.complex128),
):
    _short(_name, _dtype)


@op("sum_to_size(Tensor self, int[] size) -> Tensor", at="Tensor")
def _(self, size):
    """Sums broadcast dimensions away, down to ``size``.

    Example::

        >>> rl.ones(2, 3).sum_to_size(1, 3)
        tensor([[2., 2., 2.]])
    """
    extra = self.dim() - len(size)
    dims = list(range(extra)) + [
        i + extra for i, n in enumerate(size) if n == 1 and self.shape[i + extra] != 1
    ]
    if extra < 0 or any([n != 1 and n != self.shape[i + extra] for i, n in enumerate(size)]):
        raise RuntimeError(f"size {list(size)} is not expandable to size {list(self.shape)}.")
    if not size:
        return self.sum()
    out = self.sum(dims, True) if dims else self
    return out.reshape(size) if extra else out
