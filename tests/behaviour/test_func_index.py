"""`vmap` of ops that take positions or draw: the results are those of a loop over the examples."""

import warnings

import pytest

import rushlight as rl
from rushlight.func import jacrev, vjp, vmap

X = rl.arange(60.0).reshape(3, 4, 5)
V = rl.tensor([-1.0, -2.0, -3.0])
AT = rl.tensor([[0, -1], [1, 2], [3, 3]])
MASK = X.remainder(3) == 0
ROWS = rl.tensor([[True, False, True, False], [False] * 4, [True] * 4])


def put(x, index, value):
    y = x.clone()
    y[index] = value
    return y


CASES = {
    "index_fill by mapped values": (lambda x, v: x.index_fill(0, AT[0], v), X, V),
    "index_fill at mapped places": (lambda x, at: x.index_fill(0, at, 2), X, AT),
    "index_fill of shared memory": (lambda at, v: rl.ones(4).index_fill(0, at, v), AT, V),
    "index_fill of numbers": (lambda v: v.index_fill(0, rl.tensor(0), 3), V),
    "index_fill of integers": (lambda x: x.long().index_fill(1, AT[0], 3), X),
    "index_put at a mapped mask": (lambda x, m: put(x, m, 0), X, MASK),
    "index_put of rows": (lambda x, m, v: x.index_put((m,), v, accumulate=True), X, ROWS, V),
    "index_put at a mask": (lambda x: put(x, MASK[0], -1), X),
    "index_put past a dimension": (lambda x, v: put(x, (slice(None), AT[0]), v), X, V),
    "masked_scatter": (lambda x, m: x.masked_scatter(m, rl.arange(20.0)), X, MASK),
    "masked_scatter of mapped values": (lambda x, m, s: x.masked_scatter(m, s), X, MASK, -X),
    "masked_scatter by rows": (lambda x, m: x.masked_scatter(m.unsqueeze(1), -X[0]), X, ROWS),
    "as_strided_scatter": (lambda x, v: x.as_strided_scatter(v.expand(2), (2,), (3,)), X, V),
    "binary_cross_entropy": (
        lambda x: rl.nn.functional.binary_cross_entropy(x.sigmoid(), MASK[0].float()),
        X / 60,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_batch_is_computed_at_once(case):
    function, *mapped = case
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a loop would warn
        found = vmap(function)(*mapped)
    expected = rl.stack([function(*[x[i] for x in mapped]) for i in range(3)])
    rl.testing.assert_close(found, expected)


def test_permutations_of_each_example():
    rl.manual_seed(0)
    found = vmap(lambda x: x + rl.randperm(4), randomness="different")(rl.zeros(3, 4))
    rl.manual_seed(0)
    assert found.equal(rl.stack([rl.randperm(4).float() for _ in range(3)]))


def test_too_few_values_are_refused():
    with pytest.raises(RuntimeError, match="at least"):
        vmap(lambda x, m: x.masked_scatter(m, rl.ones(1)))(X, MASK)


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0)])
def test_gradients_of_mapped_positions_or_values(in_dims):
    def pulled(x, g):
        return vjp(rl.combinations, x)[1](g)[0]

    x, g = X[:2, 0, :3], X[:2, :3, :2]
    given = [v[0] if d is None else v for v, d in zip((x, g), in_dims)]
    every = [[v] * 2 if d is None else v for v, d in zip(given, in_dims)]
    assert vmap(pulled, in_dims)(*given).equal(rl.stack([pulled(*pair) for pair in zip(*every)]))


def test_jacobians_of_mapped_positions():
    x, at = rl.arange(5.0), rl.tensor([[0, 1], [3, 3]])
    found = vmap(lambda i: jacrev(lambda x: x[i])(x))(at)
    assert found.equal(rl.eye(5)[at])


def test_gradients_of_values_scattered_by_mapped_masks():
    masks = rl.tensor([[False, True, False], [True, True, False]])
    g = rl.tensor([1.0, 2.0, 4.0])

    def pulled(mask):
        return vjp(lambda s: rl.zeros(3).masked_scatter(mask, s), rl.ones(2, 2))[1](g)[0]

    assert vmap(pulled)(masks).tolist() == [[[2, 0], [0, 0]], [[1, 2], [0, 0]]]
