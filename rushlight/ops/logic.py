"""Records of elementwise comparison, tests, logic and bits, and of second names of records.
To add one: a record here, and a functor in csrc/scalar/arith.h; a second name: a line.
"""

import rushlight as rl
from rushlight.ops._elementwise import unary
from rushlight.ops._record import op, other_name, pointwise

# ---- comparison, tests, logic, bits

for _name, _symbol in (
    ("lt", "<"),
    ("le", "<="),
    ("gt", ">"),
    ("ge", ">="),
    ("eq", "=="),
    ("ne", "!="),
):

    def _compare(self, other): ...

    _compare.__doc__ = f"``self {_symbol} other``, elementwise, as a bool tensor."
    op(
        f"{_name}(Tensor self, Tensor | Scalar other) -> Tensor",
        kind=pointwise,
        method=True,
        operator=_symbol,
        differentiable=False,
    )(_compare)

for _name in ("logical_and", "logical_or", "logical_xor"):

    def _logic(self, other): ...

    _logic.__doc__ = f"{_name.replace('_', ' ')}, elementwise; numbers count as true unless 0."
    op(f"{_name}(Tensor self, Tensor other) -> Tensor", kind=pointwise, differentiable=False)(
        _logic
    )

for _name, _symbol, _word in (
    ("bitwise_and", "&", "and"),
    ("bitwise_or", "|", "or"),
    ("bitwise_xor", "^", "xor"),
    ("bitwise_left_shift", "<<", None),
    ("bitwise_right_shift", ">>", None),
):

    def _bits(self, other): ...

    _bits.__doc__ = f"``self {_symbol} other``, bit by bit; integers and bools only."
    op(
        f"{_name}(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
        kind=pointwise,
        method=True,
        operator=_symbol,
        differentiable=False,
    )(_bits)

unary(
    "logical_not",
    "True where the input is 0.",
    None,
    dtype=0,
    differentiable=False,
    example=("0., 2.", " True, False"),
)
unary(
    "bitwise_not",
    "``~self``.",
    None,
    dtype=0,
    differentiable=False,
    operator="~",
    example=("True, False", "False,  True"),
)
for _name in ("isnan", "isinf", "isfinite", "signbit"):
    unary(
        _name,
        f"``{_name}`` of every element, as a bool tensor.",
        None,
        dtype=0,
        differentiable=False,
        inplace=False,
    )
for _name in ("gcd", "lcm"):

    def _common(self, other): ...

    _common.__doc__ = f"The {_name} of two integers, elementwise."
    op(
        f"{_name}(Tensor self, Tensor other) -> Tensor",
        kind=pointwise,
        differentiable=False,
        inplace="function",
    )(_common)

# ---- other names

for _alias, *_names in (
    ("negative", "neg"),
    ("absolute", "abs"),
    ("fix", "trunc"),
    ("arcsin", "asin"),
    ("arccos", "acos"),
    ("arctan", "atan"),
    ("arcsinh", "asinh"),
    ("arccosh", "acosh"),
    ("arctanh", "atanh"),
    ("subtract", "sub"),
    ("multiply", "mul"),
    ("divide", "div", "div.Tensor_mode"),
    ("true_divide", "div"),
    ("arctan2", "atan2"),
    ("less", "lt"),
    ("less_equal", "le"),
    ("greater", "gt"),
    ("greater_equal", "ge"),
    ("not_equal", "ne"),
):
    other_name(_alias, *_names)


@op("rsub(Tensor self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor")
def _(self, other, alpha):
    """``other - alpha * self``.

    Example::

        >>> rl.rsub(rl.tensor([1., 2.]), 10)
        tensor([9., 8.])
    """
    return rl.sub(other, self, alpha=alpha)


def _as_tensor(x):
    return x if isinstance(x, rl.Tensor) else rl.scalar_tensor(x)


@op("xlogy(Tensor | Scalar self, Tensor | Scalar other) -> Tensor", method=True, inplace="function")
def xlogy(self, other):
    """``self * log(other)``, 0 where ``self`` is 0 (unless ``other`` is NaN).

    Example::

        >>> rl.xlogy(rl.tensor([0., 2.]), rl.tensor([0., 1.]))
        tensor([0., 0.])
    """
    y = _as_tensor(other)
    product = self * y.log()
    return rl.where(
        y.isnan(), y.to(product.dtype), rl.where(rl.eq(self, 0), rl.zeros_like(product), product)
    )


def _log_unless_ignored(g, self, other):
    """The slope in self is log(other) also at self = 0, unless that is infinite."""
    y = _as_tensor(other)
    return (g * y.log()).masked_fill(rl.eq(self, 0) & (y <= 0), 0)


xlogy.vjp(self=_log_unless_ignored, other=lambda g, self, other: g * self / other)


@op("deg2rad(Tensor self) -> Tensor", inplace=True)
def _(self):
    """Degrees to radians.

    Example::

        >>> rl.deg2rad(rl.tensor([180., 90.]))
        tensor([3.1416, 1.5708])
    """
    return self * 0.017453292519943295


@op("rad2deg(Tensor self) -> Tensor", inplace=True)
def _(self):
    """Radians to degrees.

    Example::

        >>> rl.rad2deg(rl.tensor([3.1415927, 0.]))
        tensor([180.,   0.])
    """
    return self * 57.29577951308232
