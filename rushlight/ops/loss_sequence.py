"""Losses over sequences: connectionist temporal classification; and linear_cross_entropy."""

import rushlight as rl
from rushlight.ops._attach import through_formula
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow
from rushlight.ops.loss import reduced

_NN = ("nn.functional",)
_LOW = -1e30  # stands for log 0: differences of it stay finite, so gradients do too


def _ctc_paths(log_probs, labels, input_lengths, target_lengths, blank):
    """log p of each sample: the forward recursion over labels with blanks between them."""
    steps, n, _ = log_probs.shape
    width = labels.shape[1]
    extended = rl.full((n, 2 * width + 1), blank, dtype=rl.int64)
    if width:
        extended[:, 1::2] = labels
    same = rl.ones(extended.shape, dtype=rl.bool)  # a label may not be skipped to from its equal
    same[:, 3::2] = extended[:, 3::2] == extended[:, 1:-2:2]
    emit = log_probs.gather(2, extended.unsqueeze(0).expand(steps, n, -1))
    low = rl.full((n, 1), _LOW, dtype=log_probs.dtype)
    start = rl.arange(extended.shape[1]) < 2
    alpha = rl.where(start, emit[0], _LOW)
    for t in range(1, steps):
        one = rl.cat([low, alpha[:, :-1]], 1)
        two = rl.where(same, _LOW, rl.cat([low, low, alpha[:, :-2]], 1)[:, : alpha.shape[1]])
        new = rl.stack([alpha, one, two]).logsumexp(0) + emit[t]
        alpha = rl.where((t < input_lengths).unsqueeze(1), new, alpha)
    last = (2 * target_lengths).unsqueeze(1)
    end = alpha.gather(1, last).squeeze(1)
    before = alpha.gather(1, (last - 1).clamp_min(0)).squeeze(1)
    total = rl.stack([end, rl.where(target_lengths > 0, before, _LOW)]).logsumexp(0)
    return rl.where(input_lengths > 0, total, rl.where(target_lengths > 0, _LOW, 0))


@op(
    "_ctc(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, "
    "int blank, bool zero_infinity) -> (Tensor losses, Tensor alphas)",
    at=("internal",),
    grad_name="CtcLossBackward0",
)
def _ctc(log_probs, targets, input_lengths, target_lengths, blank, zero_infinity):
    """Minus the log-probability of each sample, infinite where no path exists; see ctc.cpp.

    ``zero_infinity`` is of the gradient: 0 where there is no path, not NaN.
    """
    ...


@op(
    "_ctc_backward(Tensor grad, Tensor log_probs, Tensor targets, Tensor input_lengths, "
    "Tensor target_lengths, int blank, Tensor alphas, bool zero_infinity) -> Tensor",
    at=("internal",),
)
def _ctc_backward(
    grad, log_probs, targets, input_lengths, target_lengths, blank, alphas, zero_infinity
):
    """exp(log_probs) minus the posterior of each class, times grad:
    the gradient for the input of log_softmax.
    """
    ...


def _ctc_grad(
    given, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity, alphas
):
    rest = targets, input_lengths, target_lengths, blank, alphas.detach(), zero_infinity
    return None if given[0] is None else _ctc_backward(given[0], log_probs, *rest)


_ctc.vjp(log_probs=_ctc_grad)


def _ctc_slope(grad, log_probs, targets, input_lengths, target_lengths, blank):
    """`_ctc_backward` in recorded ops."""
    labels = _label_table(targets, target_lengths, blank)
    rest = labels, input_lengths, target_lengths, blank
    ones = rl.ones_like(grad)
    (posterior,) = through_formula(_ctc_paths, (ones,), (True,), (log_probs,), *rest)
    used = (rl.arange(log_probs.shape[0]).unsqueeze(1) < input_lengths).unsqueeze(2)
    return rl.where(used, log_probs.exp() - posterior, 0) * grad.unsqueeze(0).unsqueeze(2)


@_ctc_backward.vjp_all
def _(g, needs, grad, log_probs, targets, input_lengths, target_lengths, blank, *_):
    rest = targets, input_lengths, target_lengths, blank
    slopes = through_formula(_ctc_slope, (g,), needs[:2], (grad, log_probs), *rest)
    return *slopes, *(None,) * len(needs[2:])


def _label_table(targets, lengths, blank):
    """Concatenated labels (sum of lengths) as rows (N, longest)."""
    if targets.dim() == 2:
        return targets.to(rl.int64)
    width = int(lengths.max()) if lengths.numel() else 0
    table = rl.full((lengths.shape[0], width), blank, dtype=rl.int64)
    at = 0
    for row, n in enumerate(lengths.tolist()):
        table[row, :n] = targets[at : at + n].to(rl.int64)
        at += n
    return table


def _lengths(*given):
    """Lengths of inputs and of targets as rows of int64: both tensors, or both lists of ints."""
    tensors = [isinstance(value, rl.Tensor) for value in given]
    rows = [value if isinstance(value, rl.Tensor) else rl.tensor(value) for value in given]
    for name, row in zip(("input_lengths", "target_lengths"), rows):
        if row.numel() and (row.is_floating_point() or row.is_complex() or row.dtype == rl.bool):
            kind = RuntimeError if tensors[0] else TypeError
            raise kind(f"ctc_loss: {name} must be integral, got {row.dtype}")
    if tensors[0] != tensors[1]:
        raise TypeError("ctc_loss: input_lengths and target_lengths must both be tensors or lists")
    return [row.to(rl.int64).reshape(-1) for row in rows]


@op(
    "ctc_loss(Tensor log_probs, Tensor targets, any input_lengths, any target_lengths, int blank=0,"
    " str reduction='mean', bool zero_infinity=False) -> Tensor",
    at=_NN,
)
def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity):
    """Connectionist temporal classification (Graves et al. 2006).

    Shapes: log_probs (T, N, C), from log_softmax, or (T, C); targets (N, S), (S) or all
    concatenated; lengths (N) or (). The mean divides each loss by its target's length first.
    Samples without a path have infinite loss, or 0 with zero_infinity. The gradient is that of
    log_softmax's input.

    Example::

        >>> rl.nn.functional.ctc_loss(rl.zeros(1, 1, 2), rl.tensor([[1]]), [1], [1])
        tensor(0.)
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    single = log_probs.dim() == 2
    x = log_probs.unsqueeze(1) if single else log_probs
    if not x.numel():
        raise RuntimeError("log_probs tensor must not be empty")
    if not 0 <= blank < x.shape[2]:
        raise RuntimeError(f"blank must be in label range, got {blank} for {x.shape[2]} classes")
    ins, outs = _lengths(input_lengths, target_lengths)
    if ins.shape[0] != x.shape[1] or outs.shape[0] != x.shape[1]:
        raise RuntimeError(
            f"input_lengths and target_lengths must be of size batch_size ({x.shape[1]}), got "
            f"{ins.shape[0]} and {outs.shape[0]}"
        )
    wide = x.float() if is_narrow(x) else x
    loss, _ = _ctc(
        wide, targets.reshape(1, -1) if single else targets, ins, outs, blank, zero_infinity
    )
    loss = loss if wide is x else loss.to(x.dtype)
    if zero_infinity:
        loss = rl.where(loss == float("inf"), 0, loss)
    if reduction == "mean":
        return (loss / outs.clamp_min(1).to(loss.dtype)).mean()
    return loss.squeeze(0) if single and reduction == "none" else reduced(loss, reduction)


def _accumulated(options, *tensors):
    """What `linear_cross_entropy` computes with: in the dtype of sums, float32 for 16 bits."""
    dtype = options.acc_dtype or (rl.float32 if is_narrow(tensors[0]) else tensors[0].dtype)
    return [t if t is None or not t.is_floating_point() else t.to(dtype) for t in tensors]


@op(
    "linear_cross_entropy(Tensor input, Tensor linear_weight, Tensor target, *, "
    "Tensor? linear_bias=None, Tensor? weight=None, str reduction='mean', int? ignore_index=None, "
    "float label_smoothing=0.0, any options=None) -> Tensor",
    at=_NN,
)
def linear_cross_entropy(
    input,
    linear_weight,
    target,
    linear_bias,
    weight,
    reduction,
    ignore_index,
    label_smoothing,
    options,
):
    """cross_entropy(linear(input, linear_weight, linear_bias), target).

    Shapes: input (N, D) or (D), linear_weight (C, D) or (C, d1, ..., D), linear_bias like it
    without D; target as cross_entropy wants it for logits (N, C, d1, ...). `options` says how the
    work may be split, on which the result does not depend, and, where the target is of classes, in
    which dtype it is done: float32 for inputs of 16 bits.

    Example::

        >>> rl.nn.functional.linear_cross_entropy(rl.zeros(1, 2), rl.zeros(3, 2), rl.tensor([0]))
        tensor(1.0986)
    """
    if input.dim() not in (1, 2):
        raise RuntimeError(
            f"linear_cross_entropy: expected a 1D or 2D input, got shape {tuple(input.shape)}"
        )
    if input.dim() == 1 and linear_weight.dim() > 2:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {input.shape[0]}), got unbatched input with shape "
            f"{tuple(input.shape)}"
        )
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError(
            "linear_cross_entropy: ignore_index cannot be specified when target contains "
            "probabilities"
        )
    dtype = input.dtype
    if options is not None and not target.is_floating_point():
        input, linear_weight, target, linear_bias, weight = _accumulated(
            options, input, linear_weight, target, linear_bias, weight
        )
    flat = linear_weight.reshape(-1, linear_weight.shape[-1])
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = rl.nn.functional.linear(input, flat, bias).view(
        input.shape[:-1] + linear_weight.shape[:-1]
    )
    ignore = -100 if ignore_index is None else ignore_index
    loss = rl.nn.functional.cross_entropy(
        logits,
        target,
        weight,
        ignore_index=ignore,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
    return loss if loss.dtype == dtype else loss.to(dtype)
