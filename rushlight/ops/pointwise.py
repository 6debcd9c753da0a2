"""Records of elementwise arithmetic and elementary functions. The functors are in csrc/scalar/;
comparison, logic and other names are in logic.py; activations, reductions and everything with
structure live elsewhere. To add an op: one record
here, one functor line there.
"""

import rushlight as rl
from rushlight.ops._record import op, pointwise, to_float


def unary(name, doc, rule, dtype=to_float, **more):
    """Records ``name(self)``; the doc's formula is all that differs between these."""

    def body(self): ...

    body.__doc__ = doc
    made = op(f"{name}(Tensor self) -> Tensor", kind=pointwise, dtype=dtype, **more)(body)
    if rule is not None:
        made.vjp(self=rule)
    return made


def _conj(x):
    return x.conj() if x.is_complex() else x


# ---- arithmetic


@op(
    "add(Tensor | Scalar self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor",
    kind=pointwise,
    method=True,
    operator="+",
)
def add(self, other, alpha):
    """``self + alpha * other``, elementwise with broadcasting and type promotion.

    Example:
        >>> rl.add(rl.tensor([1., 2.]), 10, alpha=2)
        tensor([21., 22.])
    """
    ...


add.vjp(self=lambda g: g, other=lambda g, alpha: g if alpha == 1 else g * alpha)


@add.samples
def _(make):
    yield make(3, 4), make(3, 4)
    yield make(3, 4), make(4)
    yield make(), 2
    yield make(0, 3), make(3)


@op(
    "sub(Tensor | Scalar self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor",
    kind=pointwise,
    method=True,
    operator="-",
)
def sub(self, other, alpha):
    """``self - alpha * other``, elementwise. Two bool tensors are refused: use ``^`` there."""
    ...


sub.vjp(self=lambda g: g, other=lambda g, alpha: -g if alpha == 1 else g * -alpha)


@op(
    "mul(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    method=True,
    operator="*",
)
def mul(self, other):
    """``self * other``, elementwise with broadcasting and type promotion."""
    ...


mul.vjp(self=lambda g, other: g * _conj_any(other), other=lambda g, self: g * _conj_any(self))


def _conj_any(x):
    return (
        x.conj()
        if isinstance(x, rl.Tensor) and x.is_complex()
        else (x.conjugate() if isinstance(x, complex) else x)
    )


@op(
    "div(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    dtype=to_float,
    method=True,
    operator="/",
)
def div(self, other):
    """``self / other``, elementwise true division: integers give floats."""
    ...


div.vjp(
    self=lambda g, other: g / _conj_any(other),
    other=lambda g, self, other: -g * _conj_any(self / other) / _conj_any(other),
)


@op(
    "div.Tensor_mode(Tensor | Scalar self, Tensor | Scalar other, *, str? rounding_mode) -> Tensor",
    inplace=True,
    method=True,
)
def _(self, other, rounding_mode):
    """Division rounded towards zero (``"trunc"``), down (``"floor"``) or not at all (None)."""
    if rounding_mode is None:
        return rl.div(self, other)
    if rounding_mode == "floor":
        return rl.ops.internal["floor_quotient"](self, other)
    if rounding_mode == "trunc":
        return _trunc_divide(self, other)
    raise RuntimeError(
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


def _trunc_divide(a, b):
    kind = rl.result_type(a, b)
    if kind.is_floating_point:
        return rl.div(a, b).trunc()
    return (
        rl.div(rl.sub(a, rl.fmod(a, b)), b).round().to(kind)
        if kind.itemsize < 4
        else _exact_trunc(a, b)
    )


def _exact_trunc(a, b):
    floor = rl.floor_divide(a, b)
    inexact = rl.mul(floor, b) != a
    return floor + (inexact & (floor < 0)).to(floor.dtype)


@op(
    "floor_divide(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    method=True,
    operator="//",
    differentiable=False,
)
def floor_divide(self, other):
    """``floor(self / other)``, elementwise, like Python's ``//``."""
    ...


@op(
    "floor_quotient(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    at="internal",
    inplace=False,
    kernel="floor_divide",
)
def floor_quotient(self, other):
    """`floor_divide` with a gradient, of zero (internal; see `div`)."""
    ...


floor_quotient.vjp(self=lambda g: g * 0, other=lambda g: g * 0)


@op(
    "remainder(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    method=True,
    operator="%",
)
def remainder(self, other):
    """The remainder with the sign of the divisor, like Python's ``%``."""
    ...


remainder.vjp(
    self=lambda g: g, other=lambda g, self, other: -g * rl.div(self, other, rounding_mode="floor")
)


@op("fmod(Tensor | Scalar self, Tensor | Scalar other) -> Tensor", kind=pointwise, method=True)
def fmod(self, other):
    """The remainder with the sign of the dividend, like C's ``fmod``."""
    ...


fmod.vjp(
    self=lambda g: g, other=lambda g, self, other: -g * rl.div(self, other, rounding_mode="trunc")
)

neg = unary("neg", "``-self``.", lambda g: -g, dtype=0, operator="neg")
unary(
    "abs",
    "The absolute value; of a complex number, its modulus (a real).",
    lambda g, self: g * self.sgn(),
    dtype=0,
    operator="abs",
)
unary("square", "``self * self``.", lambda g, self: g * (2 * _conj(self)), dtype=0)
unary("reciprocal", "``1 / self``.", lambda g, result: -g * _conj(result * result))
unary("sign", "-1, 0 or 1; NaN stays NaN.", lambda g: g * 0, dtype=0)
for _name in ("floor", "ceil", "trunc"):
    unary(_name, f"``{_name}(self)``, elementwise.", lambda g: g * 0, dtype=0)
unary("frac", "The fractional part, with the sign of the input.", lambda g: g, dtype=0)
unary(
    "sgn_complex",
    "``z / |z|`` (internal; see `sgn`).",
    lambda g, self, result: _sgn_gradient(g, self, result),
    dtype=0,
    at="internal",
    inplace=False,
)
unary(
    "conj_complex",
    "The complex conjugate (internal; see `conj`).",
    lambda g: g.conj(),
    dtype=0,
    at="internal",
    inplace=False,
)
unary(
    "angle_complex",
    "The argument of a complex number (internal; see `angle`).",
    None,
    dtype=0,
    at="internal",
    inplace=False,
)


def _sgn_gradient(g, z, unit):
    """Only the part of g across the ray through z counts: the length does not change."""
    size = z.abs()
    slope = (g - unit * (g * unit.conj()).real) / size
    return slope.masked_fill(size == 0, 0)


@op("round(Tensor self) -> Tensor", kind=pointwise)
def round(self):  # noqa: A001
    """The nearest integer, ties to even."""
    ...


round.vjp(self=lambda g: g * 0)


@op("round.decimals(Tensor self, *, int decimals) -> Tensor", inplace=True)
def _(self, decimals):
    """Rounds to so many decimals; negative counts round to tens, hundreds ..."""
    if decimals == 0:
        return self.round()
    scale = 10.0 ** abs(decimals)
    return (self * scale).round() / scale if decimals > 0 else (self / scale).round() * scale


@op("conj(Tensor self) -> Tensor")
def conj(self):
    """The complex conjugate; a real tensor comes back as it is."""
    return rl.ops.internal["conj_complex"](self) if self.is_complex() else self


@op("conj_physical(Tensor self) -> Tensor", inplace=True)
def _(self):
    """The complex conjugate."""
    return self.conj()


@op("positive(Tensor self) -> Tensor", operator="pos")
def _(self):
    """``+self``: the tensor itself. Bool tensors are refused."""
    if self.dtype == rl.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return self


@op("sgn(Tensor self) -> Tensor", inplace=True)
def _(self):
    """`sign` for reals; ``z / |z|`` (0 at 0) for complex numbers."""
    return rl.ops.internal["sgn_complex"](self) if self.is_complex() else self.sign()


@op("angle(Tensor self) -> Tensor")
def _(self):
    """The argument of complex numbers; pi for negative reals, 0 for others; NaN stays."""
    if self.is_complex():
        return rl.atan2(self.imag, self.real)
    x = self if self.is_floating_point() else self.to(rl.get_default_dtype())
    zero = x * 0
    return rl.where(x < 0, zero + 3.141592653589793, rl.where(x.isnan(), x, zero.detach() * 0))


# ---- powers and roots

unary("sqrt", "The square root; NaN below zero.", lambda g, result: g / (2 * _conj(result)))
unary("rsqrt", "``1 / sqrt(self)``.", lambda g, result: -0.5 * g * _conj(result**3))


@op(
    "pow(Tensor | Scalar self, Tensor | Scalar exponent) -> Tensor",
    kind=pointwise,
    method=True,
    operator="**",
    kernel="pow",
)
def pow(self, exponent):  # noqa: A001
    """``self ** exponent``, elementwise. Integer tensors refuse negative exponents."""
    ...


def _pow_self(g, self, exponent):
    if not isinstance(exponent, rl.Tensor):
        if exponent == 0:
            return g * 0
        return g * _conj_any(exponent * self ** (exponent - 1))
    slope = rl.where(exponent == 0, rl.zeros_like(exponent), exponent * self ** (exponent - 1))
    return g * _conj_any(slope)


def _pow_exponent(g, self, exponent, result):
    base = self if isinstance(self, rl.Tensor) else rl.scalar_tensor(self, dtype=result.dtype)
    slope = result * base.log()
    still = (base == 0) & (exponent >= 0) if not exponent.is_complex() else (base == 0)
    return g * _conj_any(rl.where(still, rl.zeros_like(slope), slope))


pow.vjp(self=_pow_self, exponent=_pow_exponent)


@op(
    "float_power(Tensor | Scalar self, Tensor | Scalar exponent) -> Tensor",
    method=True,
    inplace=True,
)
def _(self, exponent):
    """`pow` in double precision, whatever the inputs are."""
    kind = rl.complex128 if rl.result_type(self, exponent).is_complex else rl.float64
    wide = [x.to(kind) if isinstance(x, rl.Tensor) else x for x in (self, exponent)]
    return rl.pow(*wide)


# ---- elementary functions

unary("exp", "The exponential.", lambda g, result: g * _conj(result))
unary("exp2", "``2 ** self``.", lambda g, result: g * _conj(result) * 0.6931471805599453)
unary("expm1", "``exp(self) - 1``, exact near 0.", lambda g, result: g * _conj(result + 1))
unary("log", "The natural logarithm.", lambda g, self: g / _conj(self))
unary("log2", "The logarithm to base 2.", lambda g, self: g / _conj(self * 0.6931471805599453))
unary("log10", "The logarithm to base 10.", lambda g, self: g / _conj(self * 2.302585092994046))
unary("log1p", "``log(1 + self)``, exact near 0.", lambda g, self: g / _conj(self + 1))
unary("sin", "The sine.", lambda g, self: g * _conj(self.cos()))
unary("cos", "The cosine.", lambda g, self: g * -_conj(self.sin()))
unary("tan", "The tangent.", lambda g, result: g * _conj(1 + result * result))
unary("asin", "The arcsine.", lambda g, self: g * _conj((1 - self * self).rsqrt()))
unary("acos", "The arccosine.", lambda g, self: g * -_conj((1 - self * self).rsqrt()))
unary("atan", "The arctangent.", lambda g, self: g / _conj(self * self + 1))
unary("sinh", "The hyperbolic sine.", lambda g, self: g * _conj(self.cosh()))
unary("cosh", "The hyperbolic cosine.", lambda g, self: g * _conj(self.sinh()))


def _fused_slope(name, doc, formula):
    """A rule ``(g, result)``: the formula, or its functor where no graph is being recorded."""

    def body(grad, output): ...

    body.__doc__ = doc
    fused = op(
        f"{name}(Tensor grad, Tensor output) -> Tensor",
        kind=pointwise,
        at=("internal",),
        differentiable=False,
        inplace=False,
    )(body)

    def rule(g, result):
        if rl.is_grad_enabled() or result.is_complex():
            return formula(g, result)
        return fused(g, result)

    return rule


unary(
    "tanh",
    "The hyperbolic tangent.",
    _fused_slope(
        "tanh_backward", "``grad * (1 - output**2)`` (internal).", lambda g, y: g * _conj(1 - y * y)
    ),
)
unary("asinh", "The inverse hyperbolic sine.", lambda g, self: g * _conj((self * self + 1).rsqrt()))
unary(
    "acosh",
    "The inverse hyperbolic cosine.",
    lambda g, self: g * _conj((self - 1).rsqrt() * (self + 1).rsqrt()),
)
unary("atanh", "The inverse hyperbolic tangent.", lambda g, self: g / _conj(1 - self * self))
unary(
    "sigmoid",
    "The logistic function ``1 / (1 + exp(-self))``.",
    _fused_slope(
        "sigmoid_backward",
        "``grad * output * (1 - output)`` (internal).",
        lambda g, y: g * _conj((1 - y) * y),
    ),
)
unary("erf", "The error function.", lambda g, self: g * (1.1283791670955126 * (-self * self).exp()))
unary(
    "erfc",
    "``1 - erf(self)``, exact for large inputs.",
    lambda g, self: g * (-1.1283791670955126 * (-self * self).exp()),
)


@op("atan2(Tensor self, Tensor other) -> Tensor", kind=pointwise, dtype=to_float)
def atan2(self, other):
    """The angle of the point (other, self), in (-pi, pi]."""
    ...


atan2.vjp(
    self=lambda g, self, other: g * other / _norm2(self, other),
    other=lambda g, self, other: g * -self / _norm2(self, other),
)


def _norm2(a, b):
    s = a * a + b * b
    return s.masked_fill(s == 0, float("inf"))


@op("hypot(Tensor self, Tensor other) -> Tensor", kind=pointwise)
def hypot(self, other):
    """``sqrt(self**2 + other**2)`` without overflow."""
    ...


hypot.vjp(
    self=lambda g, self, result: g * (self / result),
    other=lambda g, other, result: g * (other / result),
)


@op("logaddexp(Tensor self, Tensor other) -> Tensor", kind=pointwise, dtype=to_float, inplace=False)
def logaddexp(self, other):
    """``log(exp(self) + exp(other))``, elementwise, without overflow.

    Equal infinities give themselves; NaN stays.

    Example:
        >>> rl.logaddexp(rl.tensor([-1000.]), rl.tensor([-1000.]))
        tensor([-999.3068])
    """
    top = rl.maximum(self, other)
    sure = rl.where(top.isinf(), rl.zeros_like(top), top)
    return rl.where(
        (self == other) & self.isinf(),
        self,
        sure + ((self - sure).exp() + (other - sure).exp()).log(),
    )


logaddexp.vjp(
    self=lambda g, self, result: g * _share(self, result),
    other=lambda g, other, result: g * _share(other, result),
)


def _share(part, whole):
    d = part - whole
    return rl.where(whole.isinf(), rl.zeros_like(d), d).exp()


@logaddexp.samples
def _(make):
    yield make(3, 4), make(3, 4)
    yield make(3, 1), make(4)
    yield make(), make(2)
    yield make(0), make(1)


# ---- extremes, interpolation, fused products


def _extreme(name, doc, wins):
    def body(self, other): ...

    body.__doc__ = doc
    made = op(f"{name}(Tensor self, Tensor other) -> Tensor", kind=pointwise, inplace=False)(body)
    made.vjp(
        self=lambda g, self, other: g * _share_of(wins(self, other), self == other, g),
        other=lambda g, self, other: g * _share_of(wins(other, self), self == other, g),
    )


def _share_of(wins, tie, g):
    return wins.to(g.dtype) * (1 - 0.5 * tie.to(g.dtype))


_extreme(
    "maximum",
    "The larger of the two, elementwise; NaN wins. Ties share the gradient.",
    lambda a, b: a >= b,
)
_extreme(
    "minimum",
    "The smaller of the two, elementwise; NaN wins. Ties share the gradient.",
    lambda a, b: a <= b,
)
_extreme(
    "fmax", "The larger of the two; a NaN loses to a number.", lambda a, b: (a >= b) | b.isnan()
)
_extreme(
    "fmin", "The smaller of the two; a NaN loses to a number.", lambda a, b: (a <= b) | b.isnan()
)


@op("max.other(Tensor self, Tensor other) -> Tensor")
def _(self, other):
    """`maximum` of two tensors."""
    return rl.maximum(self, other)


@op("min.other(Tensor self, Tensor other) -> Tensor")
def _(self, other):
    """`minimum` of two tensors."""
    return rl.minimum(self, other)


@op(
    "clamp_functor(Tensor self, Tensor | Scalar min, Tensor | Scalar max) -> Tensor",
    kind=pointwise,
    at="internal",
    kernel="clamp",
    inplace=False,
)
def _clamp3(self, min, max):  # noqa: A002
    """``minimum(maximum(self, min), max)`` (internal; see `clamp`)."""
    ...


_clamp3.vjp(
    self=lambda g, self, min, max: g * ((self >= min) & (self <= max)),
    min=lambda g, self, min, max: g * ((self < min) & (min <= max)),
    max=lambda g, self, min, max: g * ((self > max) | (max < min)),
)


@op(
    "clamp(Tensor self, Tensor | Scalar? min=None, Tensor | Scalar? max=None) -> Tensor",
    inplace=True,
)
def clamp(self, min, max):  # noqa: A002
    """Limits the values to [min, max]; either bound may be None. If min > max, max wins."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if self.is_complex():
        raise RuntimeError("clamp is not supported for complex types")
    kind = rl.result_type(self, min if max is None else max)
    lowest, highest = (
        (float("-inf"), float("inf")) if kind.is_floating_point else (-(2**63), 2**63 - 1)
    )
    if min is not None and max is not None:
        return rl.ops.internal["clamp_functor"](self, min, max)
    if min is not None:
        return rl.ops.internal["clamp_functor"](self, min, highest)
    return rl.ops.internal["clamp_functor"](self, lowest, max)


@op(
    "clip(Tensor self, Tensor | Scalar? min=None, Tensor | Scalar? max=None) -> Tensor",
    inplace=True,
)
def _(self, min, max):  # noqa: A002
    """Another name of `clamp`."""
    return self.clamp(min, max)


@op("clamp_min(Tensor self, Tensor | Scalar min) -> Tensor", inplace=True)
def _(self, min):  # noqa: A002
    """`clamp` with a lower bound."""
    return self.clamp(min=min)


@op("clamp_max(Tensor self, Tensor | Scalar max) -> Tensor", inplace=True)
def _(self, max):  # noqa: A002
    """`clamp` with an upper bound."""
    return self.clamp(max=max)


@op(
    "where(Tensor condition, Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    inplace=False,
    at="torch",
)
def where(condition, self, other):
    """``self`` where ``condition`` holds, else ``other``; all three broadcast."""
    ...


where.vjp(
    self=lambda g, condition: rl.where(condition, g, 0),
    other=lambda g, condition: rl.where(condition, 0, g),
)


@op("where.method(Tensor self, Tensor condition, Tensor | Scalar other) -> Tensor", at="Tensor")
def _(self, condition, other):
    """`torch.where` with ``self`` as the first choice."""
    return rl.where(condition, self, other)


@op("where.index(Tensor condition) -> Tensor[]", at="torch")
def _(condition):
    """The indices of the true elements, one tensor a dimension."""
    return condition.nonzero(as_tuple=True)


@op("masked_fill(Tensor self, Tensor mask, Tensor | Scalar value) -> Tensor", inplace=True)
def masked_fill(self, mask, value):
    """``value`` where ``mask`` is true, ``self`` elsewhere."""
    if mask.dtype != rl.bool:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if isinstance(value, rl.Tensor) and value.dim() > 0:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.dim()} dimension(s)."
        )
    filled = rl.where(mask, value, self)
    return filled if filled.dtype == self.dtype else filled.to(self.dtype)


@op("lerp(Tensor self, Tensor end, Tensor | Scalar weight) -> Tensor", kind=pointwise)
def lerp(self, end, weight):
    """``self + weight * (end - self)``."""
    ...


lerp.vjp(
    self=lambda g, weight: g * (1 - weight),
    end=lambda g, weight: g * weight,
    weight=lambda g, self, end: g * (end - self),
)


@op(
    "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    kind=pointwise,
)
def addcmul(self, tensor1, tensor2, value):
    """``self + value * tensor1 * tensor2``."""
    ...


addcmul.vjp(
    self=lambda g: g,
    tensor1=lambda g, tensor2, value: g * _conj(tensor2 * value),
    tensor2=lambda g, tensor1, value: g * _conj(tensor1 * value),
)


@op(
    "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    kind=pointwise,
)
def addcdiv(self, tensor1, tensor2, value):
    """``self + value * tensor1 / tensor2``."""
    ...


addcdiv.vjp(
    self=lambda g: g,
    tensor1=lambda g, tensor2, value: g * _conj(value / tensor2),
    tensor2=lambda g, tensor1, tensor2, value: -g * _conj(value * tensor1 / (tensor2 * tensor2)),
)


@op("copysign(Tensor self, Tensor | Scalar other) -> Tensor", kind=pointwise, dtype=to_float)
def copysign(self, other):
    """The magnitude of ``self`` with the sign of ``other``."""
    ...


copysign.vjp(
    self=lambda g, self, result: g * rl.where(self == 0, 0, result / self), other=lambda g: g * 0
)


@op("nextafter(Tensor self, Tensor other) -> Tensor", kind=pointwise, differentiable=False)
def _(self, other):
    """The next floating-point number from ``self`` towards ``other``."""
    ...


@op("heaviside(Tensor self, Tensor values) -> Tensor", kind=pointwise, differentiable=False)
def _(self, values):
    """0 below zero, 1 above, ``values`` at zero."""
    ...
