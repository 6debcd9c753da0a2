"""Records of elementwise arithmetic: sums, products, quotients, remainders, fused products.
The functors are in csrc/scalar/. Signs and rounding: rounding.py; powers: exponential.py;
comparison and second names: logic.py. To add an op: one record here, one functor line there.
"""

import rushlight as rl
from rushlight._native import conjugate
from rushlight.ops._elementwise import unary
from rushlight.ops._record import op, pointwise, to_float


@op(
    "add(Tensor | Scalar self, Tensor | Scalar other, *, Scalar alpha=1) -> Tensor",
    numbers=True,
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
    numbers=True,
    kind=pointwise,
    method=True,
    operator="-",
    no_bool="the ~ operator or logical_not() to invert a mask, or the ^ operator on two",
)
def sub(self, other, alpha):
    """``self - alpha * other``, elementwise. Bool operands are refused: ``~`` inverts a mask.

    Example::

        >>> rl.sub(rl.tensor([3., 4.]), 1)
        tensor([2., 3.])
    """
    ...


sub.vjp(self=lambda g: g, other=lambda g, alpha: -g if alpha == 1 else g * -alpha)


@op(
    "mul(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    no_float8="single",
    numbers=True,
    kind=pointwise,
    method=True,
    operator="*",
)
def mul(self, other):
    """``self * other``, elementwise with broadcasting and type promotion.

    Example::

        >>> rl.mul(rl.tensor([3., 4.]), 2)
        tensor([6., 8.])
    """
    ...


mul.vjp(self=lambda g, other: g * conjugate(other), other=lambda g, self: g * conjugate(self))


@op(
    "div(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    numbers=True,
    kind=pointwise,
    dtype=to_float,
    method=True,
    operator="/",
)
def div(self, other):
    """``self / other``, elementwise true division: integers give floats.

    Example::

        >>> rl.div(rl.tensor([3, 4]), 2)
        tensor([1.5000, 2.0000])
    """
    ...


div.vjp(  # in this order, in which PyTorch adds up second derivatives
    other=lambda g, self, other: -g * conjugate((self / other) / other),
    self=lambda g, other: g / conjugate(other),
)


@op(
    "div.Tensor_mode(Tensor | Scalar self, Tensor | Scalar other, *, str? rounding_mode) -> Tensor",
    numbers=True,
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
        return trunc_quotient(a, b)
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
    numbers=True,
    kind=pointwise,
    method=True,
    operator="//",
    grad_name="NotImplemented",
)
def floor_divide(self, other):
    """``floor(self / other)``, elementwise, like Python's ``//``; backward refuses.

    Example::

        >>> rl.floor_divide(rl.tensor([7, -7]), 2)
        tensor([ 3, -4])
    """
    ...


@op(
    "floor_quotient(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    numbers=True,
    kind=pointwise,
    at="internal",
    inplace=False,
    kernel="floor_divide",
    grad_name="DivBackward2",
)
def floor_quotient(self, other):
    """`floor_divide` with a gradient, of zero (internal; see `div`)."""
    ...


floor_quotient.vjp(self=lambda g: rl.zeros_like(g), other=lambda g: rl.zeros_like(g))


@op(
    "trunc_quotient(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    numbers=True,
    at="internal",
    grad_name="DivBackward2",
)
def trunc_quotient(self, other):
    """A quotient of floats rounded towards zero, with a gradient of zero (internal; see `div`)."""
    return rl.div(self, other).trunc()


trunc_quotient.vjp(self=lambda g: rl.zeros_like(g), other=lambda g: rl.zeros_like(g))


@op(
    "remainder(Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    method=True,
    operator="%",
)
def remainder(self, other):
    """The remainder with the sign of the divisor, like Python's ``%``.

    Example::

        >>> rl.remainder(rl.tensor([7, -7]), 4)
        tensor([3, 1])
    """
    ...


remainder.vjp(
    self=lambda g: g, other=lambda g, self, other: -g * rl.div(self, other, rounding_mode="floor")
)


@op("fmod(Tensor self, Tensor | Scalar other) -> Tensor", kind=pointwise, method=True)
def fmod(self, other):
    """The remainder with the sign of the dividend, like C's ``fmod``.

    Example::

        >>> rl.fmod(rl.tensor([7, -7]), 4)
        tensor([ 3, -3])
    """
    ...


fmod.vjp(
    self=lambda g: g, other=lambda g, self, other: -g * rl.div(self, other, rounding_mode="trunc")
)
neg = unary(
    "neg",
    "``-self``.",
    lambda g: -g,
    dtype=0,
    operator="neg",
    no_bool="the ~ operator or logical_not()",
    example=("1., -2.", "-1.,  2."),
)
unary(
    "square",
    "``self * self``.",
    lambda g, self: g * (2 * conjugate(self)),
    dtype=0,
    example=("0.5, 1.0", "0.2500, 1.0000"),
    grad_name="PowBackward0",
)
unary(
    "reciprocal",
    "``1 / self``.",
    lambda g, result: -g * conjugate(result * result),
    example=("0.5, 1.0", "2., 1."),
)


@op("positive(Tensor self) -> Tensor", operator="pos", out=False)
def _(self):
    """``+self``: the tensor itself. Bool tensors are refused.

    Example::

        >>> rl.positive(rl.tensor([1., -1.]))
        tensor([ 1., -1.])
    """
    if self.dtype == rl.bool:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return self


@op("lerp(Tensor self, Tensor end, Tensor | Scalar weight) -> Tensor", kind=pointwise)
def lerp(self, end, weight):
    """``self + weight * (end - self)``.

    Example::

        >>> rl.lerp(rl.tensor([0., 2.]), rl.tensor([10., 4.]), 0.5)
        tensor([5., 3.])
    """
    ...


lerp.vjp(
    self=lambda g, weight: g * conjugate(1 - weight),
    end=lambda g, weight: g * conjugate(weight),
    weight=lambda g, self, end: g * conjugate(end - self),
)


@op(
    "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    kind=pointwise,
)
def addcmul(self, tensor1, tensor2, value):
    """``self + value * tensor1 * tensor2``.

    Example::

        >>> rl.addcmul(rl.ones(2), rl.tensor([1., 2.]), rl.tensor([3., 4.]), value=2)
        tensor([ 7., 17.])
    """
    ...


addcmul.vjp(
    self=lambda g: g,
    tensor1=lambda g, tensor2, value: g * conjugate(tensor2 * value),
    tensor2=lambda g, tensor1, value: g * conjugate(tensor1 * value),
)


@op(
    "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor",
    kind=pointwise,
)
def addcdiv(self, tensor1, tensor2, value):
    """``self + value * tensor1 / tensor2``.

    Example::

        >>> rl.addcdiv(rl.ones(2), rl.tensor([1., 2.]), rl.tensor([2., 4.]), value=2)
        tensor([2., 2.])
    """
    ...


addcdiv.vjp(
    self=lambda g: g,
    tensor1=lambda g, tensor2, value: g * conjugate(value / tensor2),
    tensor2=lambda g, tensor1, tensor2, value: (
        -g * conjugate(value * tensor1 / (tensor2 * tensor2))
    ),
)
