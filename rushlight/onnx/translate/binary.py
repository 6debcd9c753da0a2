"""Elementwise operators on several operands: arithmetic, comparison, logic, choice."""

import rushlight as rl

from .._table import translates


def promoted(g, *operands, floating=False):
    """Values of operands in the dtype that they have together, and that dtype."""
    dtype = rl.result_type(*operands) if len(operands) == 2 else _of_three(operands)
    if floating and not dtype.is_floating_point:
        dtype = rl.get_default_dtype()
    return [g.value(x, dtype) for x in operands], dtype


def _of_three(operands):
    first = rl.result_type(operands[0], operands[1])
    return rl.promote_types(first, rl.result_type(operands[0], operands[2]))


def _in_types(g, kind, a, b, dtype, narrow=(rl.bool,)):
    """A node for operands that ONNX has no version of: bools as integers."""
    if dtype in narrow:
        return g.cast(g.op(kind, g.cast(a, rl.int32), g.cast(b, rl.int32)), dtype)
    return g.op(kind, a, b, dtype=dtype)


def _sum(kind, swapped=False):
    def translate(g, self, other, *, alpha=1):
        (a, b), dtype = promoted(g, self, other)
        a, b = (b, a) if swapped else (a, b)
        if alpha != 1:
            b = g.op("Mul", b, g.constant(alpha, dtype), dtype=dtype)
        return _in_types(g, kind, a, b, dtype)

    return translate


translates("add", "__add__", "__radd__", "__iadd__")(_sum("Add"))
translates("sub", "subtract", "__sub__", "__isub__")(_sum("Sub"))
translates("rsub")(_sum("Sub", swapped=True))


@translates("mul", "multiply")
def _(g, self, other):
    (a, b), dtype = promoted(g, self, other)
    return g.op("And", a, b) if dtype is rl.bool else g.op("Mul", a, b, dtype=dtype)


def _truncated(g, x):
    return g.op("Mul", g.op("Sign", x), g.op("Floor", g.op("Abs", x)))


def _divide(g, self, other, *, rounding_mode=None):
    (a, b), dtype = promoted(g, self, other, floating=rounding_mode is None)
    if rounding_mode == "floor" and not dtype.is_floating_point:
        a = g.op("Sub", a, g.op("Mod", a, b))
    quotient = g.op("Div", a, b, dtype=dtype)
    if rounding_mode is None or not dtype.is_floating_point:
        return quotient
    return g.op("Floor", quotient) if rounding_mode == "floor" else _truncated(g, quotient)


translates("div", "divide", "true_divide")(_divide)


@translates("floor_divide")
def _(g, self, other):
    return _divide(g, self, other, rounding_mode="floor")


@translates("remainder")
def _(g, self, other):
    (a, b), dtype = promoted(g, self, other)
    if not dtype.is_floating_point:
        return g.op("Mod", a, b)
    return g.op("Sub", a, g.op("Mul", g.op("Floor", g.op("Div", a, b)), b))


@translates("fmod")
def _(g, self, other):
    (a, b), _ = promoted(g, self, other)
    return g.op("Mod", a, b, fmod=1)


@translates("pow")
def _(g, self, exponent):
    if not isinstance(exponent, rl.Tensor) and exponent == 2 and self.dtype is not rl.bool:
        return g.op("Mul", self, self)
    (a, b), dtype = promoted(g, self, exponent)
    return g.op("Pow", a, b, dtype=dtype)


def _extreme(kind):
    def translate(g, self, other):
        (a, b), dtype = promoted(g, self, other)
        return _in_types(g, kind, a, b, dtype)

    return translate


translates("maximum")(_extreme("Max"))
translates("minimum")(_extreme("Min"))


def _extreme_number(kind):
    """Of two numbers, the one that is no NaN."""

    def translate(g, self, other):
        (a, b), dtype = promoted(g, self, other)
        if not dtype.is_floating_point:
            return _in_types(g, kind, a, b, dtype)
        chosen = g.op("Where", g.op("IsNaN", b), a, g.op(kind, a, b))
        return g.op("Where", g.op("IsNaN", a), b, chosen, dtype=dtype)

    return translate


translates("fmax")(_extreme_number("Max"))
translates("fmin")(_extreme_number("Min"))


@translates("hypot")
def _(g, self, other):
    (a, b), dtype = promoted(g, self, other, floating=True)
    return g.op("Sqrt", g.op("Add", g.op("Mul", a, a), g.op("Mul", b, b)), dtype=dtype)


@translates("logaddexp")
def _(g, self, other):
    (a, b), dtype = promoted(g, self, other, floating=True)
    apart = g.op("Neg", g.op("Abs", g.op("Sub", a, b)))
    rest = g.op("Softplus", apart)  # log(1 + exp(-|a - b|))
    return g.op("Add", g.op("Max", a, b), rest, dtype=dtype)


@translates("copysign")
def _(g, self, other):
    (a, b), dtype = promoted(g, self, other, floating=True)
    size = g.op("Abs", a)
    negative = g.op("Less", b, g.constant(0, dtype))
    return g.op("Where", negative, g.op("Neg", size), size, dtype=dtype)


@translates("heaviside")
def _(g, self, values):
    (a, b), dtype = promoted(g, self, values)
    zero = g.constant(0, dtype)
    step = g.cast(g.op("Greater", a, zero), dtype)
    return g.op("Where", g.op("Equal", a, zero), b, step, dtype=dtype)


@translates("clamp", "clip")
def _(g, self, min=None, max=None):
    dtype = self.dtype
    for bound in (min, max):
        if bound is not None:
            dtype = rl.promote_types(dtype, rl.result_type(self, bound))
    x = g.value(self, dtype)
    x = x if min is None else g.op("Max", x, g.value(min, dtype))
    return x if max is None else g.op("Min", x, g.value(max, dtype))


@translates("clamp_min")
def _(g, self, min):
    (a, b), _ = promoted(g, self, min)
    return g.op("Max", a, b)


@translates("clamp_max")
def _(g, self, max):
    (a, b), _ = promoted(g, self, max)
    return g.op("Min", a, b)


# ---- comparison and logic ----------------------------------------------------------------------


def _comparison(kind, negated=False):
    def translate(g, self, other):
        (a, b), dtype = promoted(g, self, other)
        if dtype is rl.bool and kind != "Equal":
            a, b = g.cast(a, rl.int32), g.cast(b, rl.int32)
        result = g.op(kind, a, b, dtype=rl.bool)
        return g.op("Not", result) if negated else result

    return translate


for _names, _kind, _negated in (
    (("eq",), "Equal", False),
    (("ne", "not_equal"), "Equal", True),
    (("lt", "less"), "Less", False),
    (("le", "less_equal"), "LessOrEqual", False),
    (("gt", "greater"), "Greater", False),
    (("ge", "greater_equal"), "GreaterOrEqual", False),
):
    translates(*_names)(_comparison(_kind, _negated))


def _logic(kind, bitwise):
    def translate(g, self, other):
        (a, b), dtype = promoted(g, self, other)
        if not bitwise or dtype is rl.bool:
            return g.op(kind, g.value(a, rl.bool), g.value(b, rl.bool), dtype=rl.bool)
        if g.opset < 18:
            raise g.unsupported(f"bitwise_{kind.lower()}", since=18)
        return g.op("Bitwise" + kind, a, b)

    return translate


for _kind in ("And", "Or", "Xor"):
    translates("logical_" + _kind.lower())(_logic(_kind, bitwise=False))
    translates("bitwise_" + _kind.lower())(_logic(_kind, bitwise=True))


@translates("where")
def _(g, condition, self=None, other=None):
    if self is None:
        raise g.unsupported("where", "without values to choose from")
    (a, b), _ = promoted(g, self, other)
    return g.op("Where", g.value(condition, rl.bool), a, b)


@translates("masked_fill")
def _(g, self, mask, value):
    return g.op("Where", mask, g.value(value, self.dtype), self)


@translates("addcmul")
def _(g, self, tensor1, tensor2, *, value=1):
    return _with_product(g, "Mul", self, tensor1, tensor2, value)


@translates("addcdiv")
def _(g, self, tensor1, tensor2, *, value=1):
    return _with_product(g, "Div", self, tensor1, tensor2, value)


def _with_product(g, kind, self, a, b, factor):
    (x, a, b), dtype = promoted(g, self, a, b)
    y = g.op(kind, a, b, dtype=dtype)
    y = y if factor == 1 else g.op("Mul", y, g.constant(factor, dtype))
    return g.op("Add", x, y, dtype=dtype)


@translates("lerp")
def _(g, self, end, weight):
    weight = g.value(weight, self.dtype)
    return g.op("Add", self, g.op("Mul", g.op("Sub", end, self), weight))


@translates("atan2", "arctan2")
def _(g, self, other):
    (y, x), dtype = promoted(g, self, other, floating=True)
    zero, pi = g.constant(0.0, dtype), g.constant(3.141592653589793, dtype)
    half = g.constant(1.5707963267948966, dtype)
    plain = g.op("Atan", g.op("Div", y, x))
    turn = g.op("Where", g.op("Less", y, zero), g.op("Neg", pi), pi)
    upright = g.op("Mul", g.op("Sign", y), half)
    turned = g.op("Where", g.op("Less", x, zero), g.op("Add", plain, turn), plain)
    return g.op("Where", g.op("Equal", x, zero), upright, turned)


def _shift(to_left):
    """Shifts as products and quotients, which keep the sign as PyTorch's do."""

    def translate(g, self, other):
        (a, b), dtype = promoted(g, self, other)
        a, power = g.cast(a, rl.int64), g.op("Pow", g.constant(2, rl.int64), g.cast(b, rl.int64))
        if to_left:
            return g.cast(g.op("Mul", a, power), dtype)
        return g.cast(g.op("Div", g.op("Sub", a, g.op("Mod", a, power)), power), dtype)

    return translate


translates("bitwise_left_shift", "__lshift__")(_shift(True))
translates("bitwise_right_shift", "__rshift__")(_shift(False))
