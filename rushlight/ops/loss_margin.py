"""Margin, ranking, distance and density losses, and the distances they use.

All are composites. Cross entropy and regression losses are in ops/loss.py.
"""

import math

import rushlight as rl
from rushlight.ops._attach import through_formula
from rushlight.ops._decisions import is_wrapped, some
from rushlight.ops._record import op
from rushlight.ops.loss import _TAIL, reduced, reduction_of
from rushlight.ops.loss_terms import REDUCTIONS, soft_margin

_NN = ("nn.functional",)


@op(
    "pairwise_distance(Tensor x1, Tensor x2, float p=2.0, float eps=1e-06, "
    "bool keepdim=False) -> Tensor",
    at=_NN + ("torch",),
)
def pairwise_distance(x1, x2, p, eps, keepdim):
    """The p-norm of x1 - x2 + eps along the last dimension.

    Example::

        >>> rl.nn.functional.pairwise_distance(rl.zeros(1, 2), rl.tensor([[3., 4.]]))
        tensor([5.0000])
    """
    return rl.norm(x1 - x2 + eps, p, -1, keepdim)


@op(
    "cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor",
    at=_NN + ("torch",),
)
def cosine_similarity(x1, x2, dim, eps):
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; the operands are broadcast.

    Example::

        >>> rl.nn.functional.cosine_similarity(rl.ones(1, 2), rl.ones(1, 2)).round(decimals=4)
        tensor([1.])
    """
    dtype = rl.promote_types(x1.dtype, x2.dtype)
    if not (dtype.is_floating_point or dtype.is_complex):
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {dtype}"
        )
    x1, x2 = x1.to(dtype), x2.to(dtype)
    if x1.shape != x2.shape:
        x1, x2 = rl.broadcast_tensors(x1, x2)
    a = rl.norm(x1, 2, dim, keepdim=True).clamp_min(eps)
    b = rl.norm(x2, 2, dim, keepdim=True).clamp_min(eps)
    return ((x1 / a) * (x2 / b)).sum(dim)


def _check_labels(name, input, target):
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: expected target of the input's shape {tuple(input.shape)}, got "
            f"{tuple(target.shape)}"
        )


@op(
    "margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, "
    f"{_TAIL}) -> Tensor",
    at=_NN,
)
def margin_ranking_loss(input1, input2, target, margin, size_average, reduce, reduction):
    """max(0, -target (input1 - input2) + margin) with target 1 or -1.

    Example::

        >>> rl.nn.functional.margin_ranking_loss(rl.zeros(1), rl.ones(1), rl.ones(1))
        tensor(1.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp_min(0), reduction)


@op(
    f"hinge_embedding_loss(Tensor input, Tensor target, float margin=1.0, {_TAIL}) -> Tensor",
    at=_NN,
)
def hinge_embedding_loss(input, target, margin, size_average, reduce, reduction):
    """x where the target is 1, max(0, margin - x) where it is -1.

    Example::

        >>> rl.nn.functional.hinge_embedding_loss(rl.tensor([0.5]), rl.tensor([-1.]))
        tensor(0.5000)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    zero = rl.zeros_like(input)
    loss = rl.where(target != 1, (margin - input).clamp_min(0), zero) + rl.where(
        target != -1, input, zero
    )
    return reduced(loss, reduction)


@op(f"soft_margin_loss(Tensor input, Tensor target, {_TAIL}) -> Tensor", at=_NN)
def soft_margin_loss(input, target, size_average, reduce, reduction):
    """log(1 + exp(-target x)) with target 1 or -1.

    Example::

        >>> rl.nn.functional.soft_margin_loss(rl.zeros(1), rl.ones(1))
        tensor(0.6931)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    return soft_margin(*rl.broadcast_tensors(input, target), REDUCTIONS[reduction])


@op(
    "multilabel_soft_margin_loss(Tensor input, Tensor target, Tensor? weight=None, "
    f"{_TAIL}) -> Tensor",
    at=_NN,
)
def multilabel_soft_margin_loss(input, target, weight, size_average, reduce, reduction):
    """The mean over classes of the binary cross entropy of sigmoid(x).

    Example::

        >>> rl.nn.functional.multilabel_soft_margin_loss(rl.zeros(1, 2), rl.ones(1, 2))
        tensor(0.6931)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    log_sigmoid = rl.nn.functional.logsigmoid
    loss = -(target * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    loss = loss if weight is None else loss * weight
    return reduced(loss.sum(-1) / input.shape[-1], reduction)


@op(
    f"cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, {_TAIL}) "
    "-> Tensor",
    at=_NN,
)
def cosine_embedding_loss(input1, input2, target, margin, size_average, reduce, reduction):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1.

    Example::

        >>> rl.nn.functional.cosine_embedding_loss(rl.eye(2), rl.eye(2).flip(0), rl.ones(2))
        tensor(1.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if target.dim() not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if {input1.dim(), input2.dim()} != {target.dim() + 1}:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    dim, eps = target.dim(), 1e-12
    product = (input1 * input2).sum(dim)
    cos = product / ((input1.square().sum(dim) + eps) * (input2.square().sum(dim) + eps)).sqrt()
    zero = rl.zeros_like(cos)
    loss = rl.where(target == 1, 1 - cos, zero) + rl.where(
        target == -1, (cos - margin).clamp_min(0), zero
    )
    return reduced(loss, reduction)


@op(
    "triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, "
    f"float p=2, float eps=1e-06, bool swap=False, {_TAIL}) -> Tensor",
    at=_NN,
)
def triplet_margin_loss(
    anchor, positive, negative, margin, p, eps, swap, size_average, reduce, reduction
):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) (Balntas et al. 2016).

    Example::

        >>> rl.nn.functional.triplet_margin_loss(rl.zeros(1, 2), rl.zeros(1, 2), rl.ones(1, 2))
        tensor(0.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            f"The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and "
            f"negative {negative.dim()}D inputs"
        )
    return _triplet(
        lambda a, b: pairwise_distance(a, b, p, eps),
        anchor,
        positive,
        negative,
        margin,
        swap,
        reduction,
    )


def _triplet(distance, anchor, positive, negative, margin, swap, reduction):
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = rl.minimum(far, distance(positive, negative))
    return reduced((near - far + margin).clamp_min(0), reduction)


@op(
    "triplet_margin_with_distance_loss(Tensor anchor, Tensor positive, Tensor negative, *,"
    " any distance_function=None, float margin=1.0, bool swap=False, "
    "str reduction='mean') -> Tensor",
    at=_NN,
)
def triplet_margin_with_distance_loss(
    anchor, positive, negative, distance_function, margin, swap, reduction
):
    """`triplet_margin_loss` with any distance function of two tensors.

    Example::

        >>> rl.nn.functional.triplet_margin_with_distance_loss(rl.zeros(1, 2), rl.zeros(1, 2),
        ...     rl.zeros(1, 2)).round(decimals=3)
        tensor(1.)
    """
    reduction_of(None, None, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            f"The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and "
            f"negative {negative.dim()}D inputs"
        )
    return _triplet(
        distance_function or pairwise_distance, anchor, positive, negative, margin, swap, reduction
    )


def _rows(name, input, target):
    """input as (N, C), and target with a leading N."""
    if input.dim() == 0:
        return input.reshape(1, 1), target.reshape(1, 1)
    if input.dim() > 2 or input.shape[-1] == 0:
        raise RuntimeError(
            f"{name}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )
    return (
        (input, target)
        if input.dim() == 2
        else (input.unsqueeze(0), target.reshape((1,) + target.shape))
    )


def _hinges(x, t, p, margin, weight=None):
    z = (margin - x.gather(1, t.unsqueeze(1)) + x).clamp_min(0)
    z = z if p == 1 else z.square()
    if weight is not None:
        z = z * weight.index_select(0, t).unsqueeze(1)
    z = z * (rl.arange(x.shape[1]) != t.unsqueeze(1)).to(z.dtype)
    return z.sum(1) / x.shape[1]


@op(
    "_multi_margin(Tensor input, Tensor target, int p, float margin) -> Tensor",
    at=("internal",),
    grad_name="MultiMarginLossBackward0",
)
def _multi_margin(input, target, p, margin):
    """`_hinges` of a float32 or float64 matrix, without weights; see multi_margin.cpp."""


@op(
    "_multi_margin_backward(Tensor grad, Tensor input, Tensor target, int p, float margin)"
    " -> Tensor",
    at=("internal",),
)
def _multi_margin_backward(grad, input, target, p, margin):
    """The gradient of `_multi_margin` for its input; linear in grad."""


_multi_margin.vjp(
    input=lambda g, input, target, p, margin: _multi_margin_backward(g, input, target, p, margin)
)


def _hinges_slope(grad, x, t, p, margin):
    """`_multi_margin_backward` in recorded ops."""
    return through_formula(_hinges, (grad,), (True,), (x,), t, p, margin)[0]


@_multi_margin_backward.vjp_all
def _(g, needs, grad, input, target, p, margin):
    slopes = through_formula(_hinges_slope, (g,), needs[:2], (grad, input), target, p, margin)
    return *slopes, None, None, None


@op(
    "multi_margin_loss(Tensor input, Tensor target, int p=1, float margin=1.0, "
    f"Tensor? weight=None, {_TAIL}) -> Tensor",
    at=_NN,
    grad_name=True,
)
def multi_margin_loss(input, target, p, margin, weight, size_average, reduce, reduction):
    """The mean over wrong classes i of weight[t] max(0, margin - x[t] + x[i])^p.

    Example::

        >>> rl.nn.functional.multi_margin_loss(rl.zeros(1, 2), rl.tensor([0]))
        tensor(0.5000)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    x, t = input if input.dim() == 2 else input.reshape(1, -1), target.reshape(-1)
    if input.dim() > 2 or x.shape[1] == 0:
        raise RuntimeError(
            "multi_margin_loss: Expected non-empty vector or matrix with optional 0-dim batch "
            f"size, but got: {list(input.shape)}"
        )
    if t.shape[0] != x.shape[0]:
        raise RuntimeError(
            f"multi_margin_loss: inconsistent target size, expected {x.shape[0]} but got "
            f"{list(target.shape)}"
        )
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    if weight is not None and weight.numel() != x.shape[1]:
        raise RuntimeError(
            f"multi_margin_loss: inconsistent weight size, expected {x.shape[1]} but got "
            f"{list(weight.shape)}"
        )
    if weight is None and x.dtype in (rl.float32, rl.float64) and t.dtype == rl.int64:
        loss = _multi_margin(x, t, p, margin)
    else:
        loss = _hinges(x, t, p, margin, weight)
    return loss.reshape(target.shape) if reduction == "none" else reduced(loss, reduction)


def _label_hinges(x, t):
    used = (t < 0).to(rl.int64).cumsum(1) == 0
    labels = t.masked_fill(~used, 0)
    is_label = rl.zeros(x.shape, dtype=rl.int64).scatter_add(1, labels, used.to(rl.int64)) > 0
    gaps = (1 - x.gather(1, labels).unsqueeze(2) + x.unsqueeze(1)).clamp_min(0)
    counts = (used.unsqueeze(2) & ~is_label.unsqueeze(1)).to(gaps.dtype)
    return (gaps * counts).sum((1, 2)) / x.shape[1]


@op(
    "_multilabel_margin(Tensor input, Tensor target) -> Tensor",
    at=("internal",),
    grad_name="MultilabelMarginLossBackward0",
)
def _multilabel_margin(input, target):
    """`_label_hinges` of a float32 or float64 matrix; see multi_margin.cpp."""


@op(
    "_multilabel_margin_backward(Tensor grad, Tensor input, Tensor target) -> Tensor",
    at=("internal",),
)
def _multilabel_margin_backward(grad, input, target):
    """The gradient of `_multilabel_margin` for its input; linear in grad."""


_multilabel_margin.vjp(input=lambda g, input, target: _multilabel_margin_backward(g, input, target))


def _label_hinges_slope(grad, x, t):
    """`_multilabel_margin_backward` in recorded ops."""
    return through_formula(_label_hinges, (grad,), (True,), (x,), t)[0]


@_multilabel_margin_backward.vjp_all
def _(g, needs, grad, input, target):
    slopes = through_formula(_label_hinges_slope, (g,), needs[:2], (grad, input), target)
    return *slopes, None


@op(
    f"multilabel_margin_loss(Tensor input, Tensor target, {_TAIL}) -> Tensor",
    at=_NN,
    grad_name=True,
)
def multilabel_margin_loss(input, target, size_average, reduce, reduction):
    """The mean over labels j and other classes i of max(0, 1 - x[j] + x[i]);
    labels end at the first -1.

    Example::

        >>> rl.nn.functional.multilabel_margin_loss(rl.zeros(1, 2), rl.tensor([[0, -1]]))
        tensor(0.5000)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    x, t = _rows("multilabel_margin_loss", input, target)
    if t.shape != x.shape:
        raise RuntimeError(
            f"multilabel_margin_loss: inconsistent target size: {list(target.shape)} for input of "
            f"size: {list(input.shape)}"
        )
    is_native = x.dtype in (rl.float32, rl.float64) and t.dtype == rl.int64
    is_native = is_native and not (is_wrapped(x) or is_wrapped(t))
    loss = (_multilabel_margin if is_native else _label_hinges)(x, t)
    return reduced(loss if input.dim() == 2 else loss.squeeze(0), reduction)


@op(
    "poisson_nll_loss(Tensor input, Tensor target, bool log_input=True, bool full=False,"
    " bool? size_average=None, float eps=1e-08, bool? reduce=None, str reduction='mean') -> Tensor",
    at=_NN,
)
def poisson_nll_loss(input, target, log_input, full, size_average, eps, reduce, reduction):
    """exp(x) - t x (or x - t log(x + eps)): minus the Poisson log-likelihood;
    `full` adds Stirling's term.

    Example::

        >>> rl.nn.functional.poisson_nll_loss(rl.zeros(1), rl.ones(1))
        tensor(1.)
    """
    reduction = reduction_of(size_average, reduce, reduction)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        half_log = 0.5 * (2 * math.pi * target).log()  # first: gradients add up in reverse order
        stirling = target * target.log() - target + half_log
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


@op(
    "gaussian_nll_loss(Tensor input, Tensor target, Tensor | Scalar var, bool full=False, "
    "float eps=1e-06, str reduction='mean') -> Tensor",
    at=_NN,
)
def gaussian_nll_loss(input, target, var, full, eps, reduction):
    """0.5 (log max(var, eps) + (x - t)^2 / max(var, eps)) (Nix and Weigend 1994).

    Example::

        >>> rl.nn.functional.gaussian_nll_loss(rl.zeros(1), rl.ones(1), rl.ones(1))
        tensor(0.5000)
    """
    if not isinstance(var, rl.Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = rl.full_like(input, var)
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.dim() != var.dim() or any(
            a != b and b != 1 for a, b in zip(input.shape, var.shape)
        ):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    if some(var < 0):
        raise ValueError("var has negative entry/entries")
    var = var + (
        var.detach().clamp_min(eps) - var.detach()
    )  # limited below without losing the gradient
    loss = 0.5 * (var.log() + (input - target).square() / var)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)
