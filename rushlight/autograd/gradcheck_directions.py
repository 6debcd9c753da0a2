"""The fast mode of `gradcheck`: one random direction. Loaded when it is asked for."""

import rushlight as rl

from .gradcheck import GradcheckError, _check_form, _compare_runs, _from_reals, _grad, _reals


def direction(values):
    """Positive and of length 1, so that no errors cancel.

    It has a generator of its own: a check must not change what the program draws afterwards.
    """
    draw = rl.rand(values.shape, dtype=values.dtype, generator=rl.Generator()) + 0.1
    return draw / (draw * draw).sum().sqrt()


def along(case, x, direction, which):
    """The derivatives of the outputs along ``direction`` in the reals of x."""
    original = x.detach().clone()
    step = _from_reals(direction * case.eps, x)
    try:
        x.data.copy_(original + step)
        above = case.values(which)
        x.data.copy_(original - step)
        below = case.values(which)
    finally:
        x.data.copy_(original)
    return [(a - b) / (2 * case.eps) for a, b in zip(above, below)]


def compare_directions(case, which):
    directions = [direction(_reals(x)) for x in case.inputs]
    numerical = [along(case, x, u, which) for x, u in zip(case.inputs, directions)]
    outputs = case.outputs()
    for nth, o in enumerate(which):
        v = direction(_reals(outputs[o]))
        start = (_from_reals(v, outputs[o]),)
        grads = _grad((outputs[o],), case.inputs, start)
        again = _grad((outputs[o],), case.inputs, start)
        for i, (x, u) in enumerate(zip(case.inputs, directions)):
            _check_form(case, x, grads[i])
            zero = rl.zeros_like(x)
            first, second = [_reals(zero if g is None else g) for g in (grads[i], again[i])]
            _compare_runs(case, first, second)
            slack = case.atol * (u.sum() * v.sum()).item()
            pair = (numerical[i][nth] * v).sum().item(), (first * u).sum().item()
            compare_numbers(case, o, i, pair, slack)


def compare_numbers(case, o, i, pair, slack):
    numerical, analytical = pair
    if abs(numerical - analytical) <= slack + case.rtol * abs(numerical):
        return
    raise GradcheckError(
        f"Jacobian mismatch for output {o} with respect to input {i} in a random direction,\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
        "Use fast_mode=False to see the whole Jacobians."
    )
