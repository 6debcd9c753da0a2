"""Records of powers, roots, exponentials, logarithms and what is made of them (sigmoid, erf). As in
arithmetic.py: one record here, one functor line in csrc/scalar/. Rarer functions: special.py.
"""

import math

import rushlight as rl
from rushlight._native import conjugate
from rushlight.ops._elementwise import slope_of_output, unary
from rushlight.ops._record import floats_only, op, pointwise
from rushlight.ops._rounding import is_narrow


@op("_cube(Tensor self) -> Tensor", at=("internal",), grad_name="PowBackward0")
def _cube(self):
    """``self ** 3``, rounded after each step."""
    return self * self * self


_cube.vjp(self=lambda g, self: g * (3 * self**2))


def cube(x):
    """``x ** 3``, which PyTorch rounds after each step if it is bfloat16."""
    return _cube(x) if x.dtype == rl.bfloat16 else x**3


unary(
    "sqrt",
    "The square root; NaN below zero.",
    lambda g, result: g / (2 * conjugate(result)),
    example=("0.5, 1.0", "0.7071, 1.0000"),
)
unary(
    "rsqrt",
    "``1 / sqrt(self)``.",
    lambda g, result: -0.5 * g * conjugate(cube(result)),
    example=("0.5, 1.0", "1.4142, 1.0000"),
)


@op(
    "pow(Tensor | Scalar self, Tensor | Scalar exponent) -> Tensor",
    kind=pointwise,
    method=True,
    operator="**",
    kernel="pow",
)
def pow(self, exponent):  # noqa: A001
    """``self ** exponent``, elementwise. Integer tensors refuse negative exponents.

    Example::

        >>> rl.pow(rl.tensor([1., 2., 3.]), 2)
        tensor([1., 4., 9.])
    """
    ...


@op(
    "pow_backward(Tensor grad, Tensor self, number factor, number exponent) -> Tensor",
    kind=pointwise,
    at=("internal",),
    inplace=False,
)
def _scaled_power(grad, self, factor, exponent):
    """``grad * (factor * self ** exponent)`` in one pass (internal)."""
    return grad * (factor * self**exponent)


def _times_power(g, self, factor, exponent):
    if is_narrow(self) or self.is_complex() or isinstance(factor, complex):
        return g * conjugate(factor * self**exponent)  # each step of which is rounded
    return _scaled_power(g, self, factor, exponent)


_scaled_power.vjp(
    grad=lambda g, self, factor, exponent: _times_power(g, self, factor, exponent),
    self=lambda g, grad, self, factor, exponent: (
        _times_power(g * grad, self, factor * exponent, exponent - 1) if exponent else g * 0
    ),
)


@_scaled_power.samples
def _(make):
    for exponent in (-1, 0, 1, 2, 1.5):
        yield make(3, 4), make(3, 4, low=0), 1.5, exponent


def _pow_self(g, self, exponent):
    if not isinstance(exponent, rl.Tensor):
        return _times_power(g, self, exponent, exponent - 1) if exponent else g * 0
    slope = rl.where(exponent == 0, rl.zeros_like(exponent), exponent * self ** (exponent - 1))
    return g * conjugate(slope)


def _pow_exponent(g, self, exponent, result):
    if not isinstance(self, rl.Tensor) and not result.is_complex() and self > 0:
        return g * (result * math.log(self))  # which is not rounded to 16 bits
    base = self if isinstance(self, rl.Tensor) else rl.scalar_tensor(self, dtype=result.dtype)
    log = (base.to(result.dtype) if result.is_complex() else base).log()  # of negative ones too
    slope = result * log
    still = (base == 0) & (exponent >= 0) if not exponent.is_complex() else (base == 0)
    return g * conjugate(rl.where(still, rl.zeros_like(slope), slope))


pow.vjp(self=_pow_self, exponent=_pow_exponent)


def _double_of(*operands):
    return rl.complex128 if rl.result_type(*operands).is_complex else rl.float64


@op(
    "float_power_(Tensor(a!) self, Tensor | Scalar exponent) -> Tensor",
    at="Tensor",
)
def float_power_(self, exponent):
    """`float_power` in place, of a tensor that holds its double precision.

    Example::

        >>> rl.tensor([1., 2.], dtype=rl.float64).float_power_(2)
        tensor([1., 4.], dtype=torch.float64)
    """
    kind = _double_of(self, exponent)
    if self.dtype != kind:
        raise RuntimeError(f"float_power_: {kind} can't be cast to the tensor's {self.dtype}")
    return self.pow_(exponent)


@op(
    "float_power(Tensor | Scalar self, Tensor | Scalar exponent) -> Tensor",
    method=True,
    out="exact",
)
def _(self, exponent):
    """`pow` in double precision, whatever the inputs are.

    Example::

        >>> rl.float_power(rl.tensor([1, 2, 3]), 2)
        tensor([1., 4., 9.], dtype=torch.float64)
    """
    kind = _double_of(self, exponent)
    wide = [x.to(kind) if isinstance(x, rl.Tensor) else x for x in (self, exponent)]
    return rl.pow(*wide)


unary(
    "exp",
    "The exponential.",
    lambda g, result: g * conjugate(result),
    example=("0.5, 1.0", "1.6487, 2.7183"),
)
unary(
    "exp2",
    "``2 ** self``.",
    lambda g, result: g * conjugate(result) * 0.6931471805599453,
    example=("0.5, 1.0", "1.4142, 2.0000"),
)
unary(
    "expm1",
    "``exp(self) - 1``, exact near 0.",
    lambda g, result: g * conjugate(result + 1),
    example=("0.5, 1.0", "0.6487, 1.7183"),
)
unary(
    "log",
    "The natural logarithm.",
    lambda g, self: g / conjugate(self),
    example=("0.5, 1.0", "-0.6931,  0.0000"),
)
unary(
    "log2",
    "The logarithm to base 2.",
    lambda g, self: g / conjugate(self * 0.6931471805599453),
    example=("0.5, 1.0", "-1.,  0."),
)
unary(
    "log10",
    "The logarithm to base 10.",
    lambda g, self: g / conjugate(self * 2.302585092994046),
    example=("0.5, 1.0", "-0.3010,  0.0000"),
)
unary(
    "log1p",
    "``log(1 + self)``, exact near 0.",
    lambda g, self: g / conjugate(self + 1),
    example=("0.5, 1.0", "0.4055, 0.6931"),
)
_of_sigmoid = slope_of_output(
    "sigmoid_backward",
    "``grad * output * (1 - output)`` (internal).",
    lambda g, y: g * conjugate((1 - y) * y),
    lambda g, grad, output: g * grad * (-2 * output + 1),
)


@op("_sigmoid_steps(Tensor grad, Tensor output) -> Tensor", at=("internal",))
def _sigmoid_steps(grad, output):
    """The gradient of sigmoid, rounded after each step."""
    return grad * (1 - output) * output


_sigmoid_steps.vjp(
    grad=lambda g, output: _sigmoid_steps(g, output),
    output=lambda g, grad, output: g * grad * (-2 * output + 1),
)


def sigmoid_slope(g, result):
    """The gradient of sigmoid, which PyTorch rounds after each step if it is float16."""
    return (_sigmoid_steps if result.dtype == rl.float16 else _of_sigmoid)(g, result)


unary(
    "sigmoid",
    "The logistic function ``1 / (1 + exp(-self))``.",
    lambda g, result: sigmoid_slope(g, result),
    example=("0.5, 1.0", "0.6225, 0.7311"),
)
unary(
    "erf",
    "The error function.",
    lambda g, self: 1.1283791670955126 * (-(self**2)).exp() * g,
    example=("0.5, 1.0", "0.5205, 0.8427"),
)
unary(
    "erfc",
    "``1 - erf(self)``, exact for large inputs.",
    lambda g, self: -1.1283791670955126 * (-(self**2)).exp() * g,
    example=("0.5, 1.0", "0.4795, 0.1573"),
)


@op(
    "logaddexp(Tensor self, Tensor other) -> Tensor",
    kind=pointwise,
    dtype=floats_only,
    inplace=False,
)
def logaddexp(self, other):
    """``log(exp(self) + exp(other))``, elementwise, without overflow.

    Equal infinities give themselves; NaN stays. Of complex numbers the real parts are compared.

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
    self=lambda g, self, other: g / conjugate(1 + (other - self).exp()),
    other=lambda g, self, other: g / conjugate(1 + (self - other).exp()),
)


@logaddexp.samples
def _(make):
    yield make(3, 4), make(3, 4)
    yield make(3, 1), make(4)
    yield make(), make(2)
    yield make(0), make(1)
