"""Sums, products, means and extremes of consecutive segments of a tensor."""

import rushlight as rl
from rushlight.ops._attach import attached, through_formula
from rushlight.ops._record import op
from rushlight.ops.views import _wrap

_KINDS = {kind: kind for kind in ("sum", "prod", "mean", "max", "min")}
_KINDS.update(amax="max", amin="min")


@op(
    "segment_reduce(Tensor data, str reduce, *, Tensor? lengths=None, Tensor? indices=None, "
    "Tensor? offsets=None, int axis=0, bool unsafe=False, Scalar? initial=None) -> Tensor",
    method=False,
    out=False,
)
def segment_reduce(data, reduce, lengths, indices, offsets, axis, unsafe, initial):
    """Sums, products, means or extremes of consecutive segments along ``axis``.

    ``lengths`` gives their lengths, or ``offsets`` where they begin and the last one ends; with
    more than one dimension, for each row before ``axis``. A segment starts from ``initial``, a
    mean with it in its sum; of an empty one without it, ``sum`` is 0, ``prod`` 1, ``mean`` NaN and
    the extremes are infinite.

    Example::

        >>> rl.segment_reduce(rl.tensor([1., 2., 3.]), "sum", lengths=rl.tensor([1, 2]))
        tensor([1., 5.])
    """
    if reduce not in _KINDS:
        raise RuntimeError(
            f"segment_reduce: reduce must be one of {', '.join(_KINDS)}, got {reduce!r}"
        )
    if indices is not None:
        raise NotImplementedError("segment_reduce: indices are not supported; give lengths")
    if (lengths is None) == (offsets is None):
        raise RuntimeError("segment_reduce: give either lengths or offsets")
    axis = _wrap(axis, data.dim())
    given = offsets if lengths is None else lengths
    if given.dtype not in (rl.int32, rl.int64):
        raise NotImplementedError(
            f"segment_reduce: lengths and offsets are int32 or int64, got {given.dtype}"
        )
    if not data.dim() or given.dim() != axis + 1 or given.shape[:-1] != data.shape[:axis]:
        raise RuntimeError(
            f"segment_reduce: expected lengths or offsets of {axis + 1} dimensions, the first of "
            f"which are {tuple(data.shape[:axis])}, for axis {axis}, got {tuple(given.shape)}"
        )
    if offsets is None:
        offsets = rl.nn.functional.pad(lengths.cumsum(-1), (1, 0))
    size, inner = data.shape[axis], data.shape[axis + 1 :]
    parts = offsets.shape[:-1].numel()
    result = _segments(
        data.reshape(parts, size, inner.numel()),
        offsets.reshape(parts, offsets.shape[-1]),
        _KINDS[reduce],
        initial,
        lengths is not None and not unsafe,
    )
    return result.reshape((*offsets.shape[:-1], offsets.shape[-1] - 1, *inner))


@op(
    "_segments(Tensor data, Tensor offsets, str reduce, Scalar? initial, bool whole) -> Tensor",
    at=("internal",),
    grad_name="SegmentReduceBackward0",
)
def _segments(data, offsets, reduce, initial, whole):
    """Of (parts, size, inner) the rows between neighbours of offsets (parts, count + 1)."""
    ...


@_segments.vjp_all
def _(g, needs, data, offsets, reduce, initial, whole, result):
    if reduce == "prod":
        slope = through_formula(_products, (g,), (True,), (data,), offsets, initial)[0]
    elif reduce in ("max", "min"):
        slope = attached(_extreme_slope(g, data.detach(), offsets, result.detach()), data)
    else:
        if reduce == "mean":
            g = g / offsets.diff(dim=-1).clamp(min=1).unsqueeze(-1).to(g.dtype)
        slope = _spread(g, offsets, data.shape[1])
    return slope, None, None, None, None


@op("_segments_spread(Tensor x, Tensor offsets, int size) -> Tensor", at=("internal",))
def _spread(x, offsets, size):
    """To each of `size` rows what x, (parts, count, inner), has of its segment; else 0."""
    ...


_spread.vjp(x=lambda g, offsets: _segments(g, offsets, "sum", None, False))


def _extreme_slope(g, data, offsets, result):
    """Elements that equal the extreme share its gradient, with those that are no numbers."""
    hit = (data == _spread(result, offsets, data.shape[1])) | data.isnan()
    count = _segments(hit.to(g.dtype), offsets, "sum", None, False).clamp(min=1)
    return _spread(g / count, offsets, data.shape[1]).masked_fill(~hit, 0)


# ---- products, whose gradient is that of recorded ops


def _products(data, offsets, initial):
    start = 1 if initial is None else initial
    parts = []
    for row, offset in zip(data, offsets):
        sizes, first = offset.diff(), int(offset[0])
        row = row.narrow(0, first, int(offset[-1]) - first)
        place = rl.arange(len(sizes)).repeat_interleave(sizes).unsqueeze(-1).expand(row.shape)
        base = rl.full((len(sizes), row.shape[1]), start, dtype=row.dtype)
        parts.append(_product_of_row(base, place, row))
    return rl.stack(parts)


def _product_of_row(base, place, row):
    """A segment's only NaN has the product of the others as its gradient, which is a number."""
    undefined, zeros = row.isnan(), rl.zeros_like(base)
    others = base.scatter_reduce(0, place, row.masked_fill(undefined, 1), "prod")
    count = zeros.scatter_add(0, place, undefined.to(row.dtype))
    total = zeros.scatter_add(0, place, row.masked_fill(~undefined, 0))
    nans = total * rl.ones_like(count).masked_fill(count > 1, float("nan"))
    return others * rl.where(count == 0, 1, nans)
