"""Muon: momentum whose update is replaced by the nearest semi-orthogonal matrix."""

import math

import rushlight as rl

from ._per_parameter import PerParameter, number, zeros_for

__all__ = ["Muon"]


class Muon(PerParameter):
    """Muon (Jordan et al. 2024), for the matrices of hidden layers.

    Args:
        params: 2-d parameters or groups of them.
        lr: learning rate.
        weight_decay: shrinks p by `lr * weight_decay`.
        momentum: how much of the running mean of the gradient is kept at each step.
        nesterov: look one step ahead.
        ns_coefficients, ns_steps: polynomial and number of the Newton-Schulz iterations.
        eps: smallest norm to divide by.
        adjust_lr_fn: 'original' (also None) or 'match_rms_adamw': how lr grows with the shape.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        weight_decay=0.1,
        momentum=0.95,
        nesterov=True,
        ns_coefficients=(3.4445, -4.775, 2.0315),
        eps=1e-7,
        ns_steps=5,
        adjust_lr_fn=None,
    ):
        if isinstance(lr, rl.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 <= lr:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not 0.0 <= momentum:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        super().__init__(
            params,
            dict(
                lr=lr,
                weight_decay=weight_decay,
                momentum=momentum,
                nesterov=nesterov,
                ns_coefficients=ns_coefficients,
                eps=eps,
                ns_steps=ns_steps,
                adjust_lr_fn=adjust_lr_fn,
            ),
        )
        for group in self.param_groups:
            _check_matrices(group["params"])

    def _init_state(self, state, param, group):
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        state["momentum_buffer"] = zeros_for(param.grad)

    def _rule(self, group):
        lr, weight_decay = number(group["lr"]), group["weight_decay"]
        momentum, nesterov = group["momentum"], group["nesterov"]
        iteration = group["ns_coefficients"], group["ns_steps"], group["eps"]
        adjust = group["adjust_lr_fn"]

        def update(param, grad, state):
            buffer = state["momentum_buffer"].lerp_(grad, 1 - momentum)
            change = grad.lerp(buffer, momentum) if nesterov else buffer
            change = _orthogonal(change, *iteration)
            param.mul_(1 - lr * weight_decay)
            param.add_(change, alpha=-lr * _shape_factor(adjust, *param.shape))

        return update


def _orthogonal(matrix, coefficients, steps, eps):
    """Roughly U Vᵀ of the singular value decomposition, by Newton-Schulz in bfloat16."""
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.bfloat16()
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = rl.addmm(x, rl.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _shape_factor(kind, rows, columns):
    if kind == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1, rows / columns))


def _check_matrices(params):
    for param in params:
        if param.ndim != 2:
            raise ValueError(
                "Muon only supports 2D parameters whereas we found a parameter with size: "
                f"{param.size()}"
            )
