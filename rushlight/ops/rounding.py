"""Records of rounding, of signs and absolute values, and of the parts of complex numbers. As in
arithmetic.py: one record here, one functor line in csrc/scalar/. Views of complex parts: parts.py.
"""

import rushlight as rl
from rushlight.ops._elementwise import unary
from rushlight.ops._record import op, pointwise, to_float


unary(
    "abs",
    "The absolute value; of a complex number, its modulus (a real).",
    lambda g, self: g * self.sgn(),
    dtype=0,
    out="exact",
    operator="abs",
    no_float8="float8_e8m0fnu",
    example=("-1.5, 2.5", "1.5000, 2.5000"),
)
unary(
    "sign",
    "-1, 0 or 1; NaN stays NaN.",
    lambda g: g * 0,
    dtype=0,
    out="exact",
    example=("-1.5, 2.5", "-1.,  1."),
)
for _name, _shown in (("floor", "-2.,  2."), ("ceil", "-1.,  3."), ("trunc", "-1.,  2.")):
    unary(
        _name,
        f"``{_name}(self)``, elementwise.",
        lambda g: g * 0,
        dtype=0,
        out="exact",
        example=("-1.5, 2.5", _shown),
    )
unary(
    "frac",
    "The fractional part, with the sign of the input.",
    lambda g: g,
    dtype=0,
    out="exact",
    example=("-1.5, 2.5", "-0.5000,  0.5000"),
)
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
unary(
    "angle_real",
    "The angle of a real number: 0 or pi (internal; see `angle`).",
    lambda self: rl.zeros_like(self),
    at="internal",
    inplace=False,
)


def _sgn_gradient(g, z, unit):
    """Only the part of g across the ray through z counts: the length does not change."""
    size = z.abs()
    nothing = size == 0
    slope = (g - unit * (g * unit.conj()).real) / size.masked_fill(nothing, 1)
    return slope.masked_fill(nothing, 0)


@op("round(Tensor self) -> Tensor", kind=pointwise, out="exact")
def round(self):  # noqa: A001
    """The nearest integer, ties to even.

    Example::

        >>> rl.round(rl.tensor([0.5, 1.5, -2.7]))
        tensor([ 0.,  2., -3.])
    """
    ...


round.vjp(self=lambda g: g * 0)


@op(
    "round.decimals(Tensor self, *, int decimals) -> Tensor",
    inplace=True,
    grad_name="RoundBackward1",
)
def _(self, decimals):
    """Rounds to so many decimals; negative counts round to tens, hundreds ...

    Example::

        >>> rl.round(rl.tensor([12.345, 17.]), decimals=1)
        tensor([12.3000, 17.0000])
    """
    if decimals == 0:
        return self.round()
    scale = 10.0 ** abs(decimals)
    return (self * scale).round() / scale if decimals > 0 else (self / scale).round() * scale


@op("conj(Tensor self) -> Tensor")
def conj(self):
    """The complex conjugate; a real tensor comes back as it is.

    Example::

        >>> rl.conj(rl.tensor([1 + 2j]))
        tensor([1.-2.j])
    """
    return rl.ops.internal["conj_complex"](self) if self.is_complex() else self


@op("conj_physical(Tensor self) -> Tensor", inplace=True, out="exact")
def _(self):
    """The complex conjugate.

    Example::

        >>> rl.conj_physical(rl.tensor([1 + 2j]))
        tensor([1.-2.j])
    """
    return self.conj()


@op("sgn(Tensor self) -> Tensor", inplace=True, grad_name=True, out="exact")
def _(self):
    """`sign` for reals; ``z / |z|`` (0 at 0) for complex numbers.

    Example::

        >>> rl.sgn(rl.tensor([3 + 4j]))
        tensor([0.6000+0.8000j])
    """
    return rl.ops.internal["sgn_complex"](self) if self.is_complex() else self.sign()


@op("angle(Tensor self) -> Tensor", grad_name=True)
def _(self):
    """The argument of complex numbers; pi for negative reals, 0 for others; NaN stays.

    Example::

        >>> rl.angle(rl.tensor([1j, -1 + 0j]))
        tensor([1.5708, 3.1416])
    """
    if self.is_complex():
        return rl.atan2(self.imag, self.real)
    return rl.ops.internal["angle_real"](self)


@op("copysign(Tensor self, Tensor | Scalar other) -> Tensor", kind=pointwise, dtype=to_float)
def copysign(self, other):
    """The magnitude of ``self`` with the sign of ``other``.

    Example::

        >>> rl.copysign(rl.tensor([1., 2.]), -1)
        tensor([-1., -2.])
    """
    ...


copysign.vjp(
    self=lambda g, self, result: g * (result / self).masked_fill(self == 0, 0),
    other=lambda g: g * 0,
)


@op(
    "_nextafter(Tensor self, Tensor other) -> Tensor",
    kind=pointwise,
    kernel="nextafter",
    inplace=False,
    differentiable=False,
    at=("internal",),
)
def _nextafter(self, other):
    """`nextafter` of single and double precision."""
    ...


def _narrow_nextafter(x, y):
    """`nextafter` of 16-bit floats, whose neighbours are so as integers too: sign and magnitude."""
    grows = (y > x) == (x > 0)
    moved = (x.view(rl.int16) + rl.where(grows, 1, -1).to(rl.int16)).view(x.dtype)
    least = rl.ones((), dtype=rl.int16).view(x.dtype).copysign(y)
    moved = rl.where(x == 0, least, moved)
    return rl.where(x == y, y, moved).masked_fill((x != x) | (y != y), float("nan"))


@op("nextafter(Tensor self, Tensor other) -> Tensor", inplace=True)
def nextafter(self, other):
    """The next floating-point number from ``self`` towards ``other``.

    Where the two differ, the gradient is passed on to ``self``; elsewhere it is 0.

    Example::

        >>> rl.nextafter(rl.tensor([1.]), rl.tensor([2.])) > 1
        tensor([True])
    """
    dtype = rl.result_type(self, other)
    if dtype not in (rl.float16, rl.bfloat16):
        return _nextafter(self, other)
    x, y = rl.broadcast_tensors(self.detach().to(dtype), other.detach().to(dtype))
    return _narrow_nextafter(x.contiguous(), y)


nextafter.vjp(self=lambda g, self, other: g * (self != other), other=lambda g: g * 0)


@op(
    "heaviside(Tensor self, Tensor values) -> Tensor",
    kind=pointwise,
    grad_name="NotImplemented",
    out="exact",
)
def _(self, values):
    """0 below zero, 1 above, ``values`` at zero. It has no derivative: backward refuses.

    Example::

        >>> rl.heaviside(rl.tensor([-1., 0., 2.]), rl.tensor(0.5))
        tensor([0.0000, 0.5000, 1.0000])
    """
    ...


def _alike(a, b):
    return (a, b) if a.shape == b.shape else rl.broadcast_tensors(a, b)


@op("_complex(Tensor real, Tensor imag) -> Tensor", at=("internal",), grad_name="ComplexBackward0")
def _complex(real, imag):
    """`complex` of float32 or float64 tensors of the same shape."""
    ...


_complex.vjp(real=lambda g: g.real, imag=lambda g: g.imag)


@op("_polar(Tensor abs, Tensor angle) -> Tensor", at=("internal",), grad_name="PolarBackward0")
def _polar(abs, angle):
    """`polar` of tensors of the same shape."""


@_polar.vjp_all
def _(g, needs, abs, angle):
    cosine, sine = angle.cos(), angle.sin()
    return (
        g.real * cosine + g.imag * sine if needs[0] else None,
        abs * (g.imag * cosine - g.real * sine) if needs[1] else None,
    )


@op("complex(Tensor real, Tensor imag) -> Tensor", method=False, out="exact", grad_name=True)
def complex(real, imag):
    """A complex tensor from its real and imaginary parts, of the same floating dtype.

    Example::

        >>> rl.complex(rl.tensor([1.]), rl.tensor([2.]))
        tensor([1.+2.j])
    """
    if real.dtype != imag.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {real.dtype} but got scalar type {imag.dtype} "
            "for second argument"
        )
    if real.dtype not in (rl.float16, rl.float32, rl.float64):
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {real.dtype} and "
            f"{imag.dtype}"
        )
    real, imag = _alike(real, imag)
    if real.dtype == rl.float16:
        return rl.view_as_complex(rl.stack((real, imag), -1))
    return _complex(real, imag)


@op("polar(Tensor abs, Tensor angle) -> Tensor", method=False, grad_name=True, out="exact")
def polar(abs, angle):
    """The complex numbers of the given magnitudes and angles (radians).

    Example::

        >>> rl.polar(rl.tensor([2.]), rl.tensor([0.]))
        tensor([2.+0.j])
    """
    if abs.dtype not in (rl.float32, rl.float64) or angle.dtype != abs.dtype:
        raise RuntimeError(
            "polar: expected both inputs to be float32 or both to be float64, got "
            f"{abs.dtype} and {angle.dtype}"
        )
    return _polar(*_alike(abs, angle))
