"""Each record's samples: second derivatives are the same whichever modes they are taken in.

Reverse over reverse is what finite differences confirm (`rushlight.testing.check_grads`); here
forward over forward, forward over reverse, reverse over forward, and a plain backward pass through
dual tensors are compared with it, along one pair of directions.
"""

import pytest
from records import UNSEEDED, sampled

import rushlight as rl
from rushlight.autograd import forward_ad
from rushlight.func import grad, jvp

differentiable = [c for c in sampled if c.differentiable and c.name not in UNSEEDED]


def _floating(value):
    if isinstance(value, rl.Tensor):
        return [value] if value.is_floating_point() else []
    return [t for v in value for t in _floating(v)] if isinstance(value, (tuple, list)) else []


def _direction(x, start):
    return (rl.arange(x.numel(), dtype=x.dtype) * 0.7 + start).sin().reshape(x.shape)


def _along(values, directions):
    pairs = [(v, d) for v, d in zip(values, directions) if v is not None]
    return sum([(v * d).sum() for v, d in pairs], rl.zeros((), dtype=rl.float64))


def _number_of(case, sample):
    """The sample as a function of its floating point tensors alone, with one number as result."""

    def function(*values):
        values = iter(values)
        call = sample.map(lambda t: next(values) if t.is_floating_point() else t)
        with rl.random.fork_rng():
            outputs = _floating(call.call(case.function))
        return _along(outputs, [_direction(o, 1.0 + i) for i, o in enumerate(outputs)])

    return function


def _twice_reverse(function, xs, u, v):
    leaves = [x.clone().requires_grad_() for x in xs]
    slope = function(*leaves)
    for direction in (u, v):
        if not slope.requires_grad:
            return rl.zeros((), dtype=rl.float64)
        slope = _along(
            rl.autograd.grad(slope, leaves, create_graph=True, allow_unused=True), direction
        )
    return slope


def _mixed(function, xs, u, v):
    """(name, second derivative along u and v) in each other pair of modes."""
    every = tuple(range(len(xs)))

    def pushed(*xs):
        return jvp(function, xs, u)[1]

    def pulled(*xs):
        return _along(grad(function, every)(*xs), u)

    yield "forward over forward", jvp(pushed, xs, v)[1]
    yield "forward over reverse", jvp(pulled, xs, v)[1]
    yield "reverse over forward", _along(grad(pushed, every)(*xs), v)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(x, t).requires_grad_() for x, t in zip(xs, v)]
        found = rl.autograd.grad(function(*duals), duals, allow_unused=True)
        tangents = [None if g is None else forward_ad.unpack_dual(g).tangent for g in found]
    yield "backward through duals", _along(tangents, u)


@pytest.mark.parametrize("case", differentiable, ids=repr)
def test_second_derivatives_agree(case):
    for sample in case.samples(rl.float64):
        xs = tuple([t.detach() for t in sample.tensors() if t.is_floating_point()])
        function = _number_of(case, sample)
        if not xs or not function(*[x.clone().requires_grad_() for x in xs]).requires_grad:
            continue
        u, v = (tuple([_direction(x, start) for x in xs]) for start in (1.0, 2.0))
        expected = _twice_reverse(function, xs, u, v).detach()
        for name, found in _mixed(function, xs, u, v):
            rl.testing.assert_close(
                found.detach(), expected, rtol=1e-6, atol=1e-6, msg=f"{case.name}, {name}"
            )
