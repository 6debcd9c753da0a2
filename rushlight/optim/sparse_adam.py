"""Adam for sparse gradients: only the rows that have one are touched."""

import math

import rushlight as rl

from ._per_parameter import PerParameter, number, zeros_for

__all__ = ["SparseAdam"]


class SparseAdam(PerParameter):
    """Adam, masked: running means and parameters change only where the sparse gradient has values.

    Args:
        params: dense parameters or groups of them, with sparse gradients.
        lr, betas, eps, maximize: as for `Adam`.
    """

    _takes_sparse = True
    _counters = ()

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        if isinstance(lr, rl.Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not 0.0 < lr:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not 0.0 < eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))
        self._reject("Sparse", "requires dense parameter tensors", lambda p: p.is_sparse)
        self._reject("Complex", "does not support complex parameters", lambda p: p.is_complex())

    def _reject(self, kind, why, wrong):
        found = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, param in enumerate(group["params"])
            if wrong(param)
        ]
        if found:
            raise ValueError(f"{kind} params at indices {found}: SparseAdam {why}")

    def _init_state(self, state, param, group):
        state["step"] = 0
        state["exp_avg"] = zeros_for(param)
        state["exp_avg_sq"] = zeros_for(param)

    def _rule(self, group):
        lr, eps = number(group["lr"]), group["eps"]
        beta1, beta2 = group["betas"]

        def update(param, grad, state):
            if not grad.is_sparse:
                raise RuntimeError(
                    "SparseAdam does not support dense gradients, please consider Adam instead"
                )
            state["step"] += 1
            step, grad = state["step"], grad.coalesce()
            values = grad._values()
            if values.numel() == 0:
                return

            def sparse(new):
                return rl.sparse_coo_tensor(grad._indices(), new, grad.size())

            def moved(average, towards, beta):
                old = average.sparse_mask(grad)._values()
                change = towards.sub(old).mul_(1 - beta)
                average.add_(sparse(change))
                return change.add_(old)

            mean = moved(state["exp_avg"], values, beta1)
            root = moved(state["exp_avg_sq"], values.pow(2), beta2).sqrt_().add_(eps)
            size = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
            param.add_(sparse(-size * mean.div_(root)))

        return update
