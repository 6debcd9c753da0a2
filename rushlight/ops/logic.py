"""Records of elementwise comparison, tests, logic and bits, and of second names that are one call
of another record. To add one: a record here, and a functor in csrc/scalar/arith.h.
"""

import rushlight as rl
from rushlight.ops._elementwise import unary
from rushlight.ops._record import op, pointwise

# ---- comparison, tests, logic, bits

for _name, _symbol, _aliases in (
    ("lt", "<", ("less",)),
    ("le", "<=", ("less_equal",)),
    ("gt", ">", ("greater",)),
    ("ge", ">=", ("greater_equal",)),
    ("eq", "==", ()),
    ("ne", "!=", ("not_equal",)),
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
    for _alias in _aliases:
        op(
            f"{_alias}(Tensor self, Tensor | Scalar other) -> Tensor",
            kind=pointwise,
            method=True,
            differentiable=False,
            kernel=_name,
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

unary("logical_not", "True where the input is 0.", None, dtype=0, differentiable=False)
unary("bitwise_not", "``~self``.", None, dtype=0, differentiable=False, operator="~")
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

# ---- other names, built from the records above

for _alias, _name in (
    ("negative", "neg"),
    ("absolute", "abs"),
    ("fix", "trunc"),
    ("arcsin", "asin"),
    ("arccos", "acos"),
    ("arctan", "atan"),
    ("arcsinh", "asinh"),
    ("arccosh", "acosh"),
    ("arctanh", "atanh"),
):

    def _renamed(self, _name=_name):
        """."""
        return getattr(self, _name)()

    _renamed.__doc__ = f"Another name of `{_name}`."
    op(f"{_alias}(Tensor self) -> Tensor", inplace=True)(_renamed)
for _alias, _name in (
    ("multiply", "mul"),
    ("divide", "div"),
    ("true_divide", "div"),
    ("arctan2", "atan2"),
):

    def _renamed2(self, other, _name=_name):
        """."""
        return getattr(rl, _name)(self, other)

    _renamed2.__doc__ = f"Another name of `{_name}`."
    op(
        f"{_alias}(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
        method=True,
        inplace=True,
        numbers=True,
    )(_renamed2)


@op(
    "subtract(Tensor | Scalar self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor",
    method=True,
    inplace=True,
    numbers=True,
)
def _(self, other, alpha):
    """Another name of `sub`."""
    return rl.sub(self, other, alpha=alpha)


@op("rsub(Tensor self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor")
def _(self, other, alpha):
    """``other - alpha * self``."""
    return rl.sub(other, self, alpha=alpha)


def _as_tensor(x):
    return x if isinstance(x, rl.Tensor) else rl.scalar_tensor(x)


@op("xlogy(Tensor | Scalar self, Tensor | Scalar other) -> Tensor", method=True, inplace="function")
def xlogy(self, other):
    """``self * log(other)``, 0 where ``self`` is 0 (unless ``other`` is NaN)."""
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
    """Degrees to radians."""
    return self * 0.017453292519943295


@op("rad2deg(Tensor self) -> Tensor", inplace=True)
def _(self):
    """Radians to degrees."""
    return self * 57.29577951308232
