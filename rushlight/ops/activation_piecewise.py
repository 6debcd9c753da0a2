"""Activations made of straight pieces: hard, shrinking, thresholding and leaky ones,
and in-place forms.

As in ops/activation.py, which has the smooth ones: a functor in csrc/scalar/activation.h and a
record.
"""

import rushlight as rl
from rushlight.ops._elementwise import shown, slope_op
from rushlight.ops._record import op, pointwise, promote
from rushlight.ops.activation import PASS, define, into

_NN = ("nn.functional",)


def _no_slope(g):
    """The second derivative of what is made of straight pieces."""
    return rl.zeros_like(g)


_hardtanh_backward = slope_op(
    "hardtanh_backward(Tensor grad, Tensor self, number min_val, number max_val) -> Tensor", PASS
)
_hardtanh_backward.vjp(
    grad=lambda g, self, min_val, max_val: _hardtanh_backward(g, self, min_val, max_val),
    self=_no_slope,
)
_hardtanh = define(
    "hardtanh",
    "hardtanh(Tensor self, number min_val, number max_val) -> Tensor",
    "x limited to a range.",
    lambda g, self, min_val, max_val: _hardtanh_backward(g, self, min_val, max_val),
    dtype=promote,
)


@op(
    "hardtanh.nn(Tensor input, number min_val=-1.0, number max_val=1.0, "
    "bool inplace=False) -> Tensor",
    at=_NN,
)
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
    return into(input, inplace, _hardtanh, min_val, max_val)


@op("relu6(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def relu6(input, inplace):
    """min(max(x, 0), 6).

    Example::

        >>> rl.nn.functional.relu6(rl.tensor([-1., 7.]))
        tensor([0., 6.])
    """
    return rl.nn.functional.hardtanh(input, 0.0, 6.0, inplace)


_hardsigmoid_backward = slope_op("hardsigmoid_backward(Tensor grad, Tensor self) -> Tensor", PASS)
_hardsigmoid_backward.vjp(grad=lambda g, self: _hardsigmoid_backward(g, self), self=_no_slope)
_hardsigmoid = define(
    "hardsigmoid",
    "hardsigmoid(Tensor self) -> Tensor",
    "min(max(x + 3, 0), 6) / 6.",
    lambda g, self: _hardsigmoid_backward(g, self),
)


@op("hardsigmoid.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def hardsigmoid(input, inplace):
    """min(max(x + 3, 0), 6) / 6.

    Example::

        >>> rl.nn.functional.hardsigmoid(rl.tensor([-4., 0., 4.]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    return into(input, inplace, _hardsigmoid)


_hardswish_backward = slope_op("hardswish_backward(Tensor grad, Tensor self) -> Tensor", PASS)
_hardswish_backward.vjp(
    grad=lambda g, self: _hardswish_backward(g, self),
    self=lambda g, grad, self: g * grad * ((self > -3) & (self < 3)) / 3,
)
_hardswish = define(
    "hardswish",
    "hardswish(Tensor self) -> Tensor",
    "x min(max(x + 3, 0), 6) / 6.",
    lambda g, self: _hardswish_backward(g, self),
)


@op("hardswish.nn(Tensor input, bool inplace=False) -> Tensor", at=_NN)
def hardswish(input, inplace):
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019).

    Example::

        >>> rl.nn.functional.hardswish(rl.tensor([-4., 3.]))
        tensor([-0., 3.])
    """
    return into(input, inplace, _hardswish)


_shrink_backward = slope_op(
    "shrink_backward(Tensor grad, Tensor self, number lambd) -> Tensor",
    "grad outside [-lambd, lambd], else 0 (internal).",
)
_shrink_backward.vjp(grad=lambda g, self, lambd: _shrink_backward(g, self, lambd), self=_no_slope)
_softshrink = define(
    "softshrink",
    "softshrink(Tensor self, number lambd) -> Tensor",
    "x moved towards 0.",
    lambda g, self, lambd: _shrink_backward(g, self, lambd),
)
_hardshrink = define(
    "hardshrink",
    "hardshrink(Tensor self, number lambd) -> Tensor",
    "x, or 0 near 0.",
    lambda g, self, lambd: _shrink_backward(g, self, lambd),
)


@op("softshrink.nn(Tensor input, number lambd=0.5, *, Tensor? out=None) -> Tensor", at=_NN)
def softshrink(input, lambd):
    """x moved towards 0 by lambd, 0 where |x| <= lambd.

    Example::

        >>> rl.nn.functional.softshrink(rl.tensor([-1., 0.2]))
        tensor([-0.5000,  0.0000])
    """
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _softshrink(input, lambd)


@op(
    "hardshrink.nn(Tensor input, number lambd=0.5, *, Tensor? out=None) -> Tensor",
    at=_NN + ("torch", "Tensor"),
)
def hardshrink(input, lambd):
    """x where |x| > lambd, else 0.

    Example::

        >>> rl.nn.functional.hardshrink(rl.tensor([-1., 0.2]))
        tensor([-1.,  0.])
    """
    return _hardshrink(input, lambd)


_threshold_backward = slope_op(
    "threshold_backward(Tensor grad, Tensor self, number threshold) -> Tensor",
    "grad where self is above the threshold, else 0 (internal).",
)
_threshold_backward.vjp(
    grad=lambda g, self, threshold: _threshold_backward(g, self, threshold), self=_no_slope
)
_threshold = define(
    "threshold",
    "threshold(Tensor self, number threshold, number value) -> Tensor",
    "x, or value.",
    lambda g, self, threshold: _threshold_backward(g, self, threshold),
    dtype=promote,
)


@op(
    "threshold.nn(Tensor input, number threshold, number value, bool inplace=False, *, "
    "Tensor? out=None) -> Tensor",
    at=_NN + ("torch",),
)
def threshold(input, threshold, value, inplace):
    """x where x > threshold, else value.

    Example::

        >>> rl.nn.functional.threshold(rl.tensor([-1., 1.]), 0, 9)
        tensor([9., 1.])
    """
    return into(input, inplace, _threshold, threshold, value)


@op("prelu(Tensor input, Tensor weight) -> Tensor", at=_NN + ("torch", "Tensor"))
def prelu(input, weight):
    """x where x >= 0, else weight * x; weight has one element or one per channel
    (He et al. 2015).

    Example::

        >>> rl.nn.functional.prelu(rl.tensor([-1., 1.]), rl.tensor([0.5]))
        tensor([-0.5000,  1.0000])
    """
    if weight.numel() != 1:
        if input.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.dim() > 1 else 1
        if weight.dim() != 1 or weight.numel() != channels:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
        weight = weight.view((1, -1) + (1,) * (input.dim() - 2)) if input.dim() > 1 else weight
    elif weight.dim() > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got ndim = {weight.dim()}"
        )
    else:
        weight = weight.reshape(()) if input.dim() == 0 else weight.reshape((1,) * input.dim())
    return _prelu(input, weight)


@op(
    "_prelu(Tensor input, Tensor weight) -> Tensor",
    kind=pointwise,
    inplace=False,
    at=("internal",),
    grad_name="PreluKernelBackward0",
)
def _prelu(input, weight):
    """x where x > 0, else weight * x; weight broadcasts."""
    ...


_prelu_slope = slope_op("prelu_backward(Tensor grad, Tensor input, Tensor weight) -> Tensor", PASS)
_prelu_slope.vjp(
    grad=lambda g, input, weight: _prelu_slope(g, input, weight),
    input=_no_slope,
    weight=lambda g, grad, input: rl.where(input > 0, 0, g * grad),
)
_prelu.vjp(
    input=lambda g, input, weight: _prelu_slope(g, input, weight),
    weight=lambda g, input: rl.where(input > 0, 0, g * input),
)


@op(
    "rrelu(Tensor input, number lower=0.125, number upper=0.3333333333333333, bool training=False,"
    " bool inplace=False, *, Generator? generator=None) -> Tensor",
    at=_NN + ("torch",),
    grad_name="RreluWithNoiseBackward0",
)
def rrelu(input, lower, upper, training, inplace, generator):
    """x where positive, else a slope times x: random in [lower, upper] when training,
    else their mean.

    Example::

        >>> rl.nn.functional.rrelu(rl.tensor([-1., 1.]), 0.5, 0.5)
        tensor([-0.5000,  1.0000])
    """
    if lower > upper:
        raise RuntimeError(
            f"rrelu: lower bound {lower} should be less than or equal to the upper bound {upper}"
        )
    if not training:
        return rl.nn.functional.leaky_relu(input, (lower + upper) / 2, inplace)
    slope = _random_slopes(input.detach(), lower, upper, generator)
    return into(input, inplace, _prelu, slope)


@op(
    "_rrelu_slopes(Tensor input, float lower, float upper, Generator? generator=None) -> Tensor",
    at=(),
    differentiable=False,
)
def _rrelu_slopes(input, lower, upper, generator):
    """`_random_slopes` in one pass."""
    ...


def _random_slopes(x, lower, upper, generator):
    """1 where x is positive; such elements take nothing from the generator."""
    if x.is_meta:
        return rl.ones_like(x)
    drawn = x <= 0
    count = int(drawn.count_nonzero())
    slopes = rl.empty(count, dtype=rl.float64).uniform_(lower, upper, generator=generator)
    return rl.ones_like(x).masked_scatter_(drawn, slopes.to(x.dtype))


def _define_inplace(name, schema, arguments="", at=_NN + ("torch",)):
    """`elu_` and its like: the functional form with inplace=True."""

    @op(f"{name}_({schema}) -> Tensor", at=at)
    @shown(f"nn.functional.{name}_(rl.zeros(2){arguments})", "tensor([0., 0.])")
    def inplace_form(*args):
        """The same, into its first argument."""
        return getattr(rl.nn.functional, name)(*args, inplace=True)

    return inplace_form


for _name, *_arguments in (
    ("relu", "Tensor input"),
    ("elu", "Tensor input, number alpha=1.0"),
    ("selu", "Tensor input"),
    ("celu", "Tensor input, number alpha=1.0"),
    ("leaky_relu", "Tensor input, number negative_slope=0.01"),
    ("hardtanh", "Tensor input, number min_val=-1.0, number max_val=1.0"),
    ("threshold", "Tensor input, number threshold, number value", ", 0.1, 0."),
    (
        "rrelu",
        "Tensor input, number lower=0.125, number upper=0.3333333333333333, bool training=False",
    ),
):
    _define_inplace(_name, *_arguments)
