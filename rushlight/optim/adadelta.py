"""Adadelta: steps scaled by the ratio of running means of updates and gradients."""

from ._per_parameter import WithStep, check_options, number, step_counter, zeros_for

__all__ = ["Adadelta"]


class Adadelta(WithStep):
    """Adadelta (Zeiler 2012): `p -= lr * d`, where d is g times the ratio of the root mean square
    of d to that of g.

    Args:
        params: parameters or groups of them.
        lr: factor of the update.
        rho: how much of the running means is kept at each step.
        eps: added under the roots.
        weight_decay: adds `weight_decay * p` to the gradient.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    _step_name = "adadelta_step"
    _lists = ("square_avg", "acc_delta", "step")

    def __init__(
        self,
        params,
        lr=1.0,
        rho=0.9,
        eps=1e-6,
        weight_decay=0,
        foreach=None,
        *,
        capturable=False,
        maximize=False,
        differentiable=False,
    ):
        check_options(lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_options(lr, eps=eps, weight_decay=weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                rho=rho,
                eps=eps,
                weight_decay=weight_decay,
                maximize=maximize,
                capturable=capturable,
                foreach=foreach,
                differentiable=differentiable,
            ),
        )

    def _init_state(self, state, param, group):
        state["step"] = step_counter()
        state["square_avg"] = zeros_for(param)
        state["acc_delta"] = zeros_for(param)

    def _numbers(self, group):
        return [number(group[name]) for name in ("lr", "eps", "weight_decay", "rho")]
