"""RAdam: Adam that does without the mean square until it is reliable."""

from ._per_parameter import WithStep, check_options, decays, number, step_counter, zeros_for

__all__ = ["RAdam"]


class RAdam(WithStep):
    """RAdam (Liu et al. 2019): Adam with the variance of its learning rate rectified.

    Args:
        params: parameters or groups of them.
        lr, betas, eps, weight_decay, decoupled_weight_decay: as for `Adam`.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

    _step_name = "radam_step"
    _lists = ("exp_avg", "exp_avg_sq", "step")

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        check_options(lr, betas, eps=eps, weight_decay=weight_decay)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                maximize=maximize,
                foreach=foreach,
                capturable=capturable,
                decoupled_weight_decay=decoupled_weight_decay,
                differentiable=differentiable,
            ),
        )

    def _init_state(self, state, param, group):
        state["step"] = step_counter()
        state["exp_avg"] = zeros_for(param)
        state["exp_avg_sq"] = zeros_for(param)

    def _numbers(self, group):
        decay, shrink = decays(group)
        return [number(group["lr"]), group["eps"], decay, *group["betas"], shrink]
