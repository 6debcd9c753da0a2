"""Histograms of one and of several dimensions, with bins of any width.

`histc` and `bincount` are in search.py. To add one: `_edges` and `_places` say
where the bins are and which one a value falls into.
"""

import rushlight as rl
from rushlight.ops._decisions import every, is_wrapped
from rushlight.ops._record import namespaces, op
from rushlight.ops._results import result_type


def _edges(x, bins, limits):
    """The edges given, or those of equal bins between limits (the extremes of ``x`` if None)."""
    if isinstance(bins, rl.Tensor):
        if bins.dim() != 1 or bins.dtype != x.dtype:
            raise RuntimeError(
                f"torch.histogram: expected edges as a vector of {x.dtype}, got {bins.dim()} "
                f"dimensions of {bins.dtype}"
            )
        if bins.numel() < 2:
            raise RuntimeError(f"torch.histogram: expected at least 2 edges, got {bins.numel()}")
        return bins
    if bins <= 0:
        raise RuntimeError(f"torch.histogram: bins must be > 0, got {bins}")
    if limits is not None and len(limits) != 2:
        raise RuntimeError(f"torch.histogram: a range has 2 ends, got {len(limits)}")
    low, high = limits if limits is not None else (None, None)
    if low is None and is_wrapped(x):
        return _spread(x, bins)
    if low is None:
        low, high = map(float, x.aminmax()) if x.numel() else (0.0, 1.0)
    if not (abs(low) < float("inf") and abs(high) < float("inf")):
        raise RuntimeError(f"torch.histogram: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"torch.histogram: max must be larger than min, got {low} and {high}")
    if low == high:
        low, high = low - 0.5, high + 0.5
    return rl.linspace(low, high, bins + 1, dtype=x.dtype)


def _spread(x, bins):
    """Edges between the extremes, which differ between the examples of a transform."""
    if x.numel() == 0:
        return _edges(x, bins, (0.0, 1.0))
    low, high = x.aminmax()
    if not every(low.isfinite() & high.isfinite()):
        raise RuntimeError("torch.histogram: the range of an example is not finite")
    half = rl.where(low == high, 0.5, 0.0).to(x.dtype)
    return rl.lerp(low - half, high + half, rl.linspace(0, 1, bins + 1, dtype=x.dtype))


def _places(x, edges):
    """For each value its bin, and whether it is in one. Bins are half open, the last one closed."""
    last = edges.numel() - 2
    place = rl.searchsorted(edges, x, right=True) - 1
    place = rl.where(x == edges[-1], last, place)
    return place, (place >= 0) & (place <= last) & ~x.isnan()


def _check_weight(name, values, weight, dtype):
    if weight is not None and weight.numel() != values.numel():
        raise RuntimeError(
            f"{name}: expected a weight for each of {values.numel()} values, got {weight.numel()}"
        )
    if weight is not None and weight.dtype != dtype:
        raise RuntimeError(f"{name}: expected weights of {dtype}, got {weight.dtype}")


def _counted(name, x, weight, place, inside, bins):
    _check_weight(name, place, weight, x.dtype)
    weights = rl.ones_like(place, dtype=x.dtype) if weight is None else weight.reshape(-1)
    counts = rl.zeros(bins, dtype=x.dtype)
    return counts.index_add(0, place[inside], weights.to(x.dtype)[inside])


@op(
    "_histogram(Tensor self, Tensor edges, Tensor? weight, bool even) -> Tensor",
    at=("internal",),
    differentiable=False,
)
def _histogram(self, edges, weight, even):
    """Counts, or sums of weights, between edges; ``even`` if these are those of equal bins."""
    ...


def _check(name, x):
    if not x.is_floating_point():
        raise NotImplementedError(f"{name}: expected a floating point tensor, got {x.dtype}")


@op(
    "histogram(Tensor self, any bins, *, float[]? range=None, Tensor? weight=None, "
    "bool density=False) -> (Tensor hist, Tensor bin_edges)",
    differentiable=False,
    out="exact",
)
def histogram(self, bins, limits, weight, density):
    """Counts (or sums of ``weight``) between bin edges:
    a number of equal bins or the edges themselves.

    Bins are half open, the last one closed. ``density`` divides by total and width.

    Example::

        >>> rl.tensor([0., 1., 1., 3.]).histogram(3).hist
        tensor([1., 2., 1.])
    """
    if isinstance(bins, bool) or (isinstance(bins, rl.Tensor) and limits is not None):
        raise TypeError("histogram(): expected a number of bins, or edges and no range")
    _check("histogram", self)
    x = self.detach().reshape(-1)
    edges = _edges(x, bins, limits)
    if x.dtype == edges.dtype and x.dtype in (rl.float32, rl.float64):
        _check_weight("histogram", x, weight, x.dtype)
        weights = None if weight is None else weight.detach().reshape(-1)
        hist = _histogram(x, edges.detach(), weights, not isinstance(bins, rl.Tensor))
    else:
        place, inside = _places(x, edges)
        hist = _counted("histogram", x, weight, place, inside, edges.numel() - 1)
    return (hist / hist.sum() / edges.diff() if density else hist), edges


_Histogram = result_type("histogramdd", ("hist", "bin_edges"))


def histogramdd(input, bins, *, range=None, weight=None, density=False):  # noqa: A002
    """Counts of points in boxes: the histogram of several dimensions.

    Args:
        input: the points, (*, D), floating point.
        bins: the number of equal bins, for all dimensions or each; or the edges for each.
        range: 2 * D numbers, where the bins of each dimension begin and end (the extremes).
        weight: what each point counts, (*).
        density: divide by the total and the volume of each box.

    Returns:
        ``(hist, bin_edges)``: D dimensions of counts, and a tuple of D tensors of edges.

    Raises:
        RuntimeError: if bins, range or weight do not fit the input.

    Example::

        >>> rl.histogramdd(rl.tensor([[0., 0.], [1., 3.], [1., 2.]]), [2, 2]).hist
        tensor([[1., 0.],
                [0., 2.]])
    """
    _check("histogramdd", input)
    if input.dim() < 2:
        raise RuntimeError(
            f"histogramdd: expected an input of at least 2 dimensions, got {input.dim()}"
        )
    if input.shape[-1] == 0:
        return _Histogram((rl.zeros((), dtype=input.dtype), ()))
    columns = input.detach().reshape(-1, input.shape[-1]).unbind(1)
    edges = _edges_of_each(columns, bins, range)
    flat, inside = 0, rl.ones(columns[0].shape, dtype=rl.bool)
    for x, e in zip(columns, edges):
        place, within = _places(x.contiguous(), e)
        flat, inside = flat * (e.numel() - 1) + place, inside & within
    shape = [e.numel() - 1 for e in edges]
    hist = _counted("histogramdd", columns[0], weight, flat, inside, rl.Size(shape).numel())
    hist = hist.reshape(shape)
    if density:
        hist = hist / hist.sum()
        for d, e in enumerate(edges):
            hist = hist / e.diff().reshape([-1 if i == d else 1 for i, _ in enumerate(shape)])
    return _Histogram((hist, tuple(edges)))


def _edges_of_each(columns, bins, limits):
    dims = len(columns)
    bins = [bins] * dims if isinstance(bins, int) else list(bins)
    if len(bins) != dims:
        raise RuntimeError(
            f"histogramdd: expected bins for each of {dims} dimensions, got {len(bins)}"
        )
    if limits is not None and len(limits) != 2 * dims:
        raise RuntimeError(
            f"histogramdd: expected a range of {2 * dims} numbers, two a dimension, "
            f"got {len(limits)}"
        )
    pairs = [None] * dims if limits is None else zip(limits[::2], limits[1::2])
    return [_edges(x, b, pair) for x, b, pair in zip(columns, bins, pairs)]


namespaces["torch"]["histogramdd"] = histogramdd
