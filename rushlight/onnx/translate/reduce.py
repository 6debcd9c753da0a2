"""Reductions, moments, order and running sums."""

import math

import rushlight as rl

from .._table import find, translates

#: since opset 18 axes are an input of every reduction, before only of this one
_AXES_AS_INPUT = ("ReduceSum",)


def axes_of(self, dim):
    """`dim` as a list of dimensions; all of them for None."""
    if dim is None or (isinstance(dim, (list, tuple)) and not dim):
        return list(range(self.dim()))
    return [int(d) % max(self.dim(), 1) for d in ([dim] if isinstance(dim, int) else dim)]


def reduced(g, kind, x, self, dim, keepdim):
    """A reduction of the value x, whose dimensions are those of the tensor self."""
    axes = axes_of(self, dim)
    if not axes or self.dim() == 0:
        return g.value(x)
    if kind in _AXES_AS_INPUT or g.opset >= 18:
        return g.op(kind, x, g.ints(axes), keepdims=int(keepdim))
    return g.op(kind, x, axes=axes, keepdims=int(keepdim))


def _integers(self):
    return rl.int64 if not (self.is_floating_point() or self.is_complex()) else self.dtype


@translates("sum")
def _(g, self, dim=None, keepdim=False, *, dtype=None):
    return reduced(g, "ReduceSum", g.value(self, dtype or _integers(self)), self, dim, keepdim)


@translates("mean")
def _(g, self, dim=None, keepdim=False, *, dtype=None):
    return reduced(g, "ReduceMean", g.value(self, dtype), self, dim, keepdim)


@translates("prod")
def _(g, self, dim=None, keepdim=False, *, dtype=None):
    return reduced(g, "ReduceProd", g.value(self, dtype or _integers(self)), self, dim, keepdim)


@translates("amax")
def _(g, self, dim=None, keepdim=False):
    return reduced(g, "ReduceMax", self, self, dim, keepdim)


@translates("amin")
def _(g, self, dim=None, keepdim=False):
    return reduced(g, "ReduceMin", self, self, dim, keepdim)


@translates("any")
def _(g, self, dim=None, keepdim=False):
    truth = g.cast(g.value(self, rl.bool), rl.int32)
    return g.cast(reduced(g, "ReduceMax", truth, self, dim, keepdim), rl.bool)


@translates("all")
def _(g, self, dim=None, keepdim=False):
    truth = g.cast(g.value(self, rl.bool), rl.int32)
    return g.cast(reduced(g, "ReduceMin", truth, self, dim, keepdim), rl.bool)


@translates("count_nonzero")
def _(g, self, dim=None):
    ones = g.cast(g.value(self, rl.bool), rl.int64)
    return reduced(g, "ReduceSum", ones, self, dim, False)


@translates("aminmax")
def _(g, self, *, dim=None, keepdim=False):
    return [reduced(g, kind, self, self, dim, keepdim) for kind in ("ReduceMin", "ReduceMax")]


def _extreme(kind, other_kind, place):
    def translate(g, self, dim=None, keepdim=False, *, other=None):
        if isinstance(dim, rl.Tensor) or other is not None:
            return _pair(g, kind, self, dim if other is None else other)
        if dim is None:
            return reduced(g, kind, self, self, None, False)
        values = reduced(g, kind, self, self, dim, keepdim)
        if self.dim() == 0:
            return values, g.constant(0, rl.int64)
        return values, g.op(place, self, axis=dim, keepdims=int(keepdim), dtype=rl.int64)

    def _pair(g, kind, a, b):
        dtype = rl.result_type(a, b)
        return g.op(other_kind, g.value(a, dtype), g.value(b, dtype), dtype=dtype)

    return translate


translates("max")(_extreme("ReduceMax", "Max", "ArgMax"))
translates("min")(_extreme("ReduceMin", "Min", "ArgMin"))


def _place(kind):
    def translate(g, self, dim=None, keepdim=False):
        if dim is None:
            flat = g.op("Reshape", self, g.ints([-1]))
            if keepdim:
                raise g.unsupported("argmax", "keepdim of all dimensions")
            return g.op(kind, flat, axis=0, keepdims=0, dtype=rl.int64)
        return g.op(kind, self, axis=dim, keepdims=int(keepdim), dtype=rl.int64)

    return translate


translates("argmax")(_place("ArgMax"))
translates("argmin")(_place("ArgMin"))


@translates("logsumexp", "_logsumexp")
def _(g, self, dim=None, keepdim=False):
    return reduced(g, "ReduceLogSumExp", g.floating(self), self, dim, keepdim)


# ---- moments and norms -------------------------------------------------------------------------


def _count(g, self, dim, dtype):
    """How many elements are reduced, as a value."""
    lengths = [g.length(self, d) for d in axes_of(self, dim)]
    if all(type(n) is int for n in lengths):
        return g.constant(float(math.prod(lengths)), dtype)
    return g.cast(g.op("ReduceProd", g.ints(lengths), keepdims=0), dtype)


def _variance(g, self, dim, keepdim, correction):
    centre = reduced(g, "ReduceMean", self, self, dim, True)
    apart = g.op("Sub", self, centre)
    squares = reduced(g, "ReduceSum", g.op("Mul", apart, apart), self, dim, keepdim)
    count = _count(g, self, dim, self.dtype)
    divisor = g.op("Sub", count, g.constant(float(correction), self.dtype)) if correction else count
    return g.op("Div", squares, divisor)


def _moment(root, with_mean):
    def translate(g, self, dim=None, unbiased=None, keepdim=False, *, correction=None):
        if isinstance(dim, bool):  # var(x, unbiased)
            dim, unbiased = None, dim
        if unbiased is not None:
            correction = int(unbiased)
        spread = _variance(g, self, dim, keepdim, 1 if correction is None else correction)
        spread = g.op("Sqrt", spread) if root else spread
        return (spread, reduced(g, "ReduceMean", self, self, dim, keepdim)) if with_mean else spread

    return translate


for _name in ("var", "std"):
    translates(_name)(_moment(_name == "std", False))
    translates(_name + "_mean")(_moment(_name == "std", True))


def _norm(g, self, ord, dim, keepdim):
    kinds = {1: "ReduceL1", 2: "ReduceL2"}
    if ord in kinds:
        return reduced(g, kinds[ord], g.floating(self), self, dim, keepdim)
    size = g.op("Abs", g.floating(self))
    if ord in (math.inf, -math.inf):
        kind = "ReduceMax" if ord > 0 else "ReduceMin"
        return reduced(g, kind, size, self, dim, keepdim)
    power = g.op("Pow", size, g.constant(float(ord), self.dtype))
    total = reduced(g, "ReduceSum", power, self, dim, keepdim)
    return g.op("Pow", total, g.constant(1.0 / ord, self.dtype))


@translates("linalg.vector_norm", "_vector_norm")
def _(g, self, ord=2, dim=None, keepdim=False, *, dtype=None):
    return _norm(g, self, ord, dim, keepdim)


@translates("norm")
def _(g, self, p="fro", dim=None, keepdim=False, dtype=None):
    if p == "nuc":
        raise g.unsupported("norm", "the nuclear norm")
    return _norm(g, self, 2 if p in ("fro", None) else p, dim, keepdim)


# ---- order -------------------------------------------------------------------------------------


@translates("topk")
def _(g, self, k, dim=-1, largest=True, sorted=True):
    size = g.ints([k])
    made = g.op("TopK", self, size, outputs=2, axis=dim, largest=int(largest), sorted=int(sorted))
    return made[0], made[1]


def _sorted(g, self, dim, descending):
    length = g.ints([g.length(self, dim)])
    return g.op("TopK", self, length, outputs=2, axis=dim, largest=int(descending), sorted=1)


@translates("sort")
def _(g, self, dim=-1, descending=False, *, stable=False):
    return _sorted(g, self, dim, descending)


@translates("argsort")
def _(g, self, dim=-1, descending=False, *, stable=False):
    return _sorted(g, self, dim, descending)[1]


@translates("kthvalue")
def _(g, self, k, dim=-1, keepdim=False):
    found = g.op("TopK", self, g.ints([k]), outputs=2, axis=dim, largest=0, sorted=1)
    last = [g.op("Gather", x, g.constant(k - 1, rl.int64), axis=dim) for x in found]
    return [g.op("Unsqueeze", x, g.ints([dim])) for x in last] if keepdim else last


@translates("median")
def _(g, self, dim=None, keepdim=False):
    if dim is None:
        middle = g.constant((self.numel() - 1) // 2, rl.int64)
        flat = g.op("Reshape", self, g.ints([-1]))
        found = g.op("TopK", flat, g.ints([self.numel()]), outputs=2, axis=0, largest=0, sorted=1)
        return g.op("Gather", found[0], middle, axis=0)
    return find("kthvalue")(g, self, (self.shape[dim] + 1) // 2, dim, keepdim)


@translates("_searchsorted")
def _(g, sorted_sequence, self, right, out_int32, sorter):
    if sorter is not None:
        raise g.unsupported("searchsorted", "sorter")
    values = g.op("Unsqueeze", self, g.ints([self.dim()]))
    if sorted_sequence.dim() > 1:
        sorted_sequence = g.op("Unsqueeze", sorted_sequence, g.ints([-2]))
    before = g.op("LessOrEqual" if right else "Less", sorted_sequence, values)
    dtype = rl.int32 if out_int32 else rl.int64
    return g.op("ReduceSum", g.cast(before, dtype), g.ints([-1]), keepdims=0, dtype=dtype)


@translates("_unique")
def _(g, self, *_wanted):
    values, _, inverse, counts = g.op("Unique", self, outputs=4, sorted=1)
    return values, g.op("Reshape", inverse, g.shape(self)), counts


@translates("cumsum")
def _(g, self, dim, *, dtype=None):
    x = g.value(self, dtype or _integers(self))
    return g.op("CumSum", x, g.constant(int(dim), rl.int64))


def _up_to_each(g, self, x, dim, neutral):
    """Rows that hold the elements up to each one, and `neutral` after that; and the order of
    dimensions that brings the result back. Their size is the square of the dimension's.
    """
    dim %= self.dim()
    order = list(range(self.dim()))
    order[dim], order[-1] = order[-1], order[dim]
    length = g.value(g.length(self, dim), rl.int64)
    count = g.op("Range", g.constant(0, rl.int64), length, g.constant(1, rl.int64), dtype=rl.int64)
    seen = g.op("LessOrEqual", count, g.op("Unsqueeze", count, g.ints([1])))
    rows = g.op("Unsqueeze", g.op("Transpose", x, perm=order), g.ints([-2]))
    return g.op("Where", seen, rows, neutral), order


def _reduced_rows(g, kind, rows, order):
    axes = {"axes": [-1]} if g.opset < 18 else {}
    y = g.op(kind, rows, None if axes else g.ints([-1]), keepdims=0, **axes)
    return g.op("Transpose", y, perm=order)


@translates("cumprod")
def _(g, self, dim, *, dtype=None):
    dtype = dtype or _integers(self)
    x = g.value(self, dtype)
    if self.dim() == 0:
        return x
    return _reduced_rows(g, "ReduceProd", *_up_to_each(g, self, x, dim, g.constant(1, dtype)))


def _extremes(kind, worst):
    def translate(g, self, dim):
        if self.dim() == 0 or not self.is_floating_point():
            raise g.unsupported("cum" + kind.lower(), "other than floats with dimensions")
        neutral = g.constant(worst, self.dtype)
        rows, order = _up_to_each(g, self, g.value(self), dim, neutral)
        last = g.op("Arg" + kind, rows, axis=-1, keepdims=0, select_last_index=1, dtype=rl.int64)
        return _reduced_rows(g, "Reduce" + kind, rows, order), g.op("Transpose", last, perm=order)

    return translate


translates("cummax")(_extremes("Max", -math.inf))
translates("cummin")(_extremes("Min", math.inf))
