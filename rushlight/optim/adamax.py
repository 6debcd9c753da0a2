"""Adamax: Adam with the largest gradient in place of the mean square."""

from ._per_parameter import WithStep, check_options, number, step_counter, zeros_for

__all__ = ["Adamax"]


class Adamax(WithStep):
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

    _step_name = "adamax_step"
    _lists = ("exp_avg", "exp_inf", "step")

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

    def _numbers(self, group):
        return [*[number(group[name]) for name in ("lr", "eps", "weight_decay")], *group["betas"]]
