"""Tensors made from numbers and sizes: empty, zeros, full, arange, eye and their relatives.

From Python data: csrc/python/from_data.cpp (`tensor`, `as_tensor`); random ones: random.py. To add
one: an infer/run pair in csrc/kernels/creation.cpp and a record here. The kernels expect the
options below to come last, in this order.
"""

import rushlight as rl
from rushlight import _native
from rushlight.ops._decisions import is_wrapped, reach
from rushlight.ops._record import namespaces, op

_OPTIONS = (
    "*, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, "
    "bool pin_memory=False"
)
namespaces.setdefault("torch", {})["asarray"] = _native.asarray
_FORMAT = ", memory_format? memory_format=None"
_LIKE = ", memory_format? memory_format=preserve_format"


def _factory(schema, **options):
    return op(schema.replace("OPTIONS", _OPTIONS), differentiable=False, **options)


def _progression(schema, **options):  # fills tensors of any shape
    return _factory(schema, out="filled", **options)


# ---- of given sizes ----------------------------------------------------------------------------


@_factory("empty(int[] size, OPTIONS" + _FORMAT + ") -> Tensor")
def empty(size, *options):
    """A tensor of the given sizes whose elements are not set.

    Example::

        >>> rl.empty(2, 3).shape
        torch.Size([2, 3])
    """
    ...


@_factory("empty_strided(int[] size, int[] stride, OPTIONS) -> Tensor")
def empty_strided(size, stride, *options):
    """A tensor of the given sizes and strides (in elements) whose elements are not set.

    Example::

        >>> rl.empty_strided((2, 3), (1, 2)).stride()
        (1, 2)
    """
    ...


@_factory("empty_permuted(int[] size, int[] physical_layout, OPTIONS) -> Tensor", out=False)
def empty_permuted(size, physical_layout, dtype, layout, device, requires_grad, pin_memory):
    """As `empty`, with the dimensions lying in memory in the order ``physical_layout``,
    outermost first.

    Example::

        >>> rl.empty_permuted((2, 3), (1, 0)).stride()
        (1, 2)
    """
    if sorted(physical_layout) != list(range(len(size))):
        raise RuntimeError(
            f"empty_permuted: physical_layout must name each of the {len(size)} dimensions once, "
            f"got {list(physical_layout)}"
        )
    strides, step = [0] * len(size), 1
    for d in reversed(physical_layout):
        strides[d], step = step, step * max(size[d], 1)
    return rl.empty_strided(
        size,
        strides,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
        pin_memory=pin_memory,
    )


@_factory("zeros(int[] size, OPTIONS) -> Tensor")
def zeros(size, *options):
    """A tensor of zeros, by default of the default dtype.

    Example::

        >>> rl.zeros(2)
        tensor([0., 0.])
    """
    ...


@_factory("ones(int[] size, OPTIONS) -> Tensor")
def ones(size, *options):
    """A tensor of ones, by default of the default dtype.

    Example::

        >>> rl.ones(2, dtype=rl.int64)
        tensor([1, 1])
    """
    ...


@_factory("full(int[] size, Scalar fill_value, OPTIONS) -> Tensor")
def full(size, fill_value, *options):
    """A tensor filled with one value, which gives the dtype if none is named.

    Example::

        >>> rl.full((2,), 7)
        tensor([7, 7])
    """
    ...


@_factory("scalar_tensor(Scalar s, OPTIONS) -> Tensor")
def scalar_tensor(s, *options):
    """A 0-d tensor of the default dtype (unless named) with the value ``s``.

    Example::

        >>> rl.scalar_tensor(3)
        tensor(3.)
    """
    ...


# ---- like another tensor -----------------------------------------------------------------------


@_factory("empty_like(Tensor self, OPTIONS" + _LIKE + ") -> Tensor", method=False)
def empty_like(self, *options):
    """A tensor of the same sizes, dtype and device (unless named) whose elements are not set.

    Example::

        >>> rl.empty_like(rl.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    ...


@_factory("zeros_like(Tensor self, OPTIONS" + _LIKE + ") -> Tensor", method=False)
def zeros_like(self, *options):
    """Zeros in the sizes, dtype and device of a tensor.

    Example::

        >>> rl.zeros_like(rl.ones(2))
        tensor([0., 0.])
    """
    ...


@_factory("ones_like(Tensor self, OPTIONS" + _LIKE + ") -> Tensor", method=False)
def ones_like(self, *options):
    """Ones in the sizes, dtype and device of a tensor.

    Example::

        >>> rl.ones_like(rl.zeros(2))
        tensor([1., 1.])
    """
    ...


@_factory("full_like(Tensor self, Scalar fill_value, OPTIONS" + _LIKE + ") -> Tensor", method=False)
def full_like(self, fill_value, *options):
    """One value in the sizes, dtype and device of a tensor.

    Example::

        >>> rl.full_like(rl.zeros(2), 7)
        tensor([7., 7.])
    """
    ...


@_factory("new_empty(Tensor self, int[] size, OPTIONS) -> Tensor", at="Tensor")
def new_empty(self, size, *options):
    """`empty` with this tensor's dtype and device.

    Example::

        >>> rl.ones(1).new_empty(2, 3).shape
        torch.Size([2, 3])
    """
    ...


@_factory("new_zeros(Tensor self, int[] size, OPTIONS) -> Tensor", at="Tensor")
def new_zeros(self, size, *options):
    """`zeros` with this tensor's dtype and device.

    Example::

        >>> rl.ones(1).new_zeros(2)
        tensor([0., 0.])
    """
    ...


@_factory("new_ones(Tensor self, int[] size, OPTIONS) -> Tensor", at="Tensor")
def new_ones(self, size, *options):
    """`ones` with this tensor's dtype and device.

    Example::

        >>> rl.zeros(1).new_ones(2)
        tensor([1., 1.])
    """
    ...


@_factory("new_full(Tensor self, int[] size, Scalar fill_value, OPTIONS) -> Tensor", at="Tensor")
def new_full(self, size, fill_value, *options):
    """`full` with this tensor's dtype and device.

    Example::

        >>> rl.zeros(1).new_full((2,), 7)
        tensor([7., 7.])
    """
    ...


@_factory(
    "new_empty_strided(Tensor self, int[] size, int[] stride, *, dtype? dtype=None, "
    "device? device=None) -> Tensor",
    at="Tensor",
)
def new_empty_strided(self, size, stride, dtype, device):
    """`empty_strided` with this tensor's dtype and device.

    Example::

        >>> rl.ones(1).new_empty_strided((2, 3), (1, 2)).stride()
        (1, 2)
    """
    if is_wrapped(self):  # what a transform makes of self is a part of it
        memory = self.new_empty((reach(size, stride, 0),), dtype=dtype, device=device)
        return memory.as_strided(size, stride)
    return rl.empty_strided(size, stride, dtype=dtype or self.dtype, device=device or self.device)


# ---- progressions ------------------------------------------------------------------------------


@_progression("arange.end(Scalar end, OPTIONS) -> Tensor", kernel="arange")
def arange_end(end, *options):
    """The numbers from 0 to ``end``, which is left out."""
    ...


@_progression("arange(Scalar start, Scalar end, Scalar step=1, OPTIONS) -> Tensor")
def arange(start, end, step, *options):
    """The numbers ``start``, ``start + step``, ... up to ``end``, which is left out.

    int64 if all three are integers, else the default dtype. Raises RuntimeError if the step is zero
    or has the wrong sign.

    Example::

        >>> rl.arange(1, 2, 0.5)
        tensor([1.0000, 1.5000])
    """
    ...


@_progression("range(Scalar start, Scalar end, Scalar step=1, OPTIONS) -> Tensor")
def range_(start, end, step, dtype, layout, device, requires_grad, pin_memory):
    """As `arange`, with ``end`` included and floating-point by default (deprecated in PyTorch).

    Example::

        >>> rl.range(0, 2)
        tensor([0., 1., 2.])
    """
    from warnings import warn

    warn("torch.range is deprecated, as it includes its end; use torch.arange", stacklevel=2)
    count = int((end - start) / step) + 1 if step else 0
    if count <= 0:
        raise RuntimeError(
            "upper bound and lower bound inconsistent with step sign"
            if step
            else "step must be nonzero"
        )
    values = rl.arange(count, dtype=rl.float64) * step + start
    made = values.to(device=device, dtype=dtype or rl.get_default_dtype())
    return made.requires_grad_() if requires_grad else made


@_progression("linspace(Scalar start, Scalar end, int steps, OPTIONS) -> Tensor")
def linspace(start, end, steps, *options):
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    Example::

        >>> rl.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    ...


@_progression("logspace(Scalar start, Scalar end, int steps, float base=10.0, OPTIONS) -> Tensor")
def logspace(start, end, steps, base, *options):
    """``base`` to the powers `linspace(start, end, steps)`.

    Example::

        >>> rl.logspace(0, 2, 3)
        tensor([  1.,  10., 100.])
    """
    ...


def _number(name, which, value):
    """A Python number from a number or a 0-d tensor."""
    if not isinstance(value, rl.Tensor):
        return value
    if value.dim():
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got {which} with "
            f"{value.dim()} dimension(s)."
        )
    return value.item()


@_progression(
    "linspace.tensors(Tensor | Scalar start, Tensor | Scalar end, int steps, OPTIONS) -> Tensor",
    method=False,
)
def _(start, end, steps, dtype, layout, device, requires_grad, pin_memory):
    """Between the values of 0-d tensors, which give no gradient."""
    ends = _number("linspace", "start", start), _number("linspace", "end", end)
    return rl.linspace(
        *ends,
        steps,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
        pin_memory=pin_memory,
    )


@_progression(
    "logspace.tensors(Tensor | Scalar start, Tensor | Scalar end, int steps, float base=10.0, "
    "OPTIONS) -> Tensor",
    method=False,
)
def _(start, end, steps, base, dtype, layout, device, requires_grad, pin_memory):
    """Between powers whose exponents are 0-d tensors, which give no gradient."""
    ends = _number("logspace", "start", start), _number("logspace", "end", end)
    return rl.logspace(
        *ends,
        steps,
        base,
        dtype=dtype,
        layout=layout,
        device=device,
        requires_grad=requires_grad,
        pin_memory=pin_memory,
    )


# ---- matrices ----------------------------------------------------------------------------------


@_factory("eye(int n, int? m=None, OPTIONS) -> Tensor")
def eye(n, m, *options):
    """The n × m matrix (n × n by default) with ones on the diagonal.

    Example::

        >>> rl.eye(2)
        tensor([[1., 0.],
                [0., 1.]])
    """
    ...


@_factory("tril_indices(int row, int col, int offset=0, OPTIONS) -> Tensor")
def tril_indices(row, col, offset, *options):
    """Row and column indices of the lower triangle, in row-major order: shape (2, N), int64.

    Example::

        >>> rl.tril_indices(2, 2)
        tensor([[0, 1, 1],
                [0, 0, 1]])
    """
    ...


@_factory("triu_indices(int row, int col, int offset=0, OPTIONS) -> Tensor")
def triu_indices(row, col, offset, *options):
    """Row and column indices of the upper triangle, in row-major order: shape (2, N), int64.

    Example::

        >>> rl.triu_indices(2, 2)
        tensor([[0, 0, 1],
                [0, 1, 1]])
    """
    ...


@empty.samples
def _(make):
    yield ((2, 3),)


@full.samples
def _(make):
    yield (2, 3), 1.5
    yield (), 7


@arange.samples
def _(make):
    yield 0, 5
    yield 1, 10, 3
    yield 5, 0, -2
    yield 0, 1, 0.25


@linspace.samples
def _(make):
    yield 0, 1, 5
    yield 3, -3, 1
    yield 0, 1, 0
