"""Keeps gradients of piecewise-linear ops in the graph.

The gradient of relu, say, does not depend on its input except through a mask, so a graph of the
gradient would end there, and asking for a second derivative would fail instead of giving zeros.
"""

import rushlight as rl
from rushlight.ops._record import op


@op("_attach(Tensor grad, Tensor to) -> Tensor", at=("internal",))
def _attach(grad, to):
    """grad, as a function of `to` with derivative zero."""
    return grad.clone()


_attach.vjp(grad=lambda g: g, to=lambda to: attached(rl.zeros_like(to), to))


def attached(grad, to):
    """grad; differentiable with respect to `to` if a graph of the gradient is being recorded."""
    if rl.is_grad_enabled() and to.requires_grad and not grad.requires_grad:
        return _attach(grad, to)
    return grad


def through_formula(formula, g, needs, tensors, *rest):
    """Gradients by differentiating a formula in recorded ops; keeps the graph,
    so any order works.
    """
    views = [t.view_as(t) if need else t for t, need in zip(tensors, needs)]
    wanted = [v for v, need in zip(views, needs) if need]
    if not wanted:
        return (None,) * len(needs)
    grads = iter(rl.autograd.grad(formula(*views, *rest), wanted, g, create_graph=True))
    return tuple([attached(next(grads), tensors[0]) if need else None for need in needs])
