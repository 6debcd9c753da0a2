"""Adamax: Adam with the largest gradient in place of the mean square."""

import rushlight as rl

from ._per_parameter import (
    PerParameter,
    check_options,
    count,
    number,
    step_counter,
    with_decay,
    zeros_for,
)

__all__ = ["Adamax"]


class Adamax(PerParameter):
    """Adamax (Kingma & Ba 2014): `p -= lr * m / u`, m the bias-corrected mean of the gradient and
    `u = max(beta2 * u, |g| + eps)`.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of m and u is kept at each step.
        eps: added to the absolute gradient.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_options(lr, betas, eps=eps, weight_decay=weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                capturable=capturable,
            ),
        )

    def _init_state(self, state, param, group):
        state["step"] = step_counter()
        state["exp_avg"] = zeros_for(param)
        state["exp_inf"] = zeros_for(param)

    def _rule(self, group):
        lr, eps, weight_decay = number(group["lr"]), group["eps"], group["weight_decay"]
        beta1, beta2 = group["betas"]

        def update(param, grad, state):
            step = count(state)
            grad = with_decay(grad, param, weight_decay)
            mean, largest = state["exp_avg"], state["exp_inf"]
            mean.lerp_(grad, 1 - beta1)
            largest.copy_(rl.maximum(largest.mul_(beta2), grad.abs().add_(eps)))
            param.addcdiv_(mean, largest, value=-(lr / (1 - beta1**step)))

        return update
