"""Losses of an input and a target of one shape, reduction included, as internal ops. Gradients
are those of the whole, in the order in which PyTorch rounds. The public losses are in loss.py and
loss_margin.py. To add one: its terms, and the gradient for the input as a formula in ops.
"""

import rushlight as rl
from rushlight.ops._attach import through_formula
from rushlight.ops._record import op

NONE, MEAN, SUM = 0, 1, 2
#: the names of reductions -> what the ops here take
REDUCTIONS = {"none": NONE, "mean": MEAN, "sum": SUM}


def whole(terms, reduction):
    """The terms, their mean or their sum."""
    return terms if reduction == NONE else terms.mean() if reduction == MEAN else terms.sum()


def _share(x, reduction):
    """What each term counts."""
    return 1.0 / x.numel() if reduction == MEAN and x.numel() else 1.0


def _loss(name, grad_name):
    return op(
        f"{name}(Tensor input, Tensor target, int reduction, float knee=1.0) -> Tensor",
        at=("internal",),
        grad_name=grad_name,
    )


@_loss("_mse", "MseLossBackward0")
def mse(input, target, reduction, knee):
    """Squared differences."""
    return whole((input - target).square(), reduction)


def _mse_slope(g, a, b, reduction):
    return 2 * _share(a, reduction) * (a - b) * g


mse.vjp(
    input=lambda g, input, target, reduction: _mse_slope(g, input, target, reduction),
    target=lambda g, input, target, reduction: _mse_slope(g, target, input, reduction),
)


@_loss("_huber", "HuberLossBackward0")
def huber(input, target, reduction, knee):
    """Half the squares of differences up to ``knee``, from there on straight lines."""
    d = (input - target).abs()
    return whole(rl.where(d <= knee, 0.5 * d * d, knee * (d - 0.5 * knee)), reduction)


def _huber_slope(g, a, b, reduction, knee):
    d = a - b
    inside, share = d.abs() <= knee, _share(a, reduction)
    return rl.where(inside, share * d * g, share * knee * d.sign() * g)


huber.vjp(
    input=lambda g, input, target, reduction, knee: _huber_slope(g, input, target, reduction, knee),
    target=lambda g, input, target, reduction, knee: _huber_slope(
        g, target, input, reduction, knee
    ),
)


@_loss("_smooth_l1", "SmoothL1LossBackward0")
def smooth_l1(input, target, reduction, knee):
    """`huber` over ``knee``."""
    d = (input - target).abs()
    return whole(rl.where(d < knee, 0.5 * d * d / knee, d - 0.5 * knee), reduction)


def _smooth_l1_slope(g, a, b, reduction, knee):
    d, share = a - b, _share(a, reduction)
    return rl.where(d.abs() < knee, share * d * g / knee, share * d.sign() * g)


smooth_l1.vjp(
    input=lambda g, input, target, reduction, knee: _smooth_l1_slope(
        g, input, target, reduction, knee
    ),
    target=lambda g, input, target, reduction, knee: _smooth_l1_slope(
        g, target, input, reduction, knee
    ),
)


@_loss("_soft_margin", "SoftMarginLossBackward0")
def soft_margin(input, target, reduction, knee):
    """log(1 + exp(-target x))."""
    return whole((-input * target).exp().log1p(), reduction)


@op(
    "_soft_margin_slope(Tensor grad, Tensor input, Tensor target, int reduction) -> Tensor",
    at=("internal",),
    grad_name="SoftMarginLossBackwardBackward0",
)
def _soft_margin_slope(grad, input, target, reduction):
    """The gradient of `soft_margin` for its input."""
    z = (-target * input).exp()
    return -_share(input, reduction) * target * z / (z + 1) * grad


def _soft_margin_bend(g, grad, input, target, reduction):
    z = (-target * input).exp()
    bend = g * grad * (target * target) * (z / (z + 1) / (z + 1))  # whose square may overflow
    return bend / bend.numel() if reduction == MEAN else bend


def _soft_margin_twist(g, grad, input, target, reduction):
    z = (-target * input).exp()
    twist = z / (z + 1) * (target * input / (z + 1) - 1)
    return g * grad * twist * _share(input, reduction)


_soft_margin_slope.vjp(
    grad=lambda g, input, target, reduction: _soft_margin_slope(g, input, target, reduction),
    input=_soft_margin_bend,
    target=_soft_margin_twist,
)
soft_margin.vjp(
    input=lambda g, input, target, reduction: _soft_margin_slope(g, input, target, reduction),
    target=lambda g, input, target, reduction: _soft_margin_slope(g, target, input, reduction),
)


# ---- cross entropy of two classes
@op(
    "_bce(Tensor input, Tensor target, Tensor? weight, int reduction) -> Tensor",
    at=("internal",),
    grad_name="BinaryCrossEntropyBackward0",
)
def bce(input, target, weight, reduction):
    """Of probabilities, whose logarithms are limited below."""
    terms = (target - 1) * _limited((-input).log1p()) - target * _limited(input.log())
    return whole(terms if weight is None else terms * weight, reduction)


#: keeps quotients finite where a probability is 0 or 1
_TINY = 1e-12


def _limited(logarithm):
    return logarithm.clamp_min(-100)


def _weighted(slope, weight, reduction):
    slope = slope if weight is None else slope * weight
    return slope / slope.numel() if reduction == MEAN else slope


@op(
    "_bce_slope(Tensor grad, Tensor input, Tensor target, Tensor? weight, int reduction) -> Tensor",
    at=("internal",),
    grad_name="BinaryCrossEntropyBackwardBackward0",
)
def _bce_slope(grad, input, target, weight, reduction):
    """The gradient of `bce` for its input."""
    slope = grad * (input - target) / ((1 - input) * input).clamp_min(_TINY)
    return _weighted(slope, weight, reduction)


def _bce_bend(g, grad, input, target, weight, reduction):
    top = input * input - 2 * input * target + target
    bend = top / ((input + _TINY).square() * (1 - input + _TINY).square()) * (g * grad)
    return _weighted(bend, weight, reduction)


_bce_slope.vjp(
    grad=lambda g, input, target, weight, reduction: _weighted(
        (input - target) / ((input + _TINY) * (1 - input + _TINY)) * g, weight, reduction
    ),
    input=_bce_bend,
    target=lambda g, grad, input, weight, reduction: _weighted(
        -g * grad / ((1 - input) * input).clamp_min(_TINY), weight, reduction
    ),
    weight=lambda g, grad, input, target, reduction: _bce_slope(
        g * grad, input, target, None, reduction
    ),
)
bce.vjp(
    input=lambda g, input, target, weight, reduction: _bce_slope(
        g, input, target, weight, reduction
    ),
    target=lambda g, input, weight, reduction: _weighted(-input.logit() * g, weight, reduction),
    weight=lambda g, input, target, reduction: (
        g * bce(input, target, None, NONE) * _share(input, reduction)
    ),
)


@op(
    "_bce_with_logits(Tensor input, Tensor target, Tensor? weight, Tensor? pos_weight,"
    " int reduction) -> Tensor",
    at=("internal",),
    grad_name="BinaryCrossEntropyWithLogitsBackward0",
)
def bce_with_logits(input, target, weight, pos_weight, reduction):
    """Of sigmoid(input), without overflow."""
    log_p = rl.nn.functional.logsigmoid(input)
    if pos_weight is not None:
        log_p = ((pos_weight - 1) * target + 1) * log_p
    terms = (1 - target) * input - log_p
    return whole(terms if weight is None else terms * weight, reduction)


def _bce_with_logits_slope(g, input, target, weight, pos_weight, reduction):
    p = input.sigmoid()
    if pos_weight is None:
        slope = (p - target) * g
    else:
        t = pos_weight * target
        slope = ((t + 1 - target) * p - t) * g
    return _weighted(slope, weight, reduction)


@bce_with_logits.vjp_all
def _(g, needs, input, target, weight, pos_weight, reduction):
    tensors, slope = (input, target, weight, pos_weight), None
    if needs[0]:
        slope = _bce_with_logits_slope(g, input, target, weight, pos_weight, reduction)
    formula, others = bce_with_logits.record.reference, (False, *needs[1:4])
    rest = through_formula(formula, (g,), others, tensors, reduction)
    return (slope, *rest[1:])
