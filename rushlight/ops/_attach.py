"""Keeps gradients of piecewise-linear ops in the graph.

The gradient of relu, say, does not depend on its input except through a mask, so a graph of the
gradient would end there, and asking for a second derivative would fail instead of giving zeros.
"""

import rushlight as rl
from rushlight import _native
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


def through_formula(formula, given, needs, tensors, *rest):
    """Gradients by differentiating a formula in recorded ops; keeps the graph if one is being
    recorded, so any order works. ``given``: of the formula's results, None where there is none.
    """
    if not any(needs):
        return (None,) * len(needs)
    keep = rl.is_grad_enabled()
    with rl.enable_grad():
        views = [_leaf(t, keep) if need else t for t, need in zip(tensors, needs)]
        wanted = [v for v, need in zip(views, needs) if need]
        results = formula(*views, *rest)
        results = (results,) if isinstance(results, rl.Tensor) else results
        pairs = [(y, g) for y, g in zip(results, given) if g is not None and y.requires_grad]
        if not pairs:
            return (None,) * len(needs)
        results, given = zip(*pairs)
        made = iter(rl.autograd.grad(results, wanted, given, create_graph=keep, allow_unused=True))
    found = [next(made) if need else None for need in needs]
    return tuple([g if g is None else attached(g, tensors[0]) for g in found])


def _leaf(t, keep):
    """The tensor, as something to differentiate by."""
    return t.view_as(t) if keep else _native.untaped(t).requires_grad_()
