"""Adafactor: Adam's mean square kept as one row and one column per matrix."""

import rushlight as rl

from ._per_parameter import PerParameter, count, number, step_counter, zeros_for

__all__ = ["Adafactor"]


class Adafactor(PerParameter):
    """Adafactor (Shazeer & Stern 2018).

    Args:
        params: parameters or groups of them; complex ones are not supported.
        lr: the largest relative step.
        beta2_decay: exponent of the step number that gives the weight of the new square.
        eps: (smallest root mean square, None for the dtype's epsilon; smallest scale of p).
        d: largest root mean square of an update.
        weight_decay: shrinks p by `lr * weight_decay`.
        foreach: accepted; the computation is the same.
        maximize: go up instead of down.
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        beta2_decay=-0.8,
        eps=(None, 1e-3),
        d=1.0,
        weight_decay=0.0,
        *,
        foreach=None,
        maximize=False,
    ):
        if isinstance(lr, rl.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 <= lr:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        super().__init__(
            params,
            dict(
                lr=lr,
                beta2_decay=beta2_decay,
                eps=eps,
                d=d,
                weight_decay=weight_decay,
                foreach=foreach,
                maximize=maximize,
            ),
        )

    def _init_state(self, state, param, group):
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        grad = param.grad
        state["step"] = step_counter()
        if grad.dim() > 1:
            *outer, rows, columns = grad.shape
            state["row_var"] = grad.new_zeros([*outer, rows, 1])
            state["col_var"] = grad.new_zeros([*outer, 1, columns])
        else:
            state["variance"] = zeros_for(grad)

    def _rule(self, group):
        lr, weight_decay, d = number(group["lr"]), group["weight_decay"], group["d"]
        smallest, smallest_scale = group["eps"]
        decay = group["beta2_decay"]

        def update(param, grad, state):
            step = count(state)
            eps = rl.finfo(param.dtype).eps if smallest is None else smallest
            scale = max(smallest_scale, param.norm(2).item() / param.numel() ** 0.5)
            rate = scale * min(lr, 1 / step**0.5)
            if weight_decay != 0:
                param.mul_(1 - lr * weight_decay)
            square = _mean_square(grad, state, step**decay, eps)
            change = square.clamp_(min=eps * eps).rsqrt_().mul_(grad)
            too_large = max(1.0, change.norm(2).item() / (change.numel() ** 0.5 * d))
            param.add_(change, alpha=-rate / too_large)

        return update


def _mean_square(grad, state, new_weight, eps):
    """The running mean of the squared gradient, for matrices from its row and column means."""
    if grad.dim() <= 1:
        return state["variance"].lerp_(grad * grad, new_weight).clone()
    rows, columns = state["row_var"], state["col_var"]
    for mean, dim in ((rows, -1), (columns, -2)):
        fresh = grad.norm(dim=dim, keepdim=True).square_().div_(grad.size(dim))
        mean.lerp_(fresh, new_weight)
    return (rows @ columns).div_(rows.mean(dim=-2, keepdim=True).clamp_(min=eps))
