"""Records of elementwise comparison, tests, logic and bits, and of second names of records.
To add one: a record here, and a functor in csrc/scalar/arith.h; a second name: a line.
"""

import rushlight as rl
from rushlight.ops._elementwise import unary, with_example
from rushlight.ops._record import op, other_name, pointwise

# ---- comparison, tests, logic, bits

for _name, _symbol, _shown in (  # with what each makes of 1, 2, 3 and 2
    ("lt", "<", " True, False, False"),
    ("le", "<=", " True,  True, False"),
    ("gt", ">", "False, False,  True"),
    ("ge", ">=", "False,  True,  True"),
    ("eq", "==", "False,  True, False"),
    ("ne", "!=", " True, False,  True"),
):

    def _compare(self, other): ...

    _compare.__doc__ = with_example(
        f"``self {_symbol} other``, elementwise, as a bool tensor.",
        f"{_name}(rl.tensor([1, 2, 3]), 2)",
        f"tensor([{_shown}])",
    )
    op(  # only in place, a float tensor holds the result
        f"{_name}(Tensor self, Tensor | Scalar other) -> Tensor",
        kind=pointwise,
        method=True,
        operator=_symbol,
    )(_compare).vjp(self=lambda g: rl.zeros_like(g), other=lambda g: rl.zeros_like(g))

for _name, _shown in (
    ("logical_and", " True, False, False"),
    ("logical_or", " True,  True, False"),
    ("logical_xor", "False,  True, False"),
):

    def _logic(self, other): ...

    _logic.__doc__ = with_example(
        f"{_name.replace('_', ' ')}, elementwise; numbers count as true unless 0.",
        f"{_name}(rl.tensor([3, 3, 0]), rl.tensor([1, 0, 0]))",
        f"tensor([{_shown}])",
    )
    op(f"{_name}(Tensor self, Tensor other) -> Tensor", kind=pointwise, differentiable=False)(
        _logic
    )

for _name, _symbol, _shown in (  # with what each makes of 5, 6 and 3
    ("bitwise_and", "&", "1, 2"),
    ("bitwise_or", "|", "7, 7"),
    ("bitwise_xor", "^", "6, 5"),
    ("bitwise_left_shift", "<<", "40, 48"),
    ("bitwise_right_shift", ">>", "0, 0"),
):

    def _bits(self, other): ...

    _bits.__doc__ = with_example(
        f"``self {_symbol} other``, bit by bit; integers and bools only.",
        f"{_name}(rl.tensor([5, 6]), 3)",
        f"tensor([{_shown}])",
    )
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
    out="exact",
    differentiable=False,
    operator="~",
    example=("True, False", "False,  True"),
)
#: 8-bit floats that are refused by tests for infinity
_WITHOUT_INFINITY = "float8_e4m3fn float8_e4m3fnuz float8_e5m2fnuz"
for _name, _shown, _refused in (
    ("isnan", "False, False, False,  True", ""),
    ("isinf", "False, False,  True, False", f"{_WITHOUT_INFINITY} float8_e8m0fnu"),
    ("isfinite", " True,  True, False, False", _WITHOUT_INFINITY),
    ("signbit", "False,  True,  True, False", ""),
):
    unary(
        _name,
        f"``{_name}`` of every element, as a bool tensor.",
        None,
        dtype=0,
        differentiable=False,
        inplace=False,
        out="exact" if _name == "signbit" else False,
        no_float8=_refused,
        example=("0., -1., -torch.inf, torch.nan", _shown),
    )
for _name, _shown in (("gcd", "4, 3"), ("lcm", "24,  9")):

    def _common(self, other): ...

    _common.__doc__ = with_example(
        f"The {_name} of two integers, elementwise.",
        f"{_name}(rl.tensor([8, 9]), rl.tensor([12, 3]))",
        f"tensor([{_shown}])",
    )
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


@op("rsub(Tensor self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor", grad_name=True)
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
    dtype = rl.result_type(self, other)
    if dtype.is_complex:
        raise NotImplementedError(f"xlogy: not implemented for {dtype}, only for real numbers")
    y = _as_tensor(other)
    if dtype.is_floating_point:
        y = y.to(dtype)
    return rl.where((self == 0) & (y == y), 0, self * y.log())


def _log_unless_ignored(g, self, other):
    """The slope in self is log(other) also at self = 0, unless that is infinite."""
    y = _as_tensor(other)
    return (g * y.log()).masked_fill(rl.eq(self, 0) & (y <= 0), 0)


xlogy.vjp(other=lambda g, self, other: g * self / other, self=_log_unless_ignored)


def _check_real(name, x):
    if x.is_complex():
        raise RuntimeError(f"{name}: angles are real numbers, got a tensor of {x.dtype}")


@op("deg2rad(Tensor self) -> Tensor", inplace=True, grad_name=True)
def _(self):
    """Degrees to radians.

    Example::

        >>> rl.deg2rad(rl.tensor([180., 90.]))
        tensor([3.1416, 1.5708])
    """
    _check_real("deg2rad", self)
    return self * 0.017453292519943295


@op("rad2deg(Tensor self) -> Tensor", inplace=True, grad_name=True)
def _(self):
    """Radians to degrees.

    Example::

        >>> rl.rad2deg(rl.tensor([3.1415927, 0.]))
        tensor([180.,   0.])
    """
    _check_real("rad2deg", self)
    return self * 57.29577951308232
