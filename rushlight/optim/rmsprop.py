"""RMSprop: steps scaled by a running mean of the squared gradient."""

from ._per_parameter import WithStep, check_options, number, step_counter, zeros_for

__all__ = ["RMSprop"]


class RMSprop(WithStep):
    """RMSprop (Hinton's lecture 6e): `p -= lr * g / (sqrt(mean of g²) + eps)`.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        alpha: how much of the running mean is kept at each step.
        eps: added to the root.
        weight_decay: adds `weight_decay * p` to the gradient.
        momentum: accumulates the scaled gradients.
        centered: subtract the squared mean gradient under the root (Graves 2013).
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    _step_name = "rmsprop_step"

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_options(lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                alpha=alpha,
                eps=eps,
                centered=centered,
                weight_decay=weight_decay,
                capturable=capturable,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
            ),
        )

    def _init_state(self, state, param, group):
        state["step"] = step_counter()
        state["square_avg"] = zeros_for(param)
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros_for(param)
        if group["centered"]:
            state["grad_avg"] = zeros_for(param)

    def _names(self, group):
        mean = "grad_avg" if group["centered"] else None
        return "square_avg", mean, "momentum_buffer" if group["momentum"] > 0 else None, "step"

    def _numbers(self, group):
        names = ("lr", "eps", "weight_decay", "alpha", "momentum")
        return [number(group[name]) for name in names]
