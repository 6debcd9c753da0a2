"""Losses of classification and regression. Margin, ranking and sequence losses: ops/loss_margin.py.

Most are composites; nll_loss has kernels in csrc/kernels/loss.cpp. `reduction` is 'none', 'mean' or
'sum'; the older size_average and reduce arguments are turned into it.
"""

import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._decisions import every
from rushlight.ops._record import op
from rushlight.ops.loss_terms import NONE, REDUCTIONS, bce, bce_with_logits, huber, mse, smooth_l1

_NN = ("nn.functional",)
_TAIL = "bool? size_average=None, bool? reduce=None, str reduction='mean'"


def reduction_of(size_average, reduce, reduction):
    """The reduction, with the deprecated flags taken into account."""
    if size_average is not None or reduce is not None:
        from rushlight.nn._reduction import legacy_get_string

        return legacy_get_string(size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(loss, reduction):
    """The loss as `reduction` wants it."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def warn_sizes(name, input, target):
    if input.shape != target.shape:
        import warnings

        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=4,
        )


# ---- regression
@op(f"mse_loss(Tensor input, Tensor target, {_TAIL}, Tensor? weight=None) -> Tensor", at=_NN)
def mse_loss(input, target, size_average, reduce, reduction, weight):
    """(input - target)^2, reduced; `weight` multiplies each term (and the mean divides by its sum).

    Example::

        >>> rl.nn.functional.mse_loss(rl.zeros(2), rl.tensor([1., 3.])).item()
        5.0
    """
    reduction = reduction_of(size_average, reduce, reduction)
    warn_sizes("mse_loss", input, target)
    if not (input.is_floating_point() or target.is_floating_point()):
        raise NotImplementedError(
            f"mse_loss: not implemented for {input.dtype}; convert to floating point"
        )
    if weight is None:
        return mse(*_equal_shapes(input, target), REDUCTIONS[reduction])
    return _weighted((input - target).square(), weight, reduction)


def _equal_shapes(input, target):
    if input.shape == target.shape:
        return input, target
    return rl.broadcast_tensors(input, target)


def _weighted(loss, weight, reduction):
    if weight is None:
        return reduced(loss, reduction)
    if weight.shape != loss.shape:
        raise ValueError("Weights and input must have the same size.")
    loss = loss * weight
    return loss.sum() / weight.sum() if reduction == "mean" else reduced(loss, reduction)


@op(f"l1_loss(Tensor input, Tensor target, {_TAIL}, Tensor? weight=None) -> Tensor", at=_NN)
def l1_loss(input, target, size_average, reduce, reduction, weight):
    """|input - target|, reduced.

    Example::

        >>> rl.nn.functional.l1_loss(rl.zeros(2), rl.tensor([1., -3.])).item()
        2.0
    """
    reduction = reduction_of(size_average, reduce, reduction)
    warn_sizes("l1_loss", input, target)
    return _weighted((input - target).abs(), weight, reduction)


@op(f"smooth_l1_loss(Tensor input, Tensor target, {_TAIL}, number beta=1.0) -> Tensor", at=_NN)
def smooth_l1_loss(input, target, size_average, reduce, reduction, beta):
    """0.5 d^2 / beta where d = |input - target| < beta, else d - 0.5 beta (Girshick 2015).

    Example::

        >>> rl.nn.functional.smooth_l1_loss(rl.zeros(1), rl.tensor([2.])).item()
        1.5
    """
    reduction = reduction_of(size_average, reduce, reduction)
    warn_sizes("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced((input - target).abs(), reduction)
    return smooth_l1(*_equal_shapes(input, target), REDUCTIONS[reduction], beta)


@op(
    "huber_loss(Tensor input, Tensor target, str reduction='mean', number delta=1.0, "
    "Tensor? weight=None) -> Tensor",
    at=_NN,
)
def huber_loss(input, target, reduction, delta, weight):
    """0.5 d^2 where d = |input - target| <= delta, else delta (d - 0.5 delta) (Huber 1964).

    Example::

        >>> rl.nn.functional.huber_loss(rl.zeros(1), rl.tensor([2.])).item()
        1.5
    """
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    warn_sizes("huber_loss", input, target)
    reduction = reduction_of(None, None, reduction)
    pair = _equal_shapes(input, target)
    if weight is None:
        return huber(*pair, REDUCTIONS[reduction], delta)
    return _weighted(huber(*pair, NONE, delta), weight, reduction)


# ---- probabilities
@op(
    f"binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, {_TAIL}) -> Tensor",
    at=_NN,
)
def binary_cross_entropy(input, target, weight, size_average, reduce, reduction):
    """-(t log x + (1 - t) log(1 - x)) for probabilities x; logarithms are limited to -100 below.

    Example::

        >>> rl.nn.functional.binary_cross_entropy(rl.tensor([1.]), rl.tensor([1.])).item()
        0.0
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. Please ensure they have the same size."
        )
    if input.numel() and not every((input >= 0) & (input <= 1)):
        raise RuntimeError("all elements of input should be between 0 and 1")
    return bce(input, target, weight, REDUCTIONS[reduction])


@op(
    f"binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, {_TAIL},"
    " Tensor? pos_weight=None) -> Tensor",
    at=_NN,
)
def binary_cross_entropy_with_logits(
    input, target, weight, size_average, reduce, reduction, pos_weight
):
    """Binary cross entropy of sigmoid(input), without overflow;
    pos_weight scales the positive terms.

    Example::

        >>> loss = rl.nn.functional.binary_cross_entropy_with_logits(rl.zeros(1), rl.ones(1))
        >>> round(loss.item(), 4)
        0.6931
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    return bce_with_logits(input, target, weight, pos_weight, REDUCTIONS[reduction])


@op(f"kl_div(Tensor input, Tensor target, {_TAIL}, bool log_target=False) -> Tensor", at=_NN)
def kl_div(input, target, size_average, reduce, reduction, log_target):
    """target (log(target) - input), where input holds log-probabilities;
    also reduction='batchmean'.

    Example::

        >>> rl.nn.functional.kl_div(rl.zeros(1), rl.ones(1), reduction="sum").item()
        0.0
    """
    batch_mean = reduction == "batchmean"
    reduction = reduction_of(size_average, reduce, "sum" if batch_mean else reduction)
    if reduction == "mean":
        import warnings

        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size; "
            "the divergence as it is defined is what 'batchmean' gives",
            stacklevel=2,
        )
    # What is subtracted comes first: gradients for the target add up in reverse order.
    gap = target - input if log_target else target * input
    loss = target.exp() * gap if log_target else rl.xlogy(target, target) - gap
    if batch_mean and loss.dim():
        return loss.sum() / input.shape[0]
    return reduced(loss, reduction)


# ---- classes
@op(
    "_nll(Tensor input, Tensor target, Tensor? weight, int ignore_index, int reduction)"
    " -> (Tensor output, Tensor total_weight)",
    at=("internal",),
    grad_name="NllLossBackward0",
)
def _nll(input, target, weight, ignore_index, reduction):
    """Minus the weighted entries that target (N, K) or (N) picks from (N, C, K) or (N, C)."""
    ...


@op(
    "_nll_backward(Tensor grad, Tensor input, Tensor target, Tensor? weight, int ignore_index,"
    " int reduction, Tensor total_weight) -> Tensor",
    at=("internal",),
)
def _nll_backward(grad, input, target, weight, ignore_index, reduction, total_weight):
    """The gradient of `_nll` for its input; linear in grad."""
    ...


_nll.vjp(
    input=lambda g_output, input, target, weight, ignore_index, reduction, total_weight: attached(
        _nll_backward(
            g_output, input.detach(), target, weight, ignore_index, reduction, total_weight.detach()
        ),
        input,
    )
)
_nll_backward.vjp(
    grad=lambda g, target, weight, ignore_index, reduction: _nll(
        g, target, weight, ignore_index, reduction
    )[0],
    input=lambda g, input: rl.zeros_like(input),  # only its shape is read
    total_weight=lambda g, result, reduction, total_weight: (
        -(g * result).sum() / total_weight if reduction == 1 else rl.zeros_like(total_weight)
    ),
)


def _class_loss(input, target, weight, ignore_index, reduction):
    """`nll_loss` of what has been checked."""
    if input.dim() == 2:
        return _nll(input, target, weight, ignore_index, REDUCTIONS[reduction])[0]
    x = input.unsqueeze(0) if input.dim() == 1 else input
    places = x.shape[2:].numel()
    t, x = target.reshape(x.shape[0], places), x.reshape(*x.shape[:2], places)
    out = _nll(x, t, weight, ignore_index, REDUCTIONS[reduction])[0]
    return out.view(target.shape if input.dim() > 1 else ()) if reduction == "none" else out


def _check_classes(name, input, target):
    if input.dim() == 2 and target.dim() == 1 and target.size(0) == input.size(0):
        return  # the usual form
    if input.dim() == 0:
        raise ValueError(f"{name}: Expected 1 or more dimensions (got 0)")
    if input.dim() == 1:
        good = target.dim() == 0 or (target.dim() == 1 and target.size(0) == 1)
    else:
        good = target.shape == input.shape[:1] + input.shape[2:]
    if not good:
        if target.dim() > 0 and input.dim() > 1 and input.shape[0] != target.shape[0]:
            raise ValueError(
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size "
                f"({target.shape[0]})."
            )
        if input.dim() == 1:
            raise ValueError(
                f"{name}: For 1D input, 1D target must have size 1, but got target of shape "
                f"{tuple(target.shape)}"
            )
        many = input.dim() == 2 and target.dim() > 1
        hint = "0D or 1D target tensor expected, multi-target not supported: " if many else ""
        raise RuntimeError(
            f"{name}: {hint}target of shape {tuple(target.shape)} does not fit input of shape "
            f"{tuple(input.shape)}; expected {tuple(input.shape[:1] + input.shape[2:])}"
        )


@op(
    "nll_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None,"
    " int ignore_index=-100, bool? reduce=None, str reduction='mean') -> Tensor",
    at=_NN,
)
def nll_loss(input, target, weight, size_average, ignore_index, reduce, reduction):
    """Negative log likelihood: -weight[t] * input[n, t, ...] for t = target[n, ...].

    Shapes: input (C), (N, C) or (N, C, d1, ...), target the same without C, weight (C). Targets
    equal to ignore_index count nothing; the mean divides by the sum of the weights used.

    Example::

        >>> rl.nn.functional.nll_loss(rl.tensor([[-1., -2.]]), rl.tensor([1])).item()
        2.0
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _check_classes("nll_loss", input, target)
    return _class_loss(input, target, weight, ignore_index, reduction)


@nll_loss.samples
def _(make):
    target = rl.tensor([1, 0, 2])
    yield make(3, 4), target
    yield make(3, 4), target, None, None, -100, None, "none"


def _smoothed(log_p, target, weight, ignore_index, reduction, smoothing):
    """Cross entropy against (1 - smoothing) one-hot + smoothing / C."""
    classes = log_p.shape[1]
    nll = rl.nn.functional.nll_loss(
        log_p, target, weight, ignore_index=ignore_index, reduction=reduction
    )
    shape = (1, classes) + (1,) * (log_p.dim() - 2)
    spread = -(log_p if weight is None else log_p * weight.view(shape)).sum(1)
    ignored = target == ignore_index
    spread = spread.masked_fill(ignored, 0.0)
    if reduction == "mean":
        if weight is None:
            count = (~ignored).sum()
        else:
            count = (
                weight.gather(0, target.masked_fill(ignored, 0).flatten())
                .masked_fill(ignored.flatten(), 0)
                .sum()
            )
        spread = spread.sum() / count
    elif reduction == "sum":
        spread = spread.sum()
    return (1 - smoothing) * nll + (smoothing / classes) * spread


def _against_probabilities(log_p, target, weight, reduction, smoothing):
    classes = log_p.shape[1]
    if smoothing > 0 and classes:
        target = target * (1 - smoothing) + smoothing / classes
    terms = log_p * target
    if weight is not None:
        terms = terms * weight.view((1, classes) + (1,) * (log_p.dim() - 2))
    if reduction == "none":
        return -terms.sum(1)
    total = -terms.sum()
    return total / (log_p.numel() / max(classes, 1)) if reduction == "mean" else total


@op(
    "cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None,"
    " int ignore_index=-100, bool? reduce=None, str reduction='mean', float label_smoothing=0.0) "
    "-> Tensor",
    at=_NN,
)
def cross_entropy(
    input, target, weight, size_average, ignore_index, reduce, reduction, label_smoothing
):
    """log_softmax over the classes followed by nll_loss.

    Shapes: input (C), (N, C) or (N, C, d1, ...); target class indices without C, or probabilities
    of input's shape. label_smoothing mixes the target with the uniform distribution (Szegedy et al.
    2016).

    Example::

        >>> round(rl.nn.functional.cross_entropy(rl.zeros(1, 2), rl.tensor([0])).item(), 4)
        0.6931
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    log_p = rl.log_softmax(input, 0 if input.dim() == 1 else 1)
    if target.is_floating_point():
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        if input.dim() > 1 and target.dim() and target.shape[0] != input.shape[0]:
            raise ValueError(
                f"cross_entropy: expected input batch_size ({input.shape[0]}) to match target "
                f"batch_size ({target.shape[0]})"
            )
        if target.shape != input.shape:
            raise RuntimeError(
                f"cross_entropy: target probabilities must have the input's shape "
                f"{tuple(input.shape)}, got {tuple(target.shape)}; class indices are of dtype "
                f"int64, not {target.dtype}"
            )
        if input.dim() == 1:
            log_p, target = log_p.unsqueeze(0), target.unsqueeze(0)
            out = _against_probabilities(log_p, target, weight, reduction, label_smoothing)
            return out.squeeze(0) if reduction == "none" else out
        return _against_probabilities(log_p, target, weight, reduction, label_smoothing)
    if label_smoothing > 0:
        _check_classes("cross_entropy", input, target)
        if input.dim() == 1:
            out = _smoothed(
                log_p.unsqueeze(0),
                target.reshape(1),
                weight,
                ignore_index,
                reduction,
                label_smoothing,
            )
            return out.squeeze(0) if reduction == "none" else out
        return _smoothed(log_p, target, weight, ignore_index, reduction, label_smoothing)
    _check_classes("nll_loss", log_p, target)
    return _class_loss(log_p, target, weight, ignore_index, reduction)
