"""Reductions: sums, products, extrema, truth values. Spreads and norms are in reduce_moments.py,
medians and quantiles in order.py, cumulative forms in scan.py.

To add one: a Fold in csrc/kernels/reduce_*.cpp with its infer and run, and a record here whose
gradient puts the reduced dimensions back (`_reduce_grad.restore`).
"""

import rushlight as rl
from rushlight.ops import _reduce_grad as grad
from rushlight.ops._record import op

# ---- sums --------------------------------------------------------------------------------------


@op(
    "sum(Tensor self, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor",
    grad_name=("SumBackward0", "SumBackward1"),
)
def sum(self, dim, keepdim, dtype):
    """The sum of all elements, or over the dimensions ``dim``.

    Integers and bool sum to int64. ``dtype`` converts first. Float sums are accurate to about one
    rounding, in any order of memory.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).sum(1)
        tensor([3, 7])
    """
    ...


sum.vjp(self=lambda g, self_meta, dim, keepdim: grad.spread(g, self_meta, dim, keepdim))


@sum.samples
def _(make):
    yield (make(2, 3),)
    yield make(2, 3), 1, True
    yield make(2, 3, 4), (0, 2)
    yield make(0, 3), 0
    yield (make(),)


@op(
    "mean(Tensor self, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor",
    grad_name=("MeanBackward0", "MeanBackward1"),
)
def mean(self, dim, keepdim, dtype):
    """The mean of all elements, or over the dimensions ``dim``; floating point or complex.

    Raises RuntimeError for integers: give ``dtype``. The mean of nothing is NaN.

    Example::

        >>> rl.tensor([1., 2., 6.]).mean()
        tensor(3.)
    """
    ...


mean.vjp(
    self=lambda g, self_meta, dim, keepdim: grad.spread(
        g / grad.count(self_meta, dim), self_meta, dim, keepdim
    )
)


@mean.samples
def _(make):
    yield (make(2, 3),)
    yield make(2, 3), -1, True


@op("nansum(Tensor self, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor")
def nansum(self, dim, keepdim, dtype):
    """The sum with NaN counted as zero.

    Example::

        >>> rl.tensor([1., float("nan")]).nansum()
        tensor(1.)
    """
    ...


nansum.vjp(self=lambda g, self, dim, keepdim: grad.spread(g, self, dim, keepdim) * ~self.isnan())


@op("nanmean(Tensor self, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor")
def nanmean(self, dim, keepdim, dtype):
    """The mean of the elements that are not NaN.

    Example::

        >>> rl.tensor([1., float("nan"), 3.]).nanmean()
        tensor(2.)
    """
    if not (self.is_floating_point() or self.is_complex()):
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{self.dtype}"
        )
    counted = (~self.isnan()).sum(dim, keepdim)
    return rl.nansum(self, dim, keepdim, dtype=dtype) / counted


@op("prod(Tensor self, *, dtype? dtype=None) -> Tensor")
def prod(self, dtype):
    """The product of all elements, or along ``dim``. Integers and bool multiply as int64.

    Example::

        >>> rl.tensor([2, 3]).prod()
        tensor(6)
    """
    ...


prod.vjp(self=lambda g, self, result: grad.product_grad(g, self, result))


@op(
    "prod.dim(Tensor self, int dim, bool keepdim=False, *, dtype? dtype=None) -> Tensor",
    grad_name="ProdBackward1",
)
def prod(self, dim, keepdim, dtype):
    """The product along ``dim``."""
    ...


prod.vjp(
    self=lambda g, self, result, dim, keepdim: grad.product_dim_grad(g, self, result, dim, keepdim)
)


@prod.samples
def _(make):
    yield make(2, 3), 1
    yield make(3), 0, True


@op("count_nonzero(Tensor self, int[]? dim=None) -> Tensor", differentiable=False, out=False)
def count_nonzero(self, dim):
    """How many elements are not zero, in all or along ``dim``; int64.

    Example::

        >>> rl.tensor([0, 3, 5]).count_nonzero()
        tensor(2)
    """
    ...


# ---- truth -------------------------------------------------------------------------------------


@op(
    "all(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
    differentiable=False,
    no_float8="float4_e2m1fn_x2",
)
def all(self, dim, keepdim):
    """Are all elements (along ``dim``) true, that is not zero? bool; uint8 for uint8.

    Example::

        >>> rl.tensor([True, False]).all()
        tensor(False)
    """
    ...


@op(
    "any(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor",
    differentiable=False,
    no_float8="float4_e2m1fn_x2",
)
def any(self, dim, keepdim):
    """Is any element (along ``dim``) true? bool; uint8 for uint8.

    Example::

        >>> rl.tensor([True, False]).any()
        tensor(True)
    """
    ...


# ---- extrema -----------------------------------------------------------------------------------


@op("amax(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor")
def amax(self, dim, keepdim):
    """The largest element, over all or over the dimensions ``dim``; NaN if there is one.

    The gradient is shared evenly among equals. Raises IndexError for an empty dimension.

    Example::

        >>> rl.tensor([[1., 5.], [7., 2.]]).amax(1)
        tensor([5., 7.])
    """
    ...


amax.vjp(
    self=lambda g, self, result, dim, keepdim: grad.share_among_equals(
        g, self, result, dim, keepdim
    )
)


@op("amin(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor")
def amin(self, dim, keepdim):
    """The smallest element, as `amax`.

    Example::

        >>> rl.tensor([[1., 5.], [7., 2.]]).amin(1)
        tensor([1., 2.])
    """
    ...


amin.vjp(
    self=lambda g, self, result, dim, keepdim: grad.share_among_equals(
        g, self, result, dim, keepdim
    )
)


def _whole_extreme_grad(g, self, result):
    """As for amax; if the extremum is NaN, shared among the NaNs."""
    mask = rl.where(result.isnan(), self.isnan(), self == result)
    return g / mask.sum() * mask


@op("max(Tensor self) -> Tensor", grad_name="MaxBackward1")
def max(self):
    """The largest element; ``max(dim)``: values and positions along ``dim``;
    ``max(other)``: elementwise, as `maximum`.

    NaN counts as the largest. Of equal elements the first is reported; the gradient of the
    whole maximum is shared evenly among them, that along a dimension goes to the one reported.

    Example::

        >>> values, indices = rl.tensor([[1, 5], [7, 2]]).max(1)
        >>> indices
        tensor([1, 0])
    """
    ...


max.vjp(self=_whole_extreme_grad)


@op(
    "max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    grad_name="MaxBackward0",
)
def max(self, dim, keepdim):
    """The largest elements along ``dim`` and their positions."""
    ...


max.vjp(
    self=lambda g, self_meta, dim, keepdim, indices: grad.to_selected(
        g, self_meta, dim, keepdim, indices
    )
)


@op("min(Tensor self) -> Tensor", grad_name="MinBackward1")
def min(self):
    """The smallest element; with ``dim`` or ``other`` as `max`.

    Example::

        >>> rl.tensor([3, 1, 2]).min()
        tensor(1)
    """
    ...


min.vjp(self=_whole_extreme_grad)


@op(
    "min.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
    grad_name="MinBackward0",
)
def min(self, dim, keepdim):
    """The smallest elements along ``dim`` and their positions."""
    ...


min.vjp(
    self=lambda g, self_meta, dim, keepdim, indices: grad.to_selected(
        g, self_meta, dim, keepdim, indices
    )
)


@op("argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", differentiable=False)
def argmax(self, dim, keepdim):
    """The position of the largest element along ``dim``, or in the flattened tensor; int64.

    The first of equals; the first NaN if there is one.

    Example::

        >>> rl.tensor([1, 9, 9]).argmax()
        tensor(1)
    """
    ...


@op("argmin(Tensor self, int? dim=None, bool keepdim=False) -> Tensor", differentiable=False)
def argmin(self, dim, keepdim):
    """The position of the smallest element, as `argmax`.

    Example::

        >>> rl.tensor([4, 1, 1]).argmin()
        tensor(1)
    """
    ...


@op("aminmax(Tensor self, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)")
def aminmax(self, dim, keepdim):
    """The smallest and the largest elements, in one pass.

    Example::

        >>> rl.tensor([3, 1, 2]).aminmax().max
        tensor(3)
    """
    ...


aminmax.vjp(
    self=lambda g_min, g_max, self, result0, result1, dim, keepdim: (
        grad.share_among_equals(g_min, self, result0, dim, keepdim)
        + grad.share_among_equals(g_max, self, result1, dim, keepdim)
    )
)
