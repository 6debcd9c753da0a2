"""Activation functions.

Functors are in csrc/scalar/activation.h and transcendental.h. A gradient is one functor too, an op
that has a rule of its own. Softmax is in ops/softmax.py; hard, shrinking and leaky variants are in
ops/activation_piecewise.py.
"""

import rushlight as rl
from rushlight import _native
from rushlight.ops._elementwise import slope_op
from rushlight.ops._record import floats_only, op, pointwise
from rushlight.ops.exponential import sigmoid_slope
from rushlight.ops._rounding import is_narrow, rounded_once

PASS = "The gradient in one pass (internal)."
_NN = ("nn.functional",)
_relu_backward = slope_op("relu_backward(Tensor grad, Tensor result) -> Tensor", PASS)
_relu_backward.vjp(
    grad=lambda g, result: _relu_backward(g, result), result=lambda g: rl.zeros_like(g)
)


@op(
    "relu(Tensor self) -> Tensor",
    kind=pointwise,
    no_bool="logical operators, or convert it",
    out=False,
)
def relu(self):
    """max(x, 0), elementwise; NaN stays NaN.

    Example::

        >>> rl.relu(rl.tensor([-1., 2.])).tolist()
        [0.0, 2.0]
    """
    ...


relu.vjp(self=lambda g, result: _relu_backward(g, result))


@relu.samples
def _(make):
    yield (make(3, 4),)
    yield (make(),)


def define(name, schema, doc, rule=None, dtype=floats_only):
    """A pointwise activation: its functor, and the rule of its gradient."""

    def body(*args): ...

    body.__doc__ = doc
    made = op(schema, kind=pointwise, dtype=dtype, at=("internal",), inplace=False)(body)
    if rule:
        made.vjp(self=rule)
    return made


def into(input, inplace, function, *args):
    """function(input, *args), stored in input if asked; what the gradient needs is kept apart."""
    if not inplace:
        return function(input, *args)
    return input.copy_(function(input.clone() if rl.is_grad_enabled() else input, *args))


_gelu_backward = slope_op("gelu_backward(Tensor grad, Tensor self) -> Tensor", PASS)


def _gelu_second(g, grad, self):
    square = self * self
    density = (-0.5 * square).exp() * 0.3989422804014327
    return g * grad * (2 * density - square * density)


_gelu_backward.vjp(grad=lambda g, self: _gelu_backward(g, self), self=_gelu_second)
_gelu = define(
    "gelu",
    "gelu(Tensor self) -> Tensor",
    "x times the normal distribution function of x.",
    lambda g, self: _gelu_backward(g, self),
)
_gelu_tanh_backward = slope_op("gelu_tanh_backward(Tensor grad, Tensor self) -> Tensor", PASS)


def _gelu_tanh_second(g, grad, self):
    inner = 0.7978845608028654 * (self + 0.044715 * self**3)
    slope = 0.7978845608028654 * (1 + 0.134145 * self * self)
    t, s = inner.tanh(), 1 / inner.cosh()
    half, rise = 0.5 * self, 1 - t * t
    bend = half * slope * (2 * s * (-s * t) * slope)
    turn = half * rise * (0.26829 * self * 0.7978845608028654)
    return g * grad * (2 * (0.5 * rise * slope) + bend + turn)


_gelu_tanh_backward.vjp(grad=lambda g, self: _gelu_tanh_backward(g, self), self=_gelu_tanh_second)
_gelu_tanh = define(
    "gelu_tanh",
    "gelu_tanh(Tensor self) -> Tensor",
    "The tanh approximation of gelu.",
    lambda g, self: _gelu_tanh_backward(g, self),
)


@op("gelu.nn(Tensor input, *, str approximate='none', Tensor? out=None) -> Tensor", at=_NN)
def gelu(input, approximate):
    """x times the normal distribution function of x (Hendrycks and Gimpel 2016).

    approximate='tanh' uses 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).

    Example::

        >>> rl.nn.functional.gelu(rl.tensor(0.)).item()
        0.0
    """
    if approximate == "none":
        return _gelu(input)
    if approximate == "tanh":
        return _gelu_tanh(input)
    raise RuntimeError(
        f"gelu: approximate argument must be either 'none' or 'tanh', got {approximate!r}"
    )


_silu_backward = slope_op("silu_backward(Tensor grad, Tensor self) -> Tensor", PASS)


def _silu_grad(g, self):
    if not rl.is_grad_enabled():
        return _silu_backward(g, self)
    s = self.sigmoid()
    return g * s * (1 + self * (1 - s))


_silu = define("silu", "silu(Tensor self) -> Tensor", "x * sigmoid(x).", _silu_grad)


@op("silu.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def silu(input, inplace):
    """x * sigmoid(x), also called swish.

    Example::

        >>> rl.nn.functional.silu(rl.tensor(0.)).item()
        0.0
    """
    if input.is_complex():
        return into(input, inplace, lambda x: x * x.sigmoid())
    return into(input, inplace, _silu)


_softplus_backward = slope_op(
    "softplus_backward(Tensor grad, Tensor self, number beta, number threshold) -> Tensor", PASS
)


def _softplus_second(g, grad, self, beta, threshold):
    x = self * beta
    return sigmoid_slope(g * grad, x.sigmoid()) * (x < threshold) * beta


_softplus_backward.vjp(
    grad=lambda g, self, beta, threshold: _softplus_backward(g, self, beta, threshold),
    self=_softplus_second,
)
_softplus = define(
    "softplus",
    "softplus(Tensor self, number beta, number threshold) -> Tensor",
    "log(1 + exp(beta x)) / beta.",
    lambda g, self, beta, threshold: _softplus_backward(g, self, beta, threshold),
)


@op(
    "softplus.nn(Tensor input, number beta=1, number threshold=20, *, Tensor? out=None) -> Tensor",
    at=_NN,
)
def softplus(input, beta, threshold):
    """log(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`.

    Example::

        >>> rl.nn.functional.softplus(rl.tensor(100.)).item()
        100.0
    """
    return _softplus(input, beta, threshold)


_leaky_relu_backward = slope_op(
    "leaky_relu_backward(Tensor grad, Tensor self, number negative_slope) -> Tensor", PASS
)
_leaky_relu_backward.vjp(
    grad=lambda g, self, negative_slope: _leaky_relu_backward(g, self, negative_slope),
    self=lambda g: rl.zeros_like(g),
)
_leaky_relu = define(
    "leaky_relu",
    "leaky_relu(Tensor self, number negative_slope) -> Tensor",
    "x, or slope * x below 0.",
    lambda g, self, negative_slope: _leaky_relu_backward(g, self, negative_slope),
)


@op("leaky_relu.nn(Tensor input, number negative_slope=0.01, bool inplace=False) -> Tensor", at=_NN)
def leaky_relu(input, negative_slope, inplace):
    """x where positive, else negative_slope * x.

    Example::

        >>> rl.nn.functional.leaky_relu(rl.tensor(-2.), 0.5).item()
        -1.0
    """
    return into(input, inplace, _leaky_relu, negative_slope)


_ELU = "number alpha, number scale, number input_scale"
_elu_backward = slope_op(f"elu_backward(Tensor grad, Tensor self, {_ELU}) -> Tensor", PASS)
_elu_backward.vjp(
    grad=lambda g, self, alpha, scale, input_scale: _elu_backward(
        g, self, alpha, scale, input_scale
    ),
    self=lambda g, grad, self, alpha, scale, input_scale: (
        _elu_backward(g * grad * input_scale, self, alpha, scale, input_scale) * (self < 0)
    ),
)
_elu = define(
    "elu",
    f"elu(Tensor self, {_ELU}) -> Tensor",
    "scale * x, or scale * alpha * (exp(input_scale x) - 1) below 0.",
    lambda g, self, alpha, scale, input_scale: _elu_backward(g, self, alpha, scale, input_scale),
)


@op("elu.nn(Tensor input, number alpha=1.0, bool inplace=False) -> Tensor", at=_NN)
def elu(input, alpha, inplace):
    """x where positive, else alpha (exp(x) - 1) (Clevert et al. 2015).

    Example::

        >>> rl.nn.functional.elu(rl.tensor(2.)).item()
        2.0
    """
    return into(input, inplace, _elu, alpha, 1.0, 1.0)


@op(
    "celu(Tensor input, number alpha=1.0, bool inplace=False) -> Tensor",
    at=_NN + ("torch",),
    grad_name=True,
)
def celu(input, alpha, inplace):
    """x where positive, else alpha (exp(x / alpha) - 1) (Barron 2017).

    Example::

        >>> rl.nn.functional.celu(rl.tensor([-1., 1.]))
        tensor([-0.6321,  1.0000])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return into(input, inplace, _elu, alpha, 1.0, 1.0 / alpha)


@op("selu(Tensor input, bool inplace=False) -> Tensor", at=_NN + ("torch",))
def selu(input, inplace):
    """The scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017).

    Example::

        >>> rl.nn.functional.selu(rl.tensor([-1., 1.]))
        tensor([-1.1113,  1.0507])
    """
    return into(input, inplace, _elu, 1.6732632423543772, 1.0507009873554805, 1.0)


@op("relu.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def _nn_relu(input, inplace):
    """max(x, 0), elementwise; with `inplace`, into x.

    Example::

        >>> rl.nn.functional.relu(rl.tensor([-1., 1.]))
        tensor([0., 1.])
    """
    return input.relu_() if inplace else relu(input)


@op("sigmoid.nn(Tensor input) -> Tensor", at=_NN)
def _nn_sigmoid(input):
    """1 / (1 + exp(-x)), elementwise.

    Example::

        >>> rl.nn.functional.sigmoid(rl.tensor([0., 1.]))
        tensor([0.5000, 0.7311])
    """
    return rl.sigmoid(input)


@op("tanh.nn(Tensor input) -> Tensor", at=_NN)
def _nn_tanh(input):
    """The hyperbolic tangent, elementwise.

    Example::

        >>> rl.nn.functional.tanh(rl.tensor([0., 1.]))
        tensor([0.0000, 0.7616])
    """
    return rl.tanh(input)


_log_sigmoid_backward = slope_op("log_sigmoid_backward(Tensor grad, Tensor self) -> Tensor", PASS)


def _log_sigmoid_second(g, grad, self):
    s = self.sigmoid()
    return g * grad * (s - 1) * s


_log_sigmoid_backward.vjp(
    grad=lambda g, self: _log_sigmoid_backward(g, self), self=_log_sigmoid_second
)
_log_sigmoid = define(
    "log_sigmoid",
    "log_sigmoid(Tensor self) -> Tensor",
    "log(1 / (1 + exp(-x))).",
    lambda g, self: _log_sigmoid_backward(g, self),
)


@op("logsigmoid(Tensor input, *, Tensor? out=None) -> Tensor", at=_NN)
def logsigmoid(input):
    """log(1 / (1 + exp(-x))), without overflow.

    Example::

        >>> rl.nn.functional.logsigmoid(rl.tensor([0., 1.]))
        tensor([-0.6931, -0.3133])
    """
    return _log_sigmoid(input)


def _mish_slope(g, self):
    s = self.sigmoid()
    # The tanh of 11 is 1 in 16 bits, and exp(11) does not overflow.
    plus = self.clamp_max(11).exp().log1p() if is_narrow(self) else _softplus(self, 1, 20)
    t = plus.tanh()
    return g * (t + self * s * (1 - t * t))


def _mish_grad(g, self):
    return (_mish_slope if rl.is_grad_enabled() else rounded_once(_mish_slope))(g, self)


_mish = define("mish", "mish(Tensor self) -> Tensor", "x tanh(softplus(x)).", _mish_grad)


@op("mish.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def mish(input, inplace):
    """x tanh(log(1 + exp(x))) (Misra 2019).

    Example::

        >>> rl.nn.functional.mish(rl.tensor([-1., 1.]))
        tensor([-0.3034,  0.8651])
    """
    return into(input, inplace, _mish)


_gate = slope_op(
    "_gate(Tensor self, Tensor other) -> Tensor",
    "One half of `glu` times the sigmoid of the other.",
)
_gate_slope = slope_op(
    "_gate_slope(Tensor grad, Tensor self, Tensor gate) -> Tensor",
    "The gradient of `_gate` for the second half, whose sigmoid is ``gate``.",
)
_gate_slope.vjp(
    grad=lambda g, self, gate: _gate_slope(g, self, gate),
    self=lambda g, grad, gate: g * grad * ((1 - gate) * gate),
    gate=lambda g, grad, self, gate: g * grad * self * (1 - gate - gate),
)


@op("_glu(Tensor self, int dim) -> Tensor", at=("internal",), grad_name="GluBackward0")
def _glu(self, dim):
    """`glu` of an even number of slices."""
    return _gate(*self.chunk(2, dim))


def _glu_grad(g, self, dim):
    x, other = self.chunk(2, dim)
    if rl.is_grad_enabled() or _native.kind_of(g) or _native.kind_of(self):
        gate = other.sigmoid()
        return rl.cat([g * gate, _gate_slope(g, x, gate)], dim)
    both = rl.empty_like(self)
    gate, slope = both.chunk(2, dim)
    rl.sigmoid(other, out=gate)
    _gate_slope(g, x, gate, out=slope)
    gate.mul_(g)
    return both


_glu.vjp(self=_glu_grad)


@op("glu(Tensor input, int dim=-1) -> Tensor", at=_NN)
def glu(input, dim):
    """The first half along `dim` times sigmoid of the second half (Dauphin et al. 2016).

    Example::

        >>> rl.nn.functional.glu(rl.tensor([2., 0.]))
        tensor([1.])
    """
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.shape[dim] % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}"
        )
    return _glu(input, dim)


@op("softsign(Tensor input) -> Tensor", at=_NN)
def softsign(input):
    """x / (1 + |x|).

    Example::

        >>> rl.nn.functional.softsign(rl.tensor([-1., 3.]))
        tensor([-0.5000,  0.7500])
    """
    return input / (input.abs() + 1)


@op("tanhshrink(Tensor input) -> Tensor", at=_NN)
def tanhshrink(input):
    """x - tanh(x).

    Example::

        >>> rl.nn.functional.tanhshrink(rl.tensor([0., 1.]))
        tensor([0.0000, 0.2384])
    """
    return input - input.tanh()
