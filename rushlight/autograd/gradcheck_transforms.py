"""What `gradcheck` asks of forward mode and of batched gradients. Loaded when it is asked for."""

import rushlight as rl
from rushlight.func import jvp

from .gradcheck import (
    GradcheckError,
    _as_tuple,
    _compare,
    _differentiable,
    _from_reals,
    _grad,
    _numerical_jacobian,
    _reals,
    _requires_grad,
)
from .gradcheck_directions import along, compare_numbers, direction


def check_forward(case, which):
    """The Jacobians of forward mode, a column for each real number of an input."""
    for i, x in enumerate(case.inputs):
        numerical = _numerical_jacobian(case, x, which)
        columns = [_pushed(case, x, k, which) for k in range(len(_reals(x)))]
        for nth, o in enumerate(which):
            if columns:
                _compare(case, o, i, numerical[nth], rl.stack([c[nth] for c in columns]))


def compare_direction(case, which):
    """The derivatives of forward mode along one random direction of each input."""
    for i, x in enumerate(case.inputs):
        u = direction(_reals(x))
        changes = _pusher(case, x, which)(_from_reals(u, x))
        for o, numerical, change in zip(which, along(case, x, u, which), changes):
            v = direction(numerical)
            pair = (numerical * v).sum().item(), (_reals(change) * v).sum().item()
            compare_numbers(case, o, i, pair, case.atol * (u.sum() * v.sum()).item())


def _pushed(case, x, k, which):
    """The derivatives of the outputs in the k-th real number of an input."""
    unit = rl.zeros_like(_reals(x))
    unit[k] = 1
    return [_reals(change) for change in _pusher(case, x, which)(_from_reals(unit, x))]


def _pusher(case, x, which):
    """The function from a tangent of an input to those of the outputs."""

    primals = tuple([a.detach() for a in case.inputs])

    def of_inputs(*duals):  # all are duals, as gradients that func computes have to meet each other
        given = iter(duals)
        outputs = _as_tuple(
            case.func(*[next(given) if _requires_grad(a) else a for a in case.arguments])
        )
        return tuple([outputs[o] for o in which])

    def push(tangent):
        tangents = [tangent if a is x else rl.zeros_like(p) for a, p in zip(case.inputs, primals)]
        return jvp(of_inputs, primals, tuple(tangents))[1]

    return push


def check_batched_forward(case, which):
    """Two random tangents of each input, in one pass and in two."""
    for i, x in enumerate(case.inputs):
        push, tangents = _pusher(case, x, which), [rl.randn_like(x.detach()) for _ in range(2)]
        singles = zip(*map(push, tangents))
        try:
            batched = rl.vmap(push)(rl.stack(tangents))
        except RuntimeError as error:
            raise GradcheckError(
                f"Tangents of input {i} cannot be pushed in one batch: {error}"
            ) from error
        for o, together, apart in zip(which, batched, singles):
            _compare_batch(case, f"tangents of output {o}", i, together, apart)


def _compare_batch(case, what, i, together, apart):
    if not rl.allclose(together, rl.stack(apart), rtol=case.rtol, atol=case.atol):
        raise GradcheckError(
            f"Batched {what} with respect to input {i} differ from those computed one by one"
        )


def check_batched(case):
    """Two random gradients to start from, in one pass and in two."""
    outputs = _differentiable(case.outputs())
    for o, output in enumerate(outputs):
        starts = rl.stack([rl.randn_like(output.detach()) for _ in range(2)])
        batched = rl.autograd.grad(
            output,
            case.inputs,
            starts,
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=True,
        )
        singles = zip(*[_grad((output,), case.inputs, (start,)) for start in starts])
        for i, (together, apart) in enumerate(zip(batched, singles)):
            if together is None and apart[0] is None:
                continue
            _compare_batch(case, f"gradients of output {o}", i, together, apart)
