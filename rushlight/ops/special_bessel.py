"""Records of the Bessel functions and of Airy's; see special.py, of which they are a part."""

import rushlight as rl
from rushlight.ops.special import EVERYWHERE, special, unary


def _over(y, x, at_zero):
    """y / x, and its limit at zero."""
    zero = x == 0
    return rl.where(zero, at_zero, y / x.masked_fill(zero, 1))


unary(
    "i0",
    "The modified Bessel function of the first kind, order 0.",
    lambda g, self: g * special("i1")(self),
    EVERYWHERE,
    example=("0.5, 1.0", "1.0635, 1.2661"),
)
unary(
    "i0e",
    "``exp(-|self|) * i0(self)``.",
    lambda g, self, result: g * (special("i1e")(self) - self.sign() * result),
    example=("0.5, 1.0", "0.6450, 0.4658"),
)
unary(
    "i1",
    "The modified Bessel function of the first kind, order 1.",
    lambda g, self, result: g * (rl.i0(self) - _over(result, self, 0.5)),
    example=("0.5, 1.0", "0.2579, 0.5652"),
)
unary(
    "i1e",
    "``exp(-|self|) * i1(self)``.",
    lambda g, self, result: (
        g * (special("i0e")(self) - self.sign() * result - _over(result, self, 0.5))
    ),
    example=("0.5, 1.0", "0.1564, 0.2079"),
)
unary(
    "modified_bessel_i0",
    "The modified Bessel function of the first kind, order 0.",
    lambda g, self: g * special("modified_bessel_i1")(self),
    example=("0.5, 1.0", "1.0635, 1.2661"),
)
unary(
    "modified_bessel_i1",
    "The modified Bessel function of the first kind, order 1.",
    lambda g, self, result: g * (special("modified_bessel_i0")(self) - _over(result, self, 0.5)),
    example=("0.5, 1.0", "0.2579, 0.5652"),
)
unary(
    "modified_bessel_k0",
    "The modified Bessel function of the second kind, order 0.",
    lambda g, self: -g * special("modified_bessel_k1")(self),
    example=("1., 2.", "0.4210, 0.1139"),
)
unary(
    "modified_bessel_k1",
    "The modified Bessel function of the second kind, order 1.",
    lambda g, self, result: -g * (special("modified_bessel_k0")(self) + result / self),
    example=("0.5, 1.0", "1.6564, 0.6019"),
)
unary(
    "scaled_modified_bessel_k0",
    "``exp(self) * modified_bessel_k0(self)``.",
    lambda g, self, result: g * (result - special("scaled_modified_bessel_k1")(self)),
    example=("0.5, 1.0", "1.5241, 1.1445"),
)
unary(
    "scaled_modified_bessel_k1",
    "``exp(self) * modified_bessel_k1(self)``.",
    lambda g, self, result: (
        g * (result - special("scaled_modified_bessel_k0")(self) - result / self)
    ),
    example=("0.5, 1.0", "2.7310, 1.6362"),
)
unary(
    "bessel_j0",
    "The Bessel function of the first kind, order 0.",
    lambda g, self: -g * special("bessel_j1")(self),
    example=("0.5, 1.0", "0.9385, 0.7652"),
)
unary(
    "bessel_j1",
    "The Bessel function of the first kind, order 1.",
    lambda g, self, result: g * (special("bessel_j0")(self) - _over(result, self, 0.5)),
    example=("0.5, 1.0", "0.2423, 0.4401"),
)
unary(
    "bessel_y0",
    "The Bessel function of the second kind, order 0; NaN below zero.",
    lambda g, self: -g * special("bessel_y1")(self),
    example=("0.5, 1.0", "-0.4445,  0.0883"),
)
unary(
    "bessel_y1",
    "The Bessel function of the second kind, order 1; NaN below zero.",
    lambda g, self, result: g * (special("bessel_y0")(self) - result / self),
    example=("0.5, 1.0", "-1.4715, -0.7812"),
)
unary(
    "spherical_bessel_j0",
    "``sin(self) / self``, 1 at 0.",
    lambda g, self, result: g * _over(self.cos() - result, self, 0.0),
    example=("0.5, 1.0", "0.9589, 0.8415"),
)
unary("airy_ai", "The Airy function Ai (no gradient).", example=("0.5, 1.0", "0.2317, 0.1353"))
