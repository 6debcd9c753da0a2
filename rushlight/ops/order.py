"""Order statistics: sorting, top-k, medians, modes, quantiles.

NaN is larger than every number here, and sorting is always stable. To add one: a line function in
csrc/kernels/sort.cpp and a record here; the gradient goes to the selected positions.
"""

import rushlight as rl
from rushlight.ops import _reduce_grad as grad
from rushlight.ops._decisions import some, written
from rushlight.ops._record import op


def _to_positions(g, meta, dim, indices):
    """Gradients of values read at `indices` along `dim`."""
    if meta.dim() == 0:
        return g
    return written(rl.zeros(meta.shape, dtype=g.dtype), "scatter", dim, indices, g)


@op(
    "sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor values, Tensor indices)",
    grad_name="SortBackward0",
)
def sort(self, dim, descending):
    """The elements in order along ``dim`` and the positions they came from (int64).

    Example::

        >>> rl.tensor([3, 1, 2]).sort().indices
        tensor([1, 2, 0])
    """
    ...


sort.vjp(self=lambda g, self_meta, dim, indices: _to_positions(g, self_meta, dim, indices))


@op(
    "sort.stable(Tensor self, *, bool? stable, int dim=-1, bool descending=False)"
    " -> (Tensor values, Tensor indices)",
    grad_name="SortBackward0",
)
def sort(self, stable, dim, descending):
    """As above; equal elements keep their order in either case."""
    ...


sort.vjp(self=lambda g, self_meta, dim, indices: _to_positions(g, self_meta, dim, indices))


@op(
    "argsort(Tensor self, int dim=-1, bool descending=False, bool stable=False) -> Tensor",
    differentiable=False,
)
def argsort(self, dim, descending, stable):
    """The positions that put ``dim`` in order; int64.

    Example::

        >>> rl.tensor([3, 1, 2]).argsort()
        tensor([1, 2, 0])
    """
    return rl.sort(self.detach(), dim, descending)[1]


@op("msort(Tensor self) -> Tensor", out="exact")
def msort(self):
    """The elements in order along the first dimension.

    Example::

        >>> rl.tensor([3, 1, 2]).msort()
        tensor([1, 2, 3])
    """
    return rl.sort(self, 0)[0]


@op(
    "topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True)"
    " -> (Tensor values, Tensor indices)"
)
def topk(self, k, dim, largest, sorted):
    """The ``k`` largest (or smallest) elements along ``dim`` in order, and their positions.

    Of equal elements the earlier are chosen. Raises RuntimeError if there are fewer than ``k``.

    Example::

        >>> rl.tensor([3, 1, 2]).topk(2).values
        tensor([3, 2])
    """
    ...


topk.vjp(self=lambda g, self_meta, dim, indices: _to_positions(g, self_meta, dim, indices))


@op(
    "kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False) -> (Tensor values, "
    "Tensor indices)",
    out="disjoint",
)
def kthvalue(self, k, dim, keepdim):
    """The ``k``-th smallest element along ``dim``, counted from 1, and its position.

    Example::

        >>> rl.tensor([3, 1, 2]).kthvalue(2).values
        tensor(2)
    """
    ...


kthvalue.vjp(
    self=lambda g, self_meta, dim, keepdim, indices: grad.to_selected(
        g, self_meta, dim, keepdim, indices
    )
)


@op("mode(Tensor self, int dim=-1, bool keepdim=False) -> (Tensor values, Tensor indices)")
def mode(self, dim, keepdim):
    """The most frequent element along ``dim``, the smallest of several, and its last position.

    Example::

        >>> rl.tensor([2, 1, 2]).mode().values
        tensor(2)
    """
    ...


mode.vjp(
    self=lambda g, self_meta, dim, keepdim, indices: grad.to_selected(
        g, self_meta, dim, keepdim, indices
    )
)

# ---- medians -----------------------------------------------------------------------------------


def _median_of_all(self, op_name):
    if self.numel() == 0:
        if not self.is_floating_point():
            raise RuntimeError(f"{op_name}: expected at least one element, got {tuple(self.shape)}")
        return rl.full((), float("nan"), dtype=self.dtype)
    return getattr(rl, op_name)(self.reshape(-1), 0)[0]


def _median_grad(g, self, result):
    """Shared evenly among the elements equal to the median."""
    mask = rl.where(result.isnan(), self.isnan(), self == result)
    return g / mask.sum() * mask


def _add_median(name, doc):
    def body(self):
        return _median_of_all(self, name)

    body.__doc__ = doc
    op(f"{name}(Tensor self) -> Tensor")(body).vjp(self=_median_grad)

    @op(
        f"{name}.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)",
        grad_name=name.capitalize() + "Backward1",
    )
    def along(self, dim, keepdim):
        """Medians along ``dim`` and their positions."""
        ...

    along.vjp(
        self=lambda g, self_meta, dim, keepdim, indices: grad.to_selected(
            g, self_meta, dim, keepdim, indices
        )
    )


_add_median(
    "median",
    """The lower median of all elements, or medians along ``dim`` with their positions.

    NaN if there is one. Example::

        >>> rl.tensor([4., 1., 3., 2.]).median()
        tensor(2.)
    """,
)
_add_median(
    "nanmedian",
    """The lower median of the elements that are not NaN, as `median`.

    Example::

        >>> rl.tensor([1., float("nan"), 3.]).nanmedian()
        tensor(1.)
    """,
)

# ---- quantiles ---------------------------------------------------------------------------------


def _between(low, high, weight, interpolation):
    if interpolation == "lower":
        return low
    if interpolation == "higher":
        return high
    if interpolation == "midpoint":
        return low.lerp(high, 0.5)
    return low.lerp(high, weight)


def _checked_quantiles(self, q, interpolation, name):
    """q as a tensor of the input's dtype."""
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or "
            f"nearest, but got {interpolation}"
        )
    if self.dtype not in (rl.float32, rl.float64):
        raise RuntimeError(
            f"{name}() input tensor must be either float or double dtype, got {self.dtype}"
        )
    if not isinstance(q, rl.Tensor):
        q = rl.tensor(q, dtype=self.dtype)
    elif q.dtype != self.dtype:
        raise RuntimeError(
            f"{name}() q tensor must be same dtype as the input tensor, got {q.dtype} and "
            f"{self.dtype}"
        )
    if q.dim() > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, got {q.dim()} dimensions")
    if some((q < 0) | (q > 1)):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    if self.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    return q


def _quantile(self, q, dim, keepdim, interpolation, name, skip_nan):
    q = _checked_quantiles(self, q, interpolation, name)
    x = self.reshape(-1) if dim is None or not self.dim() else self.movedim(dim, -1)
    shape = x.shape[:-1]
    ordered = rl.sort(x, -1)[0]
    last = (
        (~x.isnan()).sum(-1, keepdim=True) - 1
        if skip_nan
        else rl.full((1,) * x.dim(), x.shape[-1] - 1)
    )
    ranks = (q.reshape(-1) * last.to(self.dtype)).clamp(min=0).expand(shape + (q.numel(),))
    if not skip_nan:
        ranks = ranks.masked_fill(x.isnan().any(-1, keepdim=True), x.shape[-1] - 1)
    if interpolation == "nearest":
        result = ordered.gather(-1, ranks.round().long())
    else:
        below = ranks.floor()
        result = _between(
            ordered.gather(-1, below.long()),
            ordered.gather(-1, ranks.ceil().long()),
            ranks - below,
            interpolation,
        )
    return _place_quantiles(result, self, q, dim, keepdim)


def _place_quantiles(result, self, q, dim, keepdim):
    """The quantiles' dimension to the front, or away for a single one; kept dimensions back."""
    result = result.movedim(-1, 0)
    if keepdim and self.dim():
        if dim is None:
            result = result.reshape((q.numel(),) + (1,) * self.dim())
        else:
            result = result.unsqueeze(dim % self.dim() + 1)
    return result if q.dim() else result.squeeze(0)


@op(
    "quantile(Tensor self, any q, int? dim=None, bool keepdim=False, *, "
    "str interpolation='linear') -> Tensor",
    out="exact",
)
def quantile(self, q, dim, keepdim, interpolation):
    """The ``q``-th quantiles of all elements or along ``dim``; NaN where there is one.

    ``q`` is a number or a 1-d tensor in [0, 1]; a tensor puts its dimension first. Ranks that fall
    between elements interpolate: linear, lower, higher, midpoint or nearest.

    Example::

        >>> rl.tensor([0., 1., 2.]).quantile(0.25)
        tensor(0.5000)
    """
    return _quantile(self, q, dim, keepdim, interpolation, "quantile", False)


@op(
    "nanquantile(Tensor self, any q, int? dim=None, bool keepdim=False, *, "
    "str interpolation='linear') -> Tensor",
    out="exact",
)
def nanquantile(self, q, dim, keepdim, interpolation):
    """`quantile` of the elements that are not NaN.

    Example::

        >>> rl.tensor([0., 1., float("nan")]).nanquantile(0.5)
        tensor(0.5000)
    """
    return _quantile(self, q, dim, keepdim, interpolation, "nanquantile", True)
