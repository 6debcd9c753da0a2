"""L-BFGS: Newton's method with the inverse Hessian guessed from the last gradients.

The line search is in `_strong_wolfe.py`.
"""

import rushlight as rl

from ._strong_wolfe import Point, strong_wolfe
from ._per_parameter import check_options
from .optimizer import Optimizer

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal & Wright, "Numerical Optimization", algorithm 7.5).

    Args:
        params: parameters, in one group.
        lr: length of a step, or of the first one tried by the line search.
        max_iter, max_eval: iterations, and evaluations of the loss, per call of `step`.
        tolerance_grad, tolerance_change: stop when gradient or change are that small.
        history_size: how many gradient differences are kept.
        line_search_fn: None or 'strong_wolfe'.

    `step(closure)` needs a closure that clears gradients, computes the loss, calls backward and
    returns the loss.

    Example::

        >>> import rushlight as rl
        >>> x = rl.nn.Parameter(rl.tensor([3.0]))
        >>> opt = rl.optim.LBFGS([x], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = ((x - 1) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> _ = opt.step(closure)
        >>> round(x.item(), 4)
        1.0
    """

    def __init__(
        self,
        params,
        lr=1,
        max_iter=20,
        max_eval=None,
        tolerance_grad=1e-7,
        tolerance_change=1e-9,
        history_size=100,
        line_search_fn=None,
    ):
        check_options(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(
            params,
            dict(
                lr=lr,
                max_iter=max_iter,
                max_eval=max_eval,
                tolerance_grad=tolerance_grad,
                tolerance_change=tolerance_change,
                history_size=history_size,
                line_search_fn=line_search_fn,
            ),
        )
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    def step(self, closure):
        """Iterate until a tolerance or a limit is reached; returns the first loss."""
        with rl.no_grad():
            group = self.param_groups[0]
            if group["line_search_fn"] not in (None, "strong_wolfe"):
                raise RuntimeError("only 'strong_wolfe' is supported")
            state = self.state[self._params[0]]
            state.setdefault("func_evals", 0)
            state.setdefault("n_iter", 0)
            first_loss = self._evaluate(closure)
            state["func_evals"] += 1
            here = Point(0, float(first_loss), self._flat_grad(), None)
            if here.grad.abs().max() > group["tolerance_grad"]:
                self._iterate(closure, group, state, here)
            return first_loss

    def _iterate(self, closure, group, state, here):
        evaluations = 1
        for n in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(state, here.grad, group["history_size"])
            previous = state.get("prev_flat_grad")
            state["prev_flat_grad"] = (
                here.grad.clone() if previous is None else previous.copy_(here.grad)
            )
            state["prev_loss"] = last_loss = here.loss
            length = group["lr"]
            if state["n_iter"] == 1:
                length = min(1.0, 1.0 / here.grad.abs().sum()) * length
            state["d"], state["t"] = direction, length
            slope = here.grad.dot(direction)
            if slope > -group["tolerance_change"]:
                break
            last = n == group["max_iter"]
            here, length, used = self._move(
                closure,
                group,
                here,
                direction,
                length,
                slope,
                group["max_eval"] - evaluations,
                last,
            )
            state["t"] = length
            evaluations += used
            state["func_evals"] += used
            if (
                last
                or evaluations >= group["max_eval"]
                or _is_done(group, here, direction, length, last_loss)
            ):
                break

    def _move(self, closure, group, here, direction, length, slope, max_evaluations, last):
        """(the new point, the step's length, how often the loss was computed)."""
        if group["line_search_fn"] is not None:
            start = [p.clone() for p in self._params]

            def at(t):
                self._add(t, direction)
                loss, grad = float(self._evaluate(closure)), self._flat_grad()
                for param, value in zip(self._params, start):
                    param.copy_(value)
                return Point(t, loss, grad, grad.dot(direction))

            here = Point(0, here.loss, here.grad, slope)
            found, used = strong_wolfe(
                at, here, length, direction.abs().max(), max_evaluations=max_evaluations
            )
            self._add(found.t, direction)
            return found, found.t, used
        self._add(length, direction)
        if last:  # the loss there would not be looked at
            return here, length, 0
        loss = float(self._evaluate(closure))
        return Point(length, loss, self._flat_grad(), None), length, 1

    def _direction(self, state, grad, history_size):
        """Minus the gradient times the guessed inverse Hessian, by the two-loop recursion."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return grad.neg()
        differences, steps, inverse = state["old_dirs"], state["old_stps"], state["ro"]
        difference = grad.sub(state["prev_flat_grad"])
        step = state["d"].mul(state["t"])
        curvature = difference.dot(step)
        if curvature > 1e-10:
            if len(differences) == history_size:
                for kept in (differences, steps, inverse):
                    kept.pop(0)
            differences.append(difference)
            steps.append(step)
            inverse.append(1.0 / curvature)
            state["H_diag"] = curvature / difference.dot(difference)
        factors = state.setdefault("al", [None] * history_size)
        q = grad.neg()
        for i in reversed(range(len(differences))):
            factors[i] = steps[i].dot(q) * inverse[i]
            q.add_(differences[i], alpha=-factors[i].item())
        result = q.mul(state["H_diag"])
        for i in range(len(differences)):
            back = differences[i].dot(result) * inverse[i]
            result.add_(steps[i], alpha=(factors[i] - back).item())
        return result

    def _flat_grad(self):
        return rl.cat(
            [_flat(p.grad if p.grad is not None else rl.zeros_like(p)) for p in self._params]
        )

    def _add(self, length, direction):
        """Move the parameters by `length` times the flat `direction`."""
        length, start = float(length), 0
        for param in self._params:
            real = rl.view_as_real(param) if param.is_complex() else param
            end = start + real.numel()
            real.add_(direction[start:end].view_as(real), alpha=length)
            start = end


def _flat(grad):
    grad = grad.to_dense() if grad.is_sparse else grad
    return (rl.view_as_real(grad) if grad.is_complex() else grad).reshape(-1)


def _is_done(group, here, direction, length, last_loss):
    """Whether the gradient, the last step or the change of the loss is small enough."""
    change = group["tolerance_change"]
    return bool(
        here.grad.abs().max() <= group["tolerance_grad"]
        or direction.mul(length).abs().max() <= change
        or abs(here.loss - last_loss) < change
    )
