"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""

import rushlight as rl

from ._per_parameter import (
    PerParameter,
    check_flags,
    check_options,
    count,
    native_step,
    number,
    require_fusible,
    step_counter,
    zeros_for,
)

__all__ = ["Adam", "AdamW"]


class Adam(PerParameter):
    """Adam (Kingma & Ba 2014): `p -= lr * m / (sqrt(v) + eps)` with bias-corrected means m of the
    gradient and v of its square.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: how much of the running means of gradient and square is kept at each step.
        eps: added to the root.
        weight_decay: adds `weight_decay * p` to the gradient, or shrinks p by
            `lr * weight_decay` if `decoupled_weight_decay`.
        amsgrad: divide by the largest v so far (Reddi et al. 2018).
        maximize: go up instead of down.
        foreach: False updates one parameter after the other, otherwise all go in one pass.
        fused: as ``foreach=True``, for floating-point parameters only.
        capturable: for steps that an accelerator replays; refused for parameters on the CPU.
        differentiable: record the step, so that it can be differentiated.

    Example::

        >>> import rushlight as rl
        >>> p = rl.nn.Parameter(rl.ones(1))
        >>> opt = rl.optim.Adam([p], lr=0.1)
        >>> (3 * p).sum().backward(); opt.step(); p
        Parameter containing:
        tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        if isinstance(lr, rl.Tensor) and foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        _check_betas(betas, foreach and not capturable)
        check_options(lr, betas, eps=eps, weight_decay=weight_decay)
        check_flags(foreach, fused, differentiable)
        super().__init__(
            params,
            dict(
                lr=lr,
                betas=betas,
                eps=eps,
                weight_decay=weight_decay,
                amsgrad=amsgrad,
                maximize=maximize,
                foreach=foreach,
                capturable=capturable,
                differentiable=differentiable,
                fused=fused,
                decoupled_weight_decay=decoupled_weight_decay,
            ),
        )
        require_fusible(self)

    def _init_state(self, state, param, group):
        if group["differentiable"] and isinstance(group["lr"], rl.Tensor):
            if group["lr"].requires_grad and group["fused"]:
                raise RuntimeError("lr as a Tensor that records gradients excludes fused=True")
        state["step"] = step_counter()
        state["exp_avg"] = zeros_for(param)
        state["exp_avg_sq"] = zeros_for(param)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = zeros_for(param)

    def _rule(self, group):
        lr, eps, weight_decay = number(group["lr"]), group["eps"], number(group["weight_decay"])
        beta1, beta2 = (number(beta) for beta in group["betas"])
        amsgrad, decoupled = group["amsgrad"], group["decoupled_weight_decay"]
        differentiable = group["differentiable"]

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
            step_size = lr / (1 - beta1**step)
            if amsgrad:
                largest = state["max_exp_avg_sq"]
                before = largest.clone() if differentiable else largest
                square = largest.copy_(rl.maximum(before, square))
            bottom = (square.sqrt() / (1 - beta2**step) ** 0.5).add_(eps)
            if differentiable:
                param.add_(mean.clone() / bottom * -step_size)
            else:
                param.addcdiv_(mean, bottom, value=-step_size)

        return update

    def _step_of_all(self, group):
        beta1, beta2 = group["betas"]
        options = (group["lr"], beta1, beta2, group["eps"], group["weight_decay"])
        options = [number(option) for option in options]
        step = native_step("adam_step", group, options)

        def update(params, grads, states):
            means, squares = ([s[n] for s in states] for n in ("exp_avg", "exp_avg_sq"))
            largest = [s["max_exp_avg_sq"] for s in states] if group["amsgrad"] else []
            steps = [s["step"] for s in states]
            flags = group["decoupled_weight_decay"], group["maximize"]
            step(params, grads, means, squares, largest, steps, *options, *flags)

        return step and update


def _check_betas(betas, need_floats):
    if isinstance(betas[0], rl.Tensor) != isinstance(betas[1], rl.Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if isinstance(beta, rl.Tensor) and need_floats:
            raise ValueError(
                f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True"
            )
        if isinstance(beta, rl.Tensor) and beta.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2017); arguments as for `Adam`."""

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
