"""NAdam: Adam with Nesterov momentum."""

import rushlight as rl

from ._per_parameter import WithStep, check_options, decays, number, step_counter, zeros_for

__all__ = ["NAdam"]


class NAdam(WithStep):
    """NAdam (Dozat 2016): Adam whose mean of the gradient looks one step ahead.

    Args:
        params: parameters or groups of them.
        lr, betas, eps, weight_decay, decoupled_weight_decay: as for `Adam`.
        momentum_decay: how fast the momentum approaches `betas[0]`.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    _step_name = "nadam_step"
    _lists = ("exp_avg", "exp_avg_sq", "step", "mu_product")
    _counters = ("step", "mu_product")

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        momentum_decay=4e-3,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        check_options(lr, betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                momentum_decay=momentum_decay,
                decoupled_weight_decay=decoupled_weight_decay,
                maximize=maximize,
                foreach=foreach,
                capturable=capturable,
                differentiable=differentiable,
            ),
        )

    def _init_state(self, state, param, group):
        state["step"] = step_counter()
        state["mu_product"] = rl.ones((), dtype=state["step"].dtype)
        state["exp_avg"] = zeros_for(param)
        state["exp_avg_sq"] = zeros_for(param)

    def _numbers(self, group):
        decay, shrink = decays(group)
        rest = [*group["betas"], group["momentum_decay"], shrink]
        return [number(group["lr"]), group["eps"], decay, *rest]
