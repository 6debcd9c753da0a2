"""NAdam: Adam with Nesterov momentum."""

import rushlight as rl

from ._per_parameter import PerParameter, check_options, count, number, step_counter, zeros_for

__all__ = ["NAdam"]


class NAdam(PerParameter):
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

    def _rule(self, group):
        lr, eps, weight_decay = number(group["lr"]), group["eps"], group["weight_decay"]
        beta1, beta2 = group["betas"]
        decay, decoupled = group["momentum_decay"], group["decoupled_weight_decay"]

        def momentum(step):
            return beta1 * (1.0 - 0.5 * 0.96 ** (step * decay))

        def update(param, grad, state):
            step = count(state)
            if weight_decay != 0:
                if decoupled:
                    param.mul_(1 - lr * weight_decay)
                else:
                    grad = grad.add(param, alpha=weight_decay)
            mu, mu_next = momentum(step), momentum(step + 1)
            product = state["mu_product"]
            product *= mu
            product = product.item()
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            mean.lerp_(grad, 1 - beta1)
            square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            bottom = square.div(1 - beta2**step).sqrt().add_(eps)
            param.addcdiv_(grad, bottom, value=-lr * (1.0 - mu) / (1.0 - product))
            param.addcdiv_(mean, bottom, value=-lr * mu_next / (1.0 - product * mu_next))

        return update
