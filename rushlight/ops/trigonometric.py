"""Records of trigonometric and hyperbolic functions, their inverses, angles and lengths in the
plane. As in arithmetic.py: one record here, one functor line in csrc/scalar/.
"""

import rushlight as rl
from rushlight._native import conjugate
from rushlight.ops._elementwise import slope_of_output, unary
from rushlight.ops._record import op, pointwise, to_float


unary(
    "sin",
    "The sine.",
    lambda g, self: g * conjugate(self.cos()),
    example=("0.5, 1.0", "0.4794, 0.8415"),
)
unary(
    "cos",
    "The cosine.",
    lambda g, self: g * -conjugate(self.sin()),
    example=("0.5, 1.0", "0.8776, 0.5403"),
)
unary(
    "tan",
    "The tangent.",
    lambda g, result: g * conjugate(1 + result**2),
    example=("0.5, 1.0", "0.5463, 1.5574"),
)
unary(
    "asin",
    "The arcsine.",
    lambda g, self: g * conjugate((1 - self * self).rsqrt()),
    example=("0.5, 1.0", "0.5236, 1.5708"),
)
unary(
    "acos",
    "The arccosine.",
    lambda g, self: g * -conjugate((1 - self * self).rsqrt()),
    example=("0.5, 1.0", "1.0472, 0.0000"),
)
unary(
    "atan",
    "The arctangent.",
    lambda g, self: g / conjugate(self * self + 1),
    example=("0.5, 1.0", "0.4636, 0.7854"),
)
unary(
    "sinh",
    "The hyperbolic sine.",
    lambda g, self: g * conjugate(self.cosh()),
    example=("0.5, 1.0", "0.5211, 1.1752"),
)
unary(
    "cosh",
    "The hyperbolic cosine.",
    lambda g, self: g * conjugate(self.sinh()),
    example=("0.5, 1.0", "1.1276, 1.5431"),
)
unary(
    "tanh",
    "The hyperbolic tangent.",
    slope_of_output(
        "tanh_backward",
        "``grad * (1 - output**2)`` (internal).",
        lambda g, y: g * conjugate(1 - y * y),
        lambda g, grad, output: g * (-2 * output * grad),
    ),
    example=("0.5, 1.0", "0.4621, 0.7616"),
)
unary(
    "asinh",
    "The inverse hyperbolic sine.",
    lambda g, self: g * conjugate((self**2 + 1).rsqrt()),
    example=("0.5, 1.0", "0.4812, 0.8814"),
)
unary(
    "acosh",
    "The inverse hyperbolic cosine.",
    lambda g, self: (
        g
        * (
            ((self - 1).rsqrt() * (self + 1).rsqrt()).conj()
            if self.is_complex()
            else (self * self - 1).rsqrt()
        )
    ),
    example=("1., 2.", "0.0000, 1.3170"),
)
unary(
    "atanh",
    "The inverse hyperbolic tangent.",
    lambda g, self: g / conjugate(1 - self**2),
    example=("0.5, 1.0", "0.5493,    inf"),
)


@op("atan2(Tensor self, Tensor other) -> Tensor", kind=pointwise, dtype=to_float)
def atan2(self, other):
    """The angle of the point (other, self), in (-pi, pi].

    Example::

        >>> rl.atan2(rl.tensor([1., -1.]), rl.tensor([1., -1.]))
        tensor([ 0.7854, -2.3562])
    """
    ...


@atan2.vjp_all
def _(g, needs, self, other):
    s = self * self + other * other
    scale = s.masked_fill(s == 0, float("inf")).reciprocal()  # 0 at the origin
    return (
        g * other * scale if needs[0] else None,
        g * -self * scale if needs[1] else None,
    )


@op("hypot(Tensor self, Tensor other) -> Tensor", kind=pointwise)
def hypot(self, other):
    """``sqrt(self**2 + other**2)`` without overflow.

    Example::

        >>> rl.hypot(rl.tensor([3., 5.]), rl.tensor([4., 12.]))
        tensor([ 5., 13.])
    """
    ...


hypot.vjp(
    self=lambda g, self, result: g * self / result,
    other=lambda g, other, result: g * other / result,
)


def _sinc_slope(g, self):
    x, square = self * 3.141592653589793, self * self * 3.141592653589793
    zero = square == 0
    slope = (x.cos() * x - x.sin()) / square.masked_fill(zero, 1)
    return rl.where(zero, rl.zeros_like(g), g * conjugate(slope))


unary(
    "sinc",
    "``sin(pi * self) / (pi * self)``, 1 at 0.",
    _sinc_slope,
    example=("0., 0.5", "1.0000, 0.6366"),
    at=("torch", "Tensor", "special"),
)
