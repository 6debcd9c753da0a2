"""Cross entropy of matrices in one pass, which csrc/kernels/routes.cpp leads `cross_entropy` to.

Other shapes and dtypes are compositions, in ops/loss.py.
"""

import rushlight as rl
from rushlight.ops._attach import through_formula
from rushlight.ops._record import op
from rushlight.ops.loss_terms import REDUCTIONS
from rushlight.ops.softmax import _softmax_backward


@op(
    "_cross_entropy(Tensor input, Tensor target, Tensor? weight, int ignore_index, int reduction,"
    " bool keep) -> (Tensor output, Tensor total_weight, Tensor probabilities)",
    at=("internal",),
    grad_name="NllLossBackward0",
)
def _cross_entropy(input, target, weight, ignore_index, reduction, keep):
    """`_nll` of the log_softmax of a matrix, see cross_entropy.cpp; a gradient needs ``keep``."""
    ...


@op(
    "_cross_entropy_backward(Tensor grad, Tensor probabilities, Tensor target, Tensor? weight,"
    " int ignore_index, int reduction, Tensor total_weight) -> Tensor",
    at=("internal",),
)
def _cross_entropy_backward(
    grad, probabilities, target, weight, ignore_index, reduction, total_weight
):
    """The gradient of `_cross_entropy` for its input; linear in grad."""
    ...


def _cross_entropy_grad(
    given, target, weight, ignore_index, reduction, total_weight, probabilities
):
    g, _, g_probabilities = given
    slope = None
    if g is not None:
        slope = _cross_entropy_backward(
            g, probabilities, target, weight, ignore_index, reduction, total_weight.detach()
        )
    if g_probabilities is not None:  # of a second derivative
        more = _softmax_backward(g_probabilities, probabilities, 1)
        slope = more if slope is None else slope + more
    return slope


_cross_entropy.vjp(input=_cross_entropy_grad)


def _cross_entropy_slope(grad, probabilities, target, weight, ignore_index, reduction, total):
    """`_cross_entropy_backward` in recorded ops."""
    counts = target != ignore_index
    picked = target.long().where(counts, 0)
    scale = rl.ones_like(picked, dtype=probabilities.dtype) if weight is None else weight[picked]
    scale = scale / total if reduction == REDUCTIONS["mean"] else scale
    scale = (grad * scale.where(counts, 0)).unsqueeze(1)
    return probabilities * scale - rl.zeros_like(probabilities).scatter(
        1, picked.unsqueeze(1), scale
    )


@_cross_entropy_backward.vjp_all
def _(g, needs, grad, probabilities, target, weight, ignore_index, reduction, total_weight):
    rest = target, weight, ignore_index, reduction, total_weight
    tensors, wanted = (grad, probabilities), needs[:2]
    slopes = through_formula(_cross_entropy_slope, (g,), wanted, tensors, *rest)
    return *slopes, *(None,) * len(needs[2:])
