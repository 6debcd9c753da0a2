"""Averaged stochastic gradient descent."""

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

__all__ = ["ASGD"]


class ASGD(PerParameter):
    """Averaged stochastic gradient descent (Polyak & Juditsky 1992).

    The average of the parameters from step `t0` on is in `state[p]["ax"]`.

    Args:
        params: parameters or groups of them.
        lr: the initial learning rate; at step t it is `lr / (1 + lambd * lr * t) ** alpha`.
        lambd: decay term of the parameters.
        t0: the step from which on to average.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    _counters = ("step", "eta", "mu")

    def __init__(
        self,
        params,
        lr=1e-2,
        lambd=1e-4,
        alpha=0.75,
        t0=1e6,
        weight_decay=0,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        check_options(lr, weight_decay=weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                lambd=lambd,
                alpha=alpha,
                t0=t0,
                weight_decay=weight_decay,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                capturable=capturable,
            ),
        )

    def _init_state(self, state, param, group):
        state["step"] = step_counter()
        dtype = state["step"].dtype
        state["eta"] = rl.tensor(float(group["lr"]), dtype=dtype, device=param.device)
        state["mu"] = rl.ones((), dtype=dtype, device=param.device)
        state["ax"] = zeros_for(param)

    def _rule(self, group):
        lr, lambd, alpha, t0 = number(group["lr"]), group["lambd"], group["alpha"], group["t0"]
        weight_decay = group["weight_decay"]

        def update(param, grad, state):
            step = count(state)
            grad = with_decay(grad, param, weight_decay)
            average, eta, mu = state["ax"], state["eta"], state["mu"]
            rate = eta.item()
            param.mul_(1 - lambd * rate)
            param.add_(grad, alpha=-rate)
            if mu.item() != 1:
                average.add_(param.sub(average).mul_(mu))
            else:
                average.copy_(param)
            eta.fill_(lr / (1 + lambd * lr * step) ** alpha)
            mu.fill_(1 / max(1, step - t0))

        return update
