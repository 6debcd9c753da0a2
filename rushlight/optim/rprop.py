"""Rprop: step sizes of their own for every value, driven by the gradient's sign."""

import rushlight as rl

from ._per_parameter import PerParameter, check_options, count, number, step_counter, zeros_for

__all__ = ["Rprop"]


class Rprop(PerParameter):
    """Resilient backpropagation (Riedmiller & Braun 1993), for full batches.

    Args:
        params: parameters or groups of them.
        lr: the initial step size.
        etas: factors of the step size where the gradient changed sign, and where it kept it.
        step_sizes: smallest and largest step size.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        etas=(0.5, 1.2),
        step_sizes=(1e-6, 50),
        *,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        check_options(lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(
            params,
            dict(
                lr=lr,
                etas=etas,
                step_sizes=step_sizes,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                capturable=capturable,
            ),
        )

    def _init_state(self, state, param, group):
        lr = number(group["lr"])
        state["step"] = step_counter()
        state["prev"] = zeros_for(param)
        state["step_size"] = rl.full_like(param.grad, complex(lr, lr) if param.is_complex() else lr)

    def _rule(self, group):
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]

        def update(param, grad, state):
            count(state)
            previous, size = state["prev"], state["step_size"]
            sign = grad.mul(previous).sign()
            factor = rl.ones_like(sign).masked_fill_(sign > 0, grow).masked_fill_(sign < 0, shrink)
            size.mul_(factor).clamp_(smallest, largest)
            grad = grad.masked_fill(sign < 0, 0)
            param.addcmul_(grad.sign(), size, value=-1)
            previous.copy_(grad)

        return update
