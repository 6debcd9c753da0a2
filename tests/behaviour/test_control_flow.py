"""Loops and choices as functions: `cond`, `while_loop`, `scan`, `map`, `associative_scan`."""

import pytest

import rushlight as rl
from rushlight._higher_order_ops import associative_scan, map, scan
from rushlight.func import grad, vmap

X = rl.arange(6.0).view(2, 3)


def test_cond_chooses_for_each_example():
    def chosen(x):
        return rl.cond(x.sum() > 4, rl.sin, rl.cos, (x,))

    assert rl.equal(vmap(chosen)(X), rl.stack([X[0].cos(), X[1].sin()]))
    slopes = grad(lambda x: vmap(chosen)(x).sum())(X)
    assert rl.equal(slopes, rl.stack([-X[0].sin(), X[1].cos()]))
    with pytest.raises(RuntimeError, match="form"):
        vmap(lambda x: rl.cond(x.sum() > 4, lambda x: x, lambda x: (x, x), (x,)))(X)


def test_scan_goes_along_a_dimension():
    def step(state, x):
        return state + x, state * x

    last, steps = scan(step, rl.zeros(2), X, dim=1)
    assert last.tolist() == [3, 12] and steps.tolist() == [[0, 0, 2], [0, 12, 35]]
    last, steps = scan(step, rl.zeros(3), X, reverse=True)
    assert last.tolist() == [3, 5, 7] and steps.tolist() == [[0, 4, 10], [0, 0, 0]]
    pair = scan(lambda s, x: ((s[0] + x["x"],), {"y": s[0]}), (rl.zeros(3),), {"x": X})
    assert pair[1]["y"].tolist() == [[0, 0, 0], [0, 1, 2]]
    slopes = grad(lambda x: scan(step, rl.zeros(3), x)[1].sum())(X)
    assert slopes.tolist() == [[3, 4, 5], [0, 1, 2]]
    assert scan(step, rl.zeros(3), [])[1] == []


@pytest.mark.parametrize(
    "arguments",
    [
        (3, rl.zeros(3), X),
        (lambda s, x: (s, x), 3, X),
        (lambda s, x: (s, x), rl.zeros(3), 3),
        (lambda s, x: s, rl.zeros(3), X),
        (lambda s, x: (s.sum(), x), rl.zeros(3), X),
        (lambda s, x: (s.long(), x), rl.zeros(3), X),
        (lambda s, x: ((s,), x), rl.zeros(3), X),
        (lambda s, x: (s, x), rl.zeros(3), (X, X[:1])),
        (lambda s, x: (s, x), rl.zeros(3), X[:0]),
    ],
)
def test_scans_are_checked(arguments):
    with pytest.raises(RuntimeError):
        scan(*arguments)
    with pytest.raises(IndexError):
        scan(lambda s, x: (s, x), rl.zeros(3), X, dim=2)


def test_map_goes_along_the_first_dimension():
    assert rl.equal(map(lambda x, k: x + k, X, rl.ones(3)), X + 1)
    double, first = map(lambda xs: (xs[0] * 2, xs[1][0]), [X, X])
    assert rl.equal(double, X * 2) and first.tolist() == [0, 3]
    for wrong in (X[:0], [X, X[:1]], 3):
        with pytest.raises(RuntimeError):
            map(lambda x: x, wrong)


def test_associative_scan_checks_its_dimension():
    assert associative_scan(lambda a, b: a * b, X, -1, reverse=True).tolist() == [
        [0, 2, 2],
        [60, 20, 5],
    ]
    with pytest.raises(IndexError):
        associative_scan(lambda a, b: a + b, X, 5)
    with pytest.raises(RuntimeError, match="lengths"):
        associative_scan(lambda a, b: a, (X, X[:1]), 0)


def test_functorch_has_the_first_names():
    from rushlight._functorch.deprecated.experimental import control_flow

    assert control_flow.cond is rl.cond and control_flow.map is map
