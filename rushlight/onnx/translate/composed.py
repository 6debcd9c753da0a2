"""Operators that ONNX has no node for and that a short program of its nodes computes: `lgamma`,
`histc`, inverses of small matrices. What is one node, or two, is in the file of its family.
"""

import math

import rushlight as rl

from .._table import translates

#: Lanczos' series of the gamma function for g = 7 (P. Godfrey's coefficients)
_LANCZOS = (
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7,
)  # fmt: skip
_LARGEST = 32  # rows of an inverse: each is some fifteen nodes


def _double(g, number):
    return g.constant(float(number), rl.float64)


@translates("lgamma", "special.gammaln")
def _(g, self):
    """Computed in double; below one half by reflection."""
    dtype = g.floating(self).dtype
    x = g.value(g.floating(self), rl.float64)
    reflected = g.op("Less", x, _double(g, 0.5), dtype=rl.bool)
    mirrored = g.op("Sub", _double(g, 1), x, dtype=rl.float64)
    z = g.op("Sub", g.op("Where", reflected, mirrored, x), _double(g, 1))
    series = _double(g, _LANCZOS[0])
    for i, coefficient in enumerate(_LANCZOS[1:], 1):
        term = g.op("Div", _double(g, coefficient), g.op("Add", z, _double(g, i)))
        series = g.op("Add", series, term)
    t = g.op("Add", z, _double(g, 7.5))
    power = g.op("Mul", g.op("Add", z, _double(g, 0.5)), g.op("Log", t))
    result = g.op("Add", g.op("Sub", power, t), g.op("Log", series))
    result = g.op("Add", result, _double(g, 0.5 * math.log(2 * math.pi)))
    beyond = g.op("Sub", x, g.op("Floor", x))  # sin(pi x) has the size of that of its fraction
    sine = g.op("Sin", g.op("Mul", beyond, _double(g, math.pi)))
    there = g.op("Sub", g.op("Sub", _double(g, math.log(math.pi)), g.op("Log", sine)), result)
    result = g.op("Where", reflected, there, result)
    is_pole = g.op("And", reflected, g.op("Equal", beyond, _double(g, 0)))
    return g.cast(g.op("Where", is_pole, _double(g, math.inf), result), dtype)


@translates("histc")
def _(g, self, bins=100, min=0, max=0):  # noqa: A002
    x = g.op("Reshape", g.value(self, rl.float64), g.ints([-1]))
    low, high = _double(g, min), _double(g, max)
    if min == max:
        low, high = (g.op(kind, x, keepdims=0) for kind in ("ReduceMin", "ReduceMax"))
        is_point = g.op("Equal", low, high)
        one = _double(g, 1)
        low, high = (
            g.op("Where", is_point, g.op(kind, limit, one), limit)
            for kind, limit in (("Sub", low), ("Add", high))
        )
    scaled = g.op("Div", g.op("Sub", x, low), g.op("Sub", high, low))
    place = g.op("Floor", g.op("Mul", scaled, _double(g, bins)))
    place = g.op("Min", place, _double(g, bins - 1))  # the largest value is in the last bin
    inside = g.op("And", g.op("GreaterOrEqual", x, low), g.op("LessOrEqual", x, high))
    place = g.op("Where", inside, place, _double(g, -1))
    numbers = g.constant([float(i) for i in range(bins)], rl.float64)
    found = g.op("Equal", g.op("Unsqueeze", place, g.ints([1])), numbers)
    return g.op("ReduceSum", g.cast(found, self.dtype), g.ints([0]), keepdims=0, dtype=self.dtype)


@translates("inverse", "linalg.inv")
def _(g, A):
    """Gauss-Jordan elimination on ``[A, 1]``, the largest of a column in front."""
    n = int(A.shape[-1])
    if n > _LARGEST:
        raise g.unsupported("inverse", f"of more than {_LARGEST} rows")
    dtype, axis = A.dtype, A.dim() - 1
    identity = g.op("Add", g.op("Mul", A, g.constant(0, dtype)), g.value(rl.eye(n, dtype=dtype)))
    rest = g.op("Concat", A, identity, axis=axis)
    rows = g.value(rl.arange(n).unsqueeze(1))
    for k in range(n):
        column = _part(g, rest, k, axis)
        free = g.op("Less", rows, g.constant(k, rl.int64))
        sizes = g.op("Where", free, g.constant(-1.0, dtype), g.op("Abs", column))
        best = g.op("ArgMax", sizes, axis=axis - 1, keepdims=1)
        is_best = g.op("Equal", rows, best)
        chosen = _sum_where(g, is_best, rest, axis, dtype)
        first = _part(g, rest, k, axis - 1)
        rest = g.op("Where", is_best, first, rest)
        scaled = g.op("Div", chosen, _part(g, chosen, k, axis))
        steps = g.op("Mul", _part(g, rest, k, axis), scaled)
        is_first = g.op("Equal", rows, g.constant(k, rl.int64))
        rest = g.op("Where", is_first, scaled, g.op("Sub", rest, steps))
    return g.op("Slice", rest, g.ints([n]), g.ints([2 * n]), g.ints([axis]), dtype=dtype)


def _part(g, x, k, axis):
    """Number k along an axis, which stays."""
    return g.op("Slice", x, g.ints([k]), g.ints([k + 1]), g.ints([axis]))


def _sum_where(g, mask, x, axis, dtype):
    """The row of x that a mask shows."""
    shown = g.op("Where", mask, x, g.constant(0, dtype))
    return g.op("ReduceSum", shown, g.ints([axis - 1]), keepdims=1)
