"""Records of trigonometric and hyperbolic functions, their inverses, angles and lengths in the
plane. As in arithmetic.py: one record here, one functor line in csrc/scalar/.
"""

from rushlight.ops._elementwise import conjugate, fused_slope, unary
from rushlight.ops._record import op, pointwise, to_float


unary("sin", "The sine.", lambda g, self: g * conjugate(self.cos()))
unary("cos", "The cosine.", lambda g, self: g * -conjugate(self.sin()))
unary("tan", "The tangent.", lambda g, result: g * conjugate(1 + result * result))
unary("asin", "The arcsine.", lambda g, self: g * conjugate((1 - self * self).rsqrt()))
unary("acos", "The arccosine.", lambda g, self: g * -conjugate((1 - self * self).rsqrt()))
unary("atan", "The arctangent.", lambda g, self: g / conjugate(self * self + 1))
unary("sinh", "The hyperbolic sine.", lambda g, self: g * conjugate(self.cosh()))
unary("cosh", "The hyperbolic cosine.", lambda g, self: g * conjugate(self.sinh()))
unary(
    "tanh",
    "The hyperbolic tangent.",
    fused_slope(
        "tanh_backward",
        "``grad * (1 - output**2)`` (internal).",
        lambda g, y: g * conjugate(1 - y * y),
    ),
)
unary(
    "asinh",
    "The inverse hyperbolic sine.",
    lambda g, self: g * conjugate((self * self + 1).rsqrt()),
)
unary(
    "acosh",
    "The inverse hyperbolic cosine.",
    lambda g, self: g * conjugate((self - 1).rsqrt() * (self + 1).rsqrt()),
)
unary("atanh", "The inverse hyperbolic tangent.", lambda g, self: g / conjugate(1 - self * self))


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
