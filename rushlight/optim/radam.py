"""RAdam: Adam that does without the mean square until it is reliable."""

from ._per_parameter import PerParameter, check_options, count, number, step_counter, zeros_for

__all__ = ["RAdam"]


class RAdam(PerParameter):
    """RAdam (Liu et al. 2019): Adam with the variance of its learning rate rectified.

    Args:
        params: parameters or groups of them.
        lr, betas, eps, weight_decay, decoupled_weight_decay: as for `Adam`.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        capturable: refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.
    """

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

    def _rule(self, group):
        lr, eps, weight_decay = number(group["lr"]), group["eps"], group["weight_decay"]
        beta1, beta2 = group["betas"]
        decoupled = group["decoupled_weight_decay"]

        def update(param, grad, state):
            step = count(state)
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            if weight_decay != 0:
                if decoupled:
                    param.mul_(1 - lr * weight_decay)
                else:
                    grad = grad.add(param, alpha=weight_decay)
            mean.lerp_(grad, 1 - beta1)
            square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            change = mean / (1 - beta1**step) * lr
            rectifier = _rectifier(step, beta2)
            if rectifier is not None:
                root = square.sqrt().add_(eps)
                change = change * ((1 - beta2**step) ** 0.5 / root) * rectifier
            param.add_(change, alpha=-1.0)

        return update


def _rectifier(step, beta2):
    """The factor for the adaptive step; None while the mean square has too few samples."""
    limit = 2 / (1 - beta2) - 1
    length = limit - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5.0:
        return None
    top = (length - 4) * (length - 2) * limit
    return (top / ((limit - 4) * (limit - 2) * length)) ** 0.5
