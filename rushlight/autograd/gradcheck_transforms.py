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


def check_forward(case):
    """The Jacobians of forward mode, a column for each real number of an input."""
    which = [i for i, o in enumerate(case.outputs()) if _requires_grad(o)]
    for i, x in enumerate(case.inputs):
        numerical = _numerical_jacobian(case, x, which)
        columns = [_pushed(case, x, k, which) for k in range(len(_reals(x)))]
        for nth, o in enumerate(which):
            if columns:
                _compare(case, o, i, numerical[nth], rl.stack([c[nth] for c in columns]))


def _pushed(case, x, k, which):
    """The derivatives of the outputs in the k-th real number of an input."""

    def of_one(value):
        outputs = _as_tuple(case.func(*[value if a is x else a for a in case.arguments]))
        return tuple([outputs[o] for o in which])

    unit = rl.zeros_like(_reals(x))
    unit[k] = 1
    changes = jvp(of_one, (x.detach(),), (_from_reals(unit, x),))[1]
    return [_reals(change) for change in changes]


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
            if not rl.allclose(together, rl.stack(apart), rtol=case.rtol, atol=case.atol):
                raise GradcheckError(
                    f"Batched gradients of output {o} with respect to input {i} differ from those "
                    "computed one by one"
                )
