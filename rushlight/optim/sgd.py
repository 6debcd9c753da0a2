"""Stochastic gradient descent, with momentum if wanted."""

import rushlight as rl

from ._per_parameter import (
    PerParameter,
    check_flags,
    check_options,
    native_step,
    number,
    require_fusible,
)

__all__ = ["SGD"]


class SGD(PerParameter):
    """`p -= lr * g`, where momentum replaces g by `b = momentum * b + (1 - dampening) * g`.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        momentum, dampening: see above; the first b is g.
        weight_decay: adds `weight_decay * p` to the gradient.
        nesterov: use `g + momentum * b` instead of b (Sutskever et al. 2013).
        maximize: go up instead of down.
        foreach: False updates one parameter after the other, otherwise all go in one pass.
        fused: as ``foreach=True``, for floating-point parameters only.
        differentiable: record the step, so that it can be differentiated.

    Example::

        >>> import rushlight as rl
        >>> p = rl.nn.Parameter(rl.ones(1))
        >>> opt = rl.optim.SGD([p], lr=0.1)
        >>> (3 * p).sum().backward(); opt.step(); p
        Parameter containing:
        tensor([0.7000], requires_grad=True)
    """

    _takes_sparse = True
    _views_complex = False

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        check_options(lr)
        if momentum < 0.0:
            raise ValueError(f"Invalid momentum value: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_flags(foreach, fused, differentiable)
        super().__init__(
            params,
            dict(
                lr=lr,
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                nesterov=nesterov,
                maximize=maximize,
                foreach=foreach,
                differentiable=differentiable,
                fused=fused,
            ),
        )
        require_fusible(self)

    def _state_of(self, param, group):
        return self.state[param] if group["momentum"] != 0 else None

    def _rule(self, group):
        lr, weight_decay = number(group["lr"]), number(group["weight_decay"])
        momentum, nesterov = group["momentum"], group["nesterov"]
        dampening = group["dampening"]

        def update(param, grad, state):
            if isinstance(weight_decay, rl.Tensor):
                grad = grad + param.clone() * weight_decay
            elif weight_decay != 0:
                grad = grad.add(param, alpha=weight_decay)
            if momentum != 0:
                buffer = state.get("momentum_buffer")
                if buffer is None:
                    buffer = state["momentum_buffer"] = grad.detach().clone()
                else:
                    buffer.mul_(momentum).add_(grad, alpha=1 - dampening)
                grad = grad.add(buffer, alpha=momentum) if nesterov else buffer
            if isinstance(lr, rl.Tensor):
                param.addcmul_(grad, lr, value=-1)
            else:
                param.add_(grad, alpha=-lr)

        return update

    def _step_of_all(self, group):
        names = ("lr", "momentum", "dampening", "weight_decay")
        options = [number(group[name]) for name in names]
        step = native_step("sgd_step", group, options)

        def update(params, grads, states):
            buffers = [s["momentum_buffer"] for s in states] if group["momentum"] != 0 else []
            step(params, grads, buffers, *options, group["nesterov"], group["maximize"])

        return step and update
