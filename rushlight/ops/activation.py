"""Activation functions.

Functors are in csrc/scalar/activation.h and transcendental.h. A gradient rule calls the fused
functor, unless a graph of the gradient is being recorded: then a formula in recorded ops. Softmax
is in ops/softmax.py, dropout in ops/dropout.py.
"""
import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._record import op, pointwise, to_float

_INTERNAL = dict(kind=pointwise, at=("internal",), differentiable=False, inplace=False)
_NN = ("nn.functional",)


@op("relu_backward(Tensor grad, Tensor result) -> Tensor", **_INTERNAL)
def _relu_backward(grad, result):
    """grad where the result is positive, else 0."""
    ...


@op("relu(Tensor self) -> Tensor", kind=pointwise)
def relu(self):
    """max(x, 0), elementwise; NaN stays NaN.

    Example::

        >>> rl.relu(rl.tensor([-1., 2.])).tolist()
        [0.0, 2.0]
    """
    ...


relu.vjp(self=lambda g, result: attached(g * (result > 0), result) if rl.is_grad_enabled()
         else _relu_backward(g, result))


@relu.samples
def _(make):
    yield (make(3, 4),)
    yield (make(),)


def _define(name, schema, doc, grad, backward_schema=None, dtype=to_float, at=_NN):
    """A pointwise activation: its functor, and (optionally) that of its gradient.

    `grad(fused)` makes the rule from the native gradient op.
    """
    fused = None
    if backward_schema:
        @op(backward_schema, **_INTERNAL)
        def fused(*args):
            """The gradient in one pass."""
            ...

    def body(*args):
        ...

    body.__doc__ = doc
    made = op(schema, kind=pointwise, dtype=dtype, at=at, inplace=False)(body)
    made.vjp(self=grad(fused))
    return made


def _into(input, inplace, function, *args):
    """function(input, *args), stored in input if asked; what the gradient needs is kept apart."""
    if not inplace:
        return function(input, *args)
    return input.copy_(function(input.clone() if rl.is_grad_enabled() else input, *args))


def _gelu_slope(x):
    return 0.5 * (x * -0.7071067811865476).erfc() + x * (-0.5 * x * x).exp() * 0.3989422804014327


def _gelu_tanh_slope(x):
    t = (0.7978845608028654 * (x + 0.044715 * x * x * x)).tanh()
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 0.134145 * x * x)


_gelu = _define("gelu", "gelu(Tensor self) -> Tensor", "x times the normal distribution function of x.",
                lambda fused: lambda g, self:
                g * _gelu_slope(self) if rl.is_grad_enabled() else fused(g, self),
                "gelu_backward(Tensor grad, Tensor self) -> Tensor", at=("internal",))
_gelu_tanh = _define("gelu_tanh", "gelu_tanh(Tensor self) -> Tensor", "The tanh approximation of gelu.",
                     lambda fused: lambda g, self:
                     g * _gelu_tanh_slope(self) if rl.is_grad_enabled() else fused(g, self),
                     "gelu_tanh_backward(Tensor grad, Tensor self) -> Tensor", at=("internal",))


@op("gelu.nn(Tensor input, *, str approximate='none') -> Tensor", at=_NN)
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
    raise RuntimeError(f"gelu: approximate argument must be either 'none' or 'tanh', got {approximate!r}")


def _silu_slope(x):
    s = x.sigmoid()
    return s * (1 + x * (1 - s))


_silu = _define("silu", "silu(Tensor self) -> Tensor", "x * sigmoid(x).",
                lambda fused: lambda g, self:
                g * _silu_slope(self) if rl.is_grad_enabled() else fused(g, self),
                "silu_backward(Tensor grad, Tensor self) -> Tensor", at=("internal",))


@op("silu.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def silu(input, inplace):
    """x * sigmoid(x), also called swish.

    Example::

        >>> rl.nn.functional.silu(rl.tensor(0.)).item()
        0.0
    """
    if input.is_complex():
        return _into(input, inplace, lambda x: x * x.sigmoid())
    return _into(input, inplace, _silu)


_softplus = _define(
    "softplus", "softplus(Tensor self, number beta, number threshold) -> Tensor", "log(1 + exp(beta x)) / beta.",
    lambda fused: lambda g, self, beta, threshold:
    g * rl.where(self * beta > threshold, 1, (self * beta).sigmoid()) if rl.is_grad_enabled()
    else fused(g, self, beta, threshold),
    "softplus_backward(Tensor grad, Tensor self, number beta, number threshold) -> Tensor", at=("internal",))


@op("softplus.nn(Tensor input, number beta=1, number threshold=20) -> Tensor", at=_NN)
def softplus(input, beta, threshold):
    """log(1 + exp(beta x)) / beta; x itself where beta x is above `threshold`.

    Example::

        >>> rl.nn.functional.softplus(rl.tensor(100.)).item()
        100.0
    """
    return _softplus(input, beta, threshold)


_leaky_relu = _define(
    "leaky_relu", "leaky_relu(Tensor self, number negative_slope) -> Tensor", "x, or slope * x below 0.",
    lambda fused: lambda g, self, negative_slope:
    attached(g * rl.where(self > 0, 1, negative_slope).to(g.dtype), self) if rl.is_grad_enabled() else fused(g, self, negative_slope),
    "leaky_relu_backward(Tensor grad, Tensor self, number negative_slope) -> Tensor", at=("internal",))


@op("leaky_relu.nn(Tensor input, number negative_slope=0.01, bool inplace=False) -> Tensor", at=_NN)
def leaky_relu(input, negative_slope, inplace):
    """x where positive, else negative_slope * x.

    Example::

        >>> rl.nn.functional.leaky_relu(rl.tensor(-2.), 0.5).item()
        -1.0
    """
    return _into(input, inplace, _leaky_relu, negative_slope)


_elu = _define(
    "elu", "elu(Tensor self, number alpha, number scale, number input_scale) -> Tensor",
    "scale * x, or scale * alpha * (exp(input_scale x) - 1) below 0.",
    lambda fused: lambda g, self, alpha, scale, input_scale:
    g * rl.where(self > 0, scale, alpha * scale * input_scale * (self * input_scale).clamp_max(0).exp())
    if rl.is_grad_enabled() else fused(g, self, alpha, scale, input_scale),
    "elu_backward(Tensor grad, Tensor self, number alpha, number scale, number input_scale) -> Tensor",
    at=("internal",))


@op("elu.nn(Tensor input, number alpha=1.0, bool inplace=False) -> Tensor", at=_NN)
def elu(input, alpha, inplace):
    """x where positive, else alpha (exp(x) - 1) (Clevert et al. 2015).

    Example::

        >>> rl.nn.functional.elu(rl.tensor(2.)).item()
        2.0
    """
    return _into(input, inplace, _elu, alpha, 1.0, 1.0)


@op("celu(Tensor input, number alpha=1.0, bool inplace=False) -> Tensor", at=_NN + ("torch",))
def celu(input, alpha, inplace):
    """x where positive, else alpha (exp(x / alpha) - 1) (Barron 2017)."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _into(input, inplace, _elu, alpha, 1.0, 1.0 / alpha)


@op("selu(Tensor input, bool inplace=False) -> Tensor", at=_NN + ("torch",))
def selu(input, inplace):
    """The scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return _into(input, inplace, _elu, 1.6732632423543772, 1.0507009873554805, 1.0)


_hardtanh = _define(
    "hardtanh", "hardtanh(Tensor self, number min_val, number max_val) -> Tensor", "x limited to a range.",
    lambda fused: lambda g, self, min_val, max_val:
    attached(g * ((self > min_val) & (self < max_val)), self) if rl.is_grad_enabled() else fused(g, self, min_val, max_val),
    "hardtanh_backward(Tensor grad, Tensor self, number min_val, number max_val) -> Tensor", dtype=0,
    at=("internal",))


@op("hardtanh.nn(Tensor input, number min_val=-1.0, number max_val=1.0, bool inplace=False) -> Tensor", at=_NN)
def hardtanh(input, min_val, max_val, inplace):
    """x limited to [min_val, max_val]; the gradient is 0 at the ends.

    Example::

        >>> rl.nn.functional.hardtanh(rl.tensor(2.)).item()
        1.0
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if input.dtype == rl.bool:
        raise RuntimeError("Bool inputs not supported for hardtanh")
    return _into(input, inplace, _hardtanh, min_val, max_val)


@op("relu6(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def relu6(input, inplace):
    """min(max(x, 0), 6)."""
    return rl.nn.functional.hardtanh(input, 0.0, 6.0, inplace)


@op("relu.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def _nn_relu(input, inplace):
    """max(x, 0), elementwise; with `inplace`, into x."""
    return input.relu_() if inplace else relu(input)


@op("sigmoid.nn(Tensor input) -> Tensor", at=_NN)
def _nn_sigmoid(input):
    """1 / (1 + exp(-x)), elementwise."""
    return rl.sigmoid(input)


@op("tanh.nn(Tensor input) -> Tensor", at=_NN)
def _nn_tanh(input):
    """The hyperbolic tangent, elementwise."""
    return rl.tanh(input)


_log_sigmoid = _define(
    "log_sigmoid", "log_sigmoid(Tensor self) -> Tensor", "log(1 / (1 + exp(-x))).",
    lambda fused: lambda g, self: g * (-self).sigmoid() if rl.is_grad_enabled() else fused(g, self),
    "log_sigmoid_backward(Tensor grad, Tensor self) -> Tensor", at=("internal",))


@op("logsigmoid(Tensor input) -> Tensor", at=_NN)
def logsigmoid(input):
    """log(1 / (1 + exp(-x))), without overflow."""
    return _log_sigmoid(input)


_hardsigmoid = _define(
    "hardsigmoid", "hardsigmoid(Tensor self) -> Tensor", "min(max(x + 3, 0), 6) / 6.",
    lambda fused: lambda g, self:
    attached(g * ((self > -3) & (self < 3)) / 6, self) if rl.is_grad_enabled() else fused(g, self),
    "hardsigmoid_backward(Tensor grad, Tensor self) -> Tensor", at=("internal",))


@op("hardsigmoid.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def hardsigmoid(input, inplace):
    """min(max(x + 3, 0), 6) / 6."""
    return _into(input, inplace, _hardsigmoid)


_hardswish = _define(
    "hardswish", "hardswish(Tensor self) -> Tensor", "x min(max(x + 3, 0), 6) / 6.",
    lambda fused: lambda g, self:
    rl.where(self <= -3, g * 0, rl.where(self < 3, g * (self / 3 + 0.5), g)) if rl.is_grad_enabled()
    else fused(g, self),
    "hardswish_backward(Tensor grad, Tensor self) -> Tensor", at=("internal",))


@op("hardswish.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def hardswish(input, inplace):
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019)."""
    return _into(input, inplace, _hardswish)


def _mish_grad(g, x):
    t, s = _softplus(x, 1, 20).tanh(), x.sigmoid()
    return g * (t + x * s * (1 - t * t))


_mish = _define("mish", "mish(Tensor self) -> Tensor", "x tanh(softplus(x)).",
                lambda fused: lambda g, self: _mish_grad(g, self), at=("internal",))


@op("mish.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def mish(input, inplace):
    """x tanh(log(1 + exp(x))) (Misra 2019)."""
    return _into(input, inplace, _mish)


@op("shrink_backward(Tensor grad, Tensor self, number lambd) -> Tensor", **_INTERNAL)
def _shrink_backward(grad, self, lambd):
    """grad outside [-lambd, lambd], else 0."""
    ...


def _shrink_grad(g, self, lambd):
    if rl.is_grad_enabled():
        return attached(g * (self.abs() > lambd), self)
    return _shrink_backward(g, self, lambd)


_softshrink = _define("softshrink", "softshrink(Tensor self, number lambd) -> Tensor", "x moved towards 0.",
                      lambda fused: _shrink_grad, at=("internal",))
_hardshrink = _define("hardshrink", "hardshrink(Tensor self, number lambd) -> Tensor", "x, or 0 near 0.",
                      lambda fused: _shrink_grad, at=("internal",))


@op("softshrink.nn(Tensor input, number lambd=0.5) -> Tensor", at=_NN)
def softshrink(input, lambd):
    """x moved towards 0 by lambd, 0 where |x| <= lambd."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _softshrink(input, lambd)


@op("hardshrink.nn(Tensor input, number lambd=0.5) -> Tensor", at=_NN + ("torch", "Tensor"))
def hardshrink(input, lambd):
    """x where |x| > lambd, else 0."""
    return _hardshrink(input, lambd)


@op("threshold_backward(Tensor grad, Tensor self, number threshold) -> Tensor", **_INTERNAL)
def _threshold_backward(grad, self, threshold):
    """grad where self is above the threshold, else 0."""
    ...


_threshold = _define(
    "threshold", "threshold(Tensor self, number threshold, number value) -> Tensor", "x, or value.",
    lambda fused: lambda g, self, threshold:
    attached(g * (self > threshold), self) if rl.is_grad_enabled() else _threshold_backward(g, self, threshold), dtype=0,
    at=("internal",))


@op("threshold.nn(Tensor input, number threshold, number value, bool inplace=False) -> Tensor",
    at=_NN + ("torch",))
def threshold(input, threshold, value, inplace):
    """x where x > threshold, else value."""
    return _into(input, inplace, _threshold, threshold, value)


@op("glu(Tensor input, int dim=-1) -> Tensor", at=_NN)
def glu(input, dim):
    """The first half along `dim` times sigmoid of the second half (Dauphin et al. 2016)."""
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.shape[dim] % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


@op("prelu(Tensor input, Tensor weight) -> Tensor", at=_NN + ("torch", "Tensor"))
def prelu(input, weight):
    """x where x >= 0, else weight * x; weight has one element or one per channel (He et al. 2015)."""
    if weight.numel() != 1:
        if input.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.dim() > 1 else 1
        if weight.dim() != 1 or weight.numel() != channels:
            raise RuntimeError(f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                               f"{weight.numel()} and channel size = {channels}.")
        weight = weight.view((1, -1) + (1,) * (input.dim() - 2)) if input.dim() > 1 else weight
    elif weight.dim() > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got ndim = {weight.dim()}")
    else:
        weight = weight.reshape(()) if input.dim() == 0 else weight.reshape((1,) * input.dim())
    return _prelu(input, weight)


@op("_prelu(Tensor input, Tensor weight) -> Tensor", at=("internal",), grad_name="PreluKernelBackward0")
def _prelu(input, weight):
    """x where x > 0, else weight * x; weight broadcasts."""
    return rl.where(input > 0, input, weight * input)


_prelu.vjp(input=lambda g, input, weight: attached(rl.where(input > 0, g, g * weight), input),
           weight=lambda g, input: rl.where(input > 0, 0, g * input))


@op("rrelu(Tensor input, number lower=0.125, number upper=0.3333333333333333, bool training=False,"
    " bool inplace=False, *, Generator? generator=None) -> Tensor", at=_NN + ("torch",))
def rrelu(input, lower, upper, training, inplace, generator):
    """x where positive, else a slope times x: random in [lower, upper] when training, else their mean."""
    if not training:
        return rl.nn.functional.leaky_relu(input, (lower + upper) / 2, inplace)
    slope = rl.empty_like(input).uniform_(lower, upper, generator=generator)
    return _into(input, inplace, lambda x: rl.where(x <= 0, x * slope, x))


@op("softsign(Tensor input) -> Tensor", at=_NN)
def softsign(input):
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


@op("tanhshrink(Tensor input) -> Tensor", at=_NN)
def tanhshrink(input):
    """x - tanh(x)."""
    return input - input.tanh()


def _define_inplace(name, schema):
    """`elu_` and its like: the functional form with inplace=True."""
    @op(f"{name}_({schema}) -> Tensor", at=_NN, out=False)
    def inplace_form(*args):
        """The same, into its first argument."""
        return getattr(rl.nn.functional, name)(*args, inplace=True)
    return inplace_form


for _name, _schema in (
        ("relu", "Tensor input"), ("elu", "Tensor input, number alpha=1.0"), ("selu", "Tensor input"),
        ("celu", "Tensor input, number alpha=1.0"), ("leaky_relu", "Tensor input, number negative_slope=0.01"),
        ("hardtanh", "Tensor input, number min_val=-1.0, number max_val=1.0"),
        ("threshold", "Tensor input, number threshold, number value"),
        ("rrelu", "Tensor input, number lower=0.125, number upper=0.3333333333333333, bool training=False")):
    _define_inplace(_name, _schema)
