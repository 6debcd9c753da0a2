"""Adagrad: steps scaled by the sum of squared gradients so far."""

import rushlight as rl

from ._per_parameter import (
    WithStep,
    check_flags,
    check_options,
    count,
    number,
    require_fusible,
    step_counter,
)

__all__ = ["Adagrad"]


class Adagrad(WithStep):
    """Adagrad (Duchi et al. 2011): `p -= lr * g / (sqrt(sum of g²) + eps)`.

    Args:
        params: parameters or groups of them.
        lr: learning rate, divided at step t by `1 + (t - 1) * lr_decay`.
        weight_decay: adds `weight_decay * p` to the gradient.
        initial_accumulator_value: what the sum starts from.
        eps: added to the root.
        maximize: go up instead of down.
        foreach: accepted; the computation is the same.
        fused: the same, for floating-point parameters only.
        differentiable: record the step, so that it can be differentiated.
    """

    _step_name = "adagrad_step"
    _lists = ("sum", "step")

    _takes_sparse = True

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        check_options(
            lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        check_flags(foreach, fused, differentiable)
        super().__init__(
            params,
            dict(
                lr=lr,
                lr_decay=lr_decay,
                eps=eps,
                weight_decay=weight_decay,
                initial_accumulator_value=initial_accumulator_value,
                foreach=foreach,
                maximize=maximize,
                differentiable=differentiable,
                fused=fused,
            ),
        )
        for group in self.param_groups:
            for param in group["params"]:
                self._init_state(self.state[param], param, group)
        require_fusible(self)

    def share_memory(self):
        """Put the sums into shared memory."""
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param]["sum"].share_memory_()

    def _init_state(self, state, param, group):
        start = group["initial_accumulator_value"]
        state["step"] = step_counter()
        state["sum"] = rl.full_like(
            param,
            complex(start, start) if param.is_complex() else start,
            memory_format=rl.preserve_format,
        )

    def _numbers(self, group):
        return [number(group[name]) for name in ("lr", "eps", "weight_decay", "lr_decay")]

    def _rule(self, group):
        dense, (lr, eps, weight_decay, lr_decay) = super()._rule(group), self._numbers(group)

        def update(param, grad, state):
            if not grad.is_sparse:
                return dense(param, grad, state)
            if weight_decay != 0:
                raise RuntimeError("weight_decay option is not compatible with sparse gradients")
            rate = lr / (1 + (count(state) - 1) * lr_decay)
            _sparse_update(param, grad.coalesce(), state["sum"], rate, eps)

        return update


def _sparse_update(param, grad, total, rate, eps):
    def like_grad(values):
        return rl.sparse_coo_tensor(grad._indices(), values, grad.size())

    values = grad._values()
    total.add_(like_grad(values.pow(2)))
    bottom = total.sparse_mask(grad)._values().sqrt_().add_(eps)
    param.add_(like_grad(values / bottom), alpha=-rate)
