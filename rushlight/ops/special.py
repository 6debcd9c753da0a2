"""Records of the special functions, offered as `rl.special` and, the older ones, as `rl` too.

The functors are in csrc/scalar/special_functors.h. Elementary functions are in exponential.py
and trigonometric.py, and only aliased here; Bessel's are in special_bessel.py. To add one: a record
here, a line there.
"""

import rushlight as rl
from rushlight.ops._elementwise import slope_op, with_example
from rushlight.ops._record import namespaces, op, pointwise, to_float
from rushlight.ops._rounding import is_narrow

EVERYWHERE = ("torch", "Tensor", "special")
_ROOT_PI, _ROOT_2 = 1.7724538509055159, 1.4142135623730951


def special(name):
    return namespaces["special"][name]


def unary(name, doc, rule=None, at=("special",), example=None):
    """Records ``name(self)`` with its derivative; ``example`` as for `unary`."""

    def body(self): ...

    if example:
        call = f"{'' if 'torch' in at else 'special.'}{name}(rl.tensor([{example[0]}]))"
        doc = with_example(doc, call, f"tensor([{example[1]}])")

    body.__doc__ = doc
    made = op(f"{name}(Tensor self) -> Tensor", kind=pointwise, dtype=to_float, at=at)(body)
    if rule is not None:
        made.vjp(self=rule)
    low, high = _DOMAINS.get(name, (-2, 2))

    @made.samples
    def _(make):
        for size in ((3, 4), (), (0, 2)):
            yield (make(*size, low=low, high=high),)


#: where the samples are drawn, for functions that are not finite and smooth on all of (-2, 2)
_DOMAINS = {
    "erfinv": (-0.9, 0.9),
    "ndtri": (0.1, 0.9),
    "entr": (0.1, 2),
    **dict.fromkeys(
        "modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1 "
        "bessel_y0 bessel_y1 digamma psi gammaln".split(),
        (0.5, 3),
    ),
}


def _binary(name, doc, at=("special",), types="Tensor | Scalar", names=("self", "other"), **rules):
    """Records ``name(self, other)``; rules by argument. Of 1.5 and 2 it is ``example``."""
    example = rules.pop("example")

    def body(self, other): ...

    call = f"{'' if 'torch' in at else 'special.'}{name}(rl.tensor([1.5]), rl.tensor([2.]))"
    body.__doc__ = with_example(doc, call, f"tensor([{example}])")
    made = op(
        f"{name}({types} {names[0]}, {types} {names[1]}) -> Tensor",
        kind=pointwise,
        dtype=to_float,
        at=at,
        method="Tensor" in at,
    )(body)
    if rules:
        made.vjp(**rules)


# ---- gamma and its kin

unary(
    "lgamma",
    "log|gamma(self)|; inf at the poles 0, -1, -2, ...",
    lambda g, self: g * rl.digamma(self),
    EVERYWHERE,
    example=("0.5, 1.0", "0.5724, 0.0000"),
)
unary(
    "digamma",
    "The derivative of log gamma; -inf at 0, NaN at the negative integers.",
    lambda g, self: g * rl.polygamma(1, self),
    EVERYWHERE,
    example=("0.5, 1.0", "-1.9635, -0.5772"),
)


@op(
    "polygamma_functor(Tensor self, int n) -> Tensor",
    kind=pointwise,
    dtype=to_float,
    at="internal",
    grad_name="PolygammaBackward0",
)
def _derivative_of_digamma(self, n):
    """The n-th derivative of digamma, n >= 1 (internal; see `polygamma`)."""
    ...


_derivative_of_digamma.vjp(self=lambda g, self, n: g * rl.polygamma(n + 1, self))


@op("polygamma(int n, Tensor self) -> Tensor", at=("torch", "special"))
def polygamma(n, self):
    """The n-th derivative of `digamma`, n >= 0. Raises RuntimeError for negative n.

    Example:
        >>> rl.polygamma(1, rl.tensor([1., 2.]))
        tensor([1.6449, 0.6449])
    """
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got n = {n}")
    return rl.digamma(self) if n == 0 else rl.ops.internal["polygamma_functor"](self, n)


@op("polygamma.method(Tensor self, int n) -> Tensor", at=("Tensor",), inplace=True)
def _(self, n):
    """`torch.polygamma` of order ``n``.

    Example::

        >>> rl.ones(1).polygamma(1)
        tensor([1.6449])
    """
    return polygamma(n, self)


@op("mvlgamma(Tensor self, int p) -> Tensor", inplace=True, grad_name=True)
def mvlgamma(self, p):
    """The logarithm of the gamma function of p dimensions: for ``self`` > (p - 1) / 2,
    ``p (p - 1) / 4 log(pi) + sum(lgamma(self - j / 2) for j in range(p))``.

    Raises RuntimeError for p < 1 and for bool or complex tensors.

    Example:
        >>> rl.mvlgamma(rl.tensor([3.]), 2)
        tensor([1.5502])
    """
    if p < 1:
        raise RuntimeError(f"mvlgamma: p has to be greater than or equal to 1, got {p}")
    if self.is_complex() or self.dtype == rl.bool:
        raise RuntimeError(f"mvlgamma: The input tensor may not be of dtype {self.dtype}")
    x = self if self.is_floating_point() else self.to(rl.get_default_dtype())
    shifts = rl.arange(p, dtype=x.dtype, device=x.device) * -0.5
    return rl.lgamma(x.unsqueeze(-1) + shifts).sum(-1) + p * (p - 1) * 0.25 * 1.1447298858494002


@op("multigammaln(Tensor self, int p) -> Tensor", at=("special",))
def _(self, p):
    """Another name of `torch.mvlgamma`.

    Example::

        >>> rl.special.multigammaln(rl.tensor([2., 3.]), 2)
        tensor([0.4516, 1.5502])
    """
    return rl.mvlgamma(self, p)


def _gamma_density(a, x):
    """``x**(a - 1) exp(-x) / gamma(a)``"""
    return (rl.xlogy(a - 1, x) - x - rl.lgamma(a)).exp()


_binary(
    "igamma",
    "The regularised lower incomplete gamma function P(self, other), elementwise.\n\n"
    "    Differentiable in ``other`` only.",
    ("torch", "Tensor"),
    "Tensor",
    other=lambda g, self, other: g * _gamma_density(self, other),
    example="0.7385",
)
_binary(
    "igammac",
    "The regularised upper incomplete gamma function Q(self, other), elementwise.\n\n"
    "    Differentiable in ``other`` only.",
    ("torch", "Tensor"),
    "Tensor",
    other=lambda g, self, other: -g * _gamma_density(self, other),
    example="0.2615",
)
_binary(
    "zeta",
    "The Hurwitz zeta function ``sum((other + k) ** -self for k = 0, 1, ...)``.\n\n"
    "    Differentiable in ``other`` only.",
    other=lambda g, self, other: -g * self * special("zeta")(self + 1, other),
    example="1.6124",
)

# ---- error function and normal distribution

unary(
    "erfinv",
    "The inverse of `erf`: infinite at -1 and 1, NaN outside.",
    lambda g, result: 0.5 * _ROOT_PI * (result**2).exp() * g,
    EVERYWHERE,
    example=("0., 0.5", "0.0000, 0.4769"),
)
unary(
    "erfcx",
    "``exp(self**2) * erfc(self)``, without overflow for large inputs.",
    lambda g, self, result: g * (2 * self * result - 2 / _ROOT_PI),
    example=("0.5, 1.0", "0.6157, 0.4276"),
)
unary(
    "ndtr",
    "The standard normal distribution function.",
    lambda g, self: g * ((-0.5 * self * self).exp() / (_ROOT_2 * _ROOT_PI)),
    example=("0.5, 1.0", "0.6915, 0.8413"),
)
unary(
    "log_ndtr",
    "The logarithm of the standard normal distribution function, exact in the far tail.",
    lambda g, self: g * (_ROOT_2 / _ROOT_PI) / special("erfcx")(self * -(0.5 * _ROOT_2)),
    example=("0.5, 1.0", "-0.3689, -0.1728"),
)
unary(
    "ndtri",
    "The quantile of the standard normal distribution: the inverse of `ndtr`.",
    lambda g, result: g * (_ROOT_2 * _ROOT_PI * (0.5 * result * result).exp()),
    example=("0.5, 0.9", "0.0000, 1.2816"),
)
unary(
    "entr",
    "``-self * log(self)``; 0 at 0, -inf below.",
    lambda g, self: g * (-self.log() - 1),
    example=("0.5, 1.0", "0.3466, -0.0000"),
)

# ---- parts of a floating point number

unary(
    "frexp_exponent",
    "The exponent of `frexp`, as a float (internal).",
    lambda g: g * 0,
    ("internal",),
)
unary(
    "frexp_mantissa",
    "The mantissa of `frexp` (internal).",
    lambda g, self: g / rl.exp2(namespaces["internal"]["frexp_exponent"](self)),
    at=("internal",),
)


@op("frexp(Tensor self) -> (Tensor mantissa, Tensor exponent)", grad_name=True, out="exact")
def frexp(self):
    """``(mantissa, exponent)`` with ``self = mantissa * 2**exponent`` and 0.5 <= |mantissa| < 1.

    The exponent is int32; zero, infinities and NaN have 0. RuntimeError for integers.

    Example:
        >>> rl.frexp(rl.tensor([6.0])).exponent
        tensor([3], dtype=torch.int32)
    """
    if not self.is_floating_point():
        raise RuntimeError(f"frexp: expected a floating point tensor, got {self.dtype}")
    parts = namespaces["internal"]
    return parts["frexp_mantissa"](self), parts["frexp_exponent"](self.detach()).to(rl.int32)


# ---- logarithms of products and odds


def _xlog1py_self(g, self, other):
    nothing = rl.eq(self, 0) & (other <= -1)
    if is_narrow(other):  # the logarithm is rounded first
        return (g * other.log1p()).masked_fill(nothing | (g == 0) & ~other.isnan(), 0)
    return special("xlog1py")(g, other).masked_fill(nothing, 0)


_binary(
    "xlog1py",
    "``self * log1p(other)``, 0 where ``self`` is 0 (unless ``other`` is NaN).",
    self=_xlog1py_self,
    other=lambda g, self, other: g * self / (other + 1),
    example="1.6479",
)


@op("logit(Tensor self, float? eps=None) -> Tensor", at=EVERYWHERE, inplace=True)
def logit(self, eps=None):
    """``log(self / (1 - self))``, the inverse of `sigmoid`; ``eps`` clamps to [eps, 1 - eps] first.

    Without ``eps``, values outside [0, 1] give NaN.

    Example:
        >>> rl.logit(rl.tensor([0.5, 0.9]))
        tensor([0.0000, 2.1972])
    """
    if self.is_complex():
        raise NotImplementedError(f"logit: not implemented for {self.dtype}, only for real numbers")
    x = self if self.is_floating_point() else self.to(rl.get_default_dtype())
    return _log_odds(x, eps)


@op("_log_odds(Tensor self, float? eps) -> Tensor", at=("internal",), grad_name="LogitBackward0")
def _log_odds(self, eps):
    """`logit` of floating-point numbers."""
    x = self if eps is None else self.clamp(eps, 1 - eps)
    return (x / (1 - x)).log()


def _log_odds_slope(g, self, eps):
    low, outside = (0.0, float("nan")) if eps is None else (eps, 0.0)
    if not is_narrow(self):
        return _logit_backward(g, self, low, outside)
    slope = g / (self * (1 - self))  # each step of which is rounded
    return rl.where((self >= low) & (self <= 1 - low), slope, outside)


_log_odds.vjp(self=_log_odds_slope)
_logit_backward = slope_op(
    "logit_backward(Tensor grad, Tensor self, number low, number outside) -> Tensor",
    "``grad / (self * (1 - self))`` in [low, 1 - low], ``outside`` elsewhere (internal).",
)
_logit_backward.vjp(
    grad=lambda g, self, low, outside: _logit_backward(g, self, low, outside),
    self=lambda g, grad, self, low, outside: (
        _logit_backward(g * grad, self, low, outside) * (2 * self - 1) / (self * (1 - self))
    ),
)


# ---- orthogonal polynomials

_OF_DEGREE = ("x", "n")
_POLYNOMIALS = (
    (
        "chebyshev_polynomial_t",
        "3.5000",
        "Chebyshev polynomial of the first kind",
        lambda g, x, n: g * n * special("chebyshev_polynomial_u")(x, n - 1),
    ),
    ("chebyshev_polynomial_u", "8.", "Chebyshev polynomial of the second kind", None),
    ("chebyshev_polynomial_v", "5.", "Chebyshev polynomial of the third kind", None),
    ("chebyshev_polynomial_w", "11.", "Chebyshev polynomial of the fourth kind", None),
    (
        "shifted_chebyshev_polynomial_t",
        "7.",
        "Chebyshev polynomial of the first kind of 2x - 1",
        lambda g, x, n: g * (2 * n) * special("shifted_chebyshev_polynomial_u")(x, n - 1),
    ),
    (
        "shifted_chebyshev_polynomial_u",
        "15.",
        "Chebyshev polynomial of the second kind of 2x - 1",
        None,
    ),
    (
        "shifted_chebyshev_polynomial_v",
        "11.",
        "Chebyshev polynomial of the third kind of 2x - 1",
        None,
    ),
    (
        "shifted_chebyshev_polynomial_w",
        "19.",
        "Chebyshev polynomial of the fourth kind of 2x - 1",
        None,
    ),
    (
        "hermite_polynomial_h",
        "7.",
        "physicist's Hermite polynomial",
        lambda g, x, n: g * (2 * n) * special("hermite_polynomial_h")(x, n - 1),
    ),
    (
        "hermite_polynomial_he",
        "1.2500",
        "probabilist's Hermite polynomial",
        lambda g, x, n: g * n * special("hermite_polynomial_he")(x, n - 1),
    ),
    ("laguerre_polynomial_l", "-0.8750", "Laguerre polynomial", None),
    ("legendre_polynomial_p", "2.8750", "Legendre polynomial", None),
)
for _name, _example, _title, _rule in _POLYNOMIALS:
    _binary(
        _name,
        f"The {_title}, of degree ``n`` (truncated to an integer), at ``x``; 0 for n < 0.",
        names=_OF_DEGREE,
        example=_example,
        **({"x": _rule} if _rule else {}),
    )

# ---- other names of what `rl` offers

_ALIASES = {
    "expit": "sigmoid",
    "gammaln": "lgamma",
    "psi": "digamma",
    "gammainc": "igamma",
    "gammaincc": "igammac",
}
for _name in "erf erfc exp2 expm1 log1p log_softmax softmax logsumexp round xlogy".split():
    _ALIASES[_name] = _name
for _name, _target in _ALIASES.items():
    namespaces["special"][_name] = namespaces["torch"][_target]
