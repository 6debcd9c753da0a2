"""Losses of an input and a target of one shape, reduction included, as internal ops. Gradients
are those of the whole, in the order in which PyTorch rounds. The public losses are in loss.py and
loss_margin.py. To add one: its terms, and the gradient for the input as a formula in ops.
"""

import math

import rushlight as rl
from rushlight.ops._attach import through_formula
from rushlight.ops._decisions import is_wrapped
from rushlight.ops._elementwise import slope_op
from rushlight.ops._record import op, pointwise
from rushlight.ops._rounding import is_narrow

NONE, MEAN, SUM = 0, 1, 2
#: the names of reductions -> what the ops here take
REDUCTIONS = {"none": NONE, "mean": MEAN, "sum": SUM}


def whole(terms, reduction):
    """The terms, their mean or their sum."""
    return terms if reduction == NONE else terms.mean() if reduction == MEAN else terms.sum()


def _share(x, reduction, times=1):
    """What each term counts, in the precision of the terms."""
    if reduction != MEAN or not x.numel():
        return float(times)
    share = times / x.numel()
    return rl.scalar_tensor(share, dtype=x.dtype).item() if is_narrow(x) else share


def _loss(name, grad_name):
    return op(
        f"{name}(Tensor input, Tensor target, int reduction, float knee=1.0) -> Tensor",
        at=("internal",),
        grad_name=grad_name,
    )


def _slope(name, grad_name):
    """Declares the gradient of a loss for its input, that for its target being the opposite."""
    return op(
        f"{name}(Tensor grad, Tensor input, Tensor target, int reduction, float knee) -> Tensor",
        at=("internal",),
        grad_name=grad_name,
    )


def _link(loss, slope, bend):
    """Gradient rules of a loss and of its slope, by their formulas."""
    loss.vjp(
        input=lambda g, input, target, reduction, knee: slope(g, input, target, reduction, knee),
        target=lambda g, input, target, reduction, knee: slope(g, target, input, reduction, knee),
    )
    slope.vjp(
        grad=lambda g, input, target, reduction, knee: slope(g, input, target, reduction, knee),
        input=lambda g, grad, input, target, reduction, knee: bend(
            g * grad, input, target, reduction, knee
        ),
        target=lambda g, grad, input, target, reduction, knee: (
            -bend(g * grad, input, target, reduction, knee)
        ),
    )


def _in_one_pass(*tensors, narrow=()):
    """May a kernel take them, which rounds 16-bit numbers once only?

    ``narrow`` are the 16-bit dtypes that PyTorch rounds once as well. Under a transform the
    formulas are computed: the tape outside may record them, and it has no rule for the kernels,
    which stand behind the rules of the losses.
    """
    dtypes = (rl.float32, rl.float64, *narrow)
    return all(t.dtype in dtypes and not is_wrapped(t) for t in tensors)


_LIMITED = "Tensor input, Tensor target, float knee, float over"


@op(f"_distance({_LIMITED}, bool mean) -> Tensor", at=("internal",), differentiable=False)
def _distance(input, target, knee, over, mean):
    """The sum or mean of `_distances`, in one pass (same shape and dtype)."""
    terms = _distances(input, target, knee, over)
    return terms.mean() if mean else terms.sum()


@_distance.samples
def _(make):
    yield make(3, 4), make(3, 4), 0.5, 2.0, True
    yield make(2, 3), make(2, 3), 1.0, 1.0, False


_distances = slope_op(
    f"_distances({_LIMITED}) -> Tensor",
    "Half the squares of differences up to ``knee``, from there on straight lines; over ``over``.",
)
_distances_slope = slope_op(
    f"_distances_slope(Tensor grad, {_LIMITED}, float share) -> Tensor",
    "``share`` times the gradient of `_distances` for ``input``.",
)


def _distances_reduced(input, target, reduction, knee, over):
    same = input.dtype == target.dtype and input.shape == target.shape
    if reduction != NONE and same and not is_narrow(input):
        return _distance(input, target, knee, over, reduction == MEAN)
    return whole(_distances(input, target, knee, over), reduction)


@_loss("_mse", "MseLossBackward0")
def mse(input, target, reduction, knee):
    """Squared differences."""
    if reduction != NONE and _in_one_pass(input, target):
        return _distances_reduced(input, target, reduction, math.inf, 0.5)
    return whole((input - target).square(), reduction)


@_slope("_mse_slope", "MseLossBackwardBackward0")
def _mse_slope(grad, input, target, reduction, knee):
    """The gradient of `mse` for its input."""
    if _in_one_pass(grad, input, target):
        return _distances_slope(grad, input, target, math.inf, 1.0, _share(input, reduction, 2))
    return _share(input, reduction, 2) * (input - target) * grad


def _shared(bend, reduction):
    """``bend``, shared among the terms of a mean."""
    return bend / bend.numel() if reduction == MEAN else bend


_link(
    mse,
    _mse_slope,
    lambda g, input, target, reduction, knee: _shared(2 * g, reduction),
)


@_loss("_huber", "HuberLossBackward0")
def huber(input, target, reduction, knee):
    """Half the squares of differences up to ``knee``, from there on straight lines."""
    if _in_one_pass(input, target):
        return _distances_reduced(input, target, reduction, knee, 1.0)
    d = (input - target).abs()
    return whole(rl.where(d <= knee, 0.5 * d * d, knee * (d - 0.5 * knee)), reduction)


@_slope("_huber_slope", "HuberLossBackwardBackward0")
def _huber_slope(grad, input, target, reduction, knee):
    """The gradient of `huber` for its input."""
    if _in_one_pass(grad, input, target):
        return _distances_slope(grad, input, target, knee, 1.0, _share(input, reduction))
    d = input - target
    inside, share = d.abs() <= knee, _share(input, reduction)
    return rl.where(inside, share * d * grad, share * knee * d.sign() * grad)


def _huber_bend(g, input, target, reduction, knee):
    return _shared(g * ((input - target).abs() < knee), reduction)


_link(huber, _huber_slope, _huber_bend)


@_loss("_smooth_l1", "SmoothL1LossBackward0")
def smooth_l1(input, target, reduction, knee):
    """`huber` over ``knee``."""
    if _in_one_pass(input, target, narrow=(rl.bfloat16,)):
        return _distances_reduced(input, target, reduction, knee, knee)
    d = (input - target).abs()
    return whole(rl.where(d < knee, 0.5 * d * d / knee, d - 0.5 * knee), reduction)


@_slope("_smooth_l1_slope", "SmoothL1LossBackwardBackward0")
def _smooth_l1_slope(grad, input, target, reduction, knee):
    """The gradient of `smooth_l1` for its input."""
    if _in_one_pass(grad, input, target, narrow=(rl.float16, rl.bfloat16)):
        share = 1 / input.numel() if reduction == MEAN and input.numel() else 1.0
        return _distances_slope(grad, input, target, knee, knee, share)
    d, share = input - target, _share(input, reduction)
    return rl.where(d.abs() < knee, share * d * grad / knee, share * d.sign() * grad)


_link(
    smooth_l1,
    _smooth_l1_slope,
    lambda g, input, target, reduction, knee: _huber_bend(g / knee, input, target, reduction, knee),
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
    return _shared(bend, reduction)


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
    return _shared(slope, reduction)


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


def _logits_terms(input, target, log_p):
    return (1 - target) * input - log_p


@op(
    "_bce_logits_terms(Tensor input, Tensor target) -> Tensor",
    kind=pointwise,
    at=("internal",),
    inplace=False,
)
def _bce_logits_terms(input, target):
    """The terms of `bce_with_logits` without weights, in one pass."""
    return _logits_terms(input, target, rl.nn.functional.logsigmoid(input))


_bce_logits_terms.vjp(
    input=lambda g, input, target: g * (input.sigmoid() - target),
    target=lambda g, input: g * -input,
)


@_bce_logits_terms.samples
def _(make):
    yield make(3, 4), make(3, 4)


@op(
    "_bce_with_logits(Tensor input, Tensor target, Tensor? weight, Tensor? pos_weight,"
    " int reduction) -> Tensor",
    at=("internal",),
    grad_name="BinaryCrossEntropyWithLogitsBackward0",
)
def bce_with_logits(input, target, weight, pos_weight, reduction):
    """Of sigmoid(input), without overflow."""
    if pos_weight is None and not (is_narrow(input) or is_narrow(target)):
        terms = _bce_logits_terms(input, target)
    else:
        log_p = rl.nn.functional.logsigmoid(input)
        if pos_weight is not None:
            log_p = ((pos_weight - 1) * target + 1) * log_p
        terms = _logits_terms(input, target, log_p)
    return whole(terms if weight is None else terms * weight, reduction)


_bce_logits_terms_slope = slope_op(
    "_bce_logits_terms_slope(Tensor grad, Tensor input, Tensor target, float among) -> Tensor",
    "The gradient of `_bce_logits_terms` for its input, ``among`` so many.",
)
_bce_logits_terms_slope.vjp(
    grad=lambda g, input, target, among: _bce_logits_terms_slope(g, input, target, among),
    input=lambda g, grad, input, among: g * grad * (input.sigmoid() * (-input).sigmoid()) / among,
    target=lambda g, grad, among: -g * grad / among,
)


def _bce_with_logits_slope(g, input, target, weight, pos_weight, reduction):
    if weight is None and pos_weight is None and _in_one_pass(g, input, target):
        among = input.numel() if reduction == MEAN else 1
        return _bce_logits_terms_slope(g, input, target, float(among))
    p = input.sigmoid()
    if pos_weight is None:
        slope = (p - target) * g
    else:
        t = pos_weight * target
        slope = ((t + 1 - target) * p - t) * g
    return _weighted(slope, weight, reduction)


def _bce_with_logits_odds(input, pos_weight):
    """The gradient of each term for its target."""
    if pos_weight is None:
        return -input
    log_sigmoid = rl.nn.functional.logsigmoid
    return log_sigmoid(-input) - log_sigmoid(input) * pos_weight


@bce_with_logits.vjp_all
def _(g, needs, input, target, weight, pos_weight, reduction):
    tensors, slopes = (input, target, weight, pos_weight), [None, None]
    if needs[0]:
        slopes[0] = _bce_with_logits_slope(g, *tensors, reduction)
    if needs[1]:
        slopes[1] = _weighted(_bce_with_logits_odds(input, pos_weight) * g, weight, reduction)
    formula, others = bce_with_logits.record.reference, (False, False, *needs[2:4])
    return (*slopes, *through_formula(formula, (g,), others, tensors, reduction)[2:])
