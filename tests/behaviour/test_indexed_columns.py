"""Reading and writing along the last dimension, where a slice is one element, and by flat place."""

import numpy as np
import pytest

import rushlight as rl

DTYPES = ["float32", "float64", "int8", "int16", "int64", "bool", "complex64"]
SIZES = [(1, 1, 1), (1, 5, 9), (3, 4, 7), (7, 17, 33), (40, 300, 5)]


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, width, count", SIZES)
def test_columns_at_positions(dtype, rows, width, count):
    x, source = numbers((rows, width), dtype), numbers((rows, count), dtype, 1)
    at = np.random.default_rng(2).integers(0, width, count)
    ours, values, index = rl.tensor(x), rl.tensor(source), rl.tensor(at)
    assert (ours.index_select(1, index).numpy() == x[:, at]).all()
    assert (ours.index_select(1, index.int()).numpy() == x[:, at]).all()
    assert (ours.t().contiguous().t()[:, index].numpy() == x[:, at]).all()

    added, copied, filled, put = x.copy(), x.copy(), x.copy(), x.copy()
    for j, i in enumerate(at):
        added[:, i] += source[:, j]
        copied[:, i] = source[:, j]
        filled[:, i] = True
        put[:, i] = source[:, j]
    assert (ours.index_add(1, index, values).numpy() == added).all()
    assert (ours.index_copy(1, index, values).numpy() == copied).all()
    assert (ours.index_fill(1, index - width, 1).numpy() == filled).all()
    whole = (slice(None), index)
    into = ours.clone()
    into[whole] = values
    assert (into.numpy() == put).all()
    into = ours.clone().index_put_((None, index), values, accumulate=True)
    assert (into.numpy() == added).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [1, 2, 7, 33])
def test_flat_places(dtype, count):
    x, source = numbers((5, 7), dtype), numbers(count, dtype, 1)
    at = np.random.default_rng(2).integers(-35, 35, count)
    placed, added = x.copy(), x.copy()
    for i, value in zip(at, source):
        placed.reshape(-1)[i] = value
        added.reshape(-1)[i] += value
    ours, index, values = rl.tensor(x), rl.tensor(at), rl.tensor(source)
    assert (ours.put(index, values).numpy() == placed).all()
    assert (ours.put(index, values, accumulate=True).numpy() == added).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [0, 1, 5, 40])
def test_masked_places_in_order(dtype, size):
    x, source = numbers((3, size), dtype), numbers(3 * size, dtype, 1)
    for mask in (numbers((3, size), "int64", 2) > 0, x == x, x != x):
        expected = x.copy()
        expected[mask] = source[: mask.sum()]
        enough = rl.tensor(source[: mask.sum()])
        assert (rl.tensor(x).masked_scatter(rl.tensor(mask), enough).numpy() == expected).all()
        if mask.sum():
            with pytest.raises(RuntimeError, match="at least as many"):
                rl.tensor(x).masked_scatter(rl.tensor(mask), enough[:-1])


@pytest.mark.parametrize("bad", [-1, 9, 2**40, -(2**62)])
def test_positions_outside_are_named(bad):
    x, index = rl.zeros(4, 9), rl.tensor([0, 8, bad, 99])
    calls = {
        IndexError: [
            lambda: x.index_select(1, index),
            lambda: x.index_copy(1, index, rl.ones(4, 4)),
            lambda: x.put(index - (100 if bad == -1 else 0) + (100 if bad == 9 else 0), rl.ones(4)),
        ],
        RuntimeError: [lambda: x.index_add(1, index, rl.ones(4, 4))],
    }
    for error, each in calls.items():
        for call in each:
            with pytest.raises(error):
                call()
    with pytest.raises(IndexError, match=str(bad - (9 if bad == -1 else 0))):
        x.index_fill(1, index - (9 if bad == -1 else 0), 0.0)


def test_an_index_that_would_be_written_itself_is_refused():
    x = rl.tensor([1, 2, 3])
    x.index_add_(0, x - 1, rl.tensor([10**9] * 3))
    assert x.tolist() == [10**9 + 1, 10**9 + 2, 10**9 + 3]
    for change in (rl.Tensor.put_, lambda y, *rest: y.index_copy_(0, *rest)):
        y = rl.tensor([2, 0, 1])
        with pytest.raises(RuntimeError, match="same memory"):
            change(y, y, rl.tensor([10**12, 5, 6]))
        assert y.tolist() == [2, 0, 1]


def test_gradients_by_column():
    index = rl.tensor([3, 0, 3])
    x = rl.randn(2, 5, dtype=rl.float64, requires_grad=True)
    values = rl.randn(2, 3, dtype=rl.float64, requires_grad=True)
    for call in (
        lambda a, b: a.index_select(1, index) * b,
        lambda a, b: a.index_add(1, index, b),
        lambda a, b: a.put(rl.tensor([1, -1, 4, 0, 7, 8]), b.reshape(-1)),
        lambda a, b: a[:, index] * b,
    ):
        assert rl.autograd.gradcheck(call, (x, values))
        assert rl.autograd.gradgradcheck(call, (x, values))


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 31, 33, 1025, 2050])
@pytest.mark.parametrize("bad", [-1, 12, 2**40, -(2**62)])
def test_a_position_outside_is_found_wherever_it_is(width, bad):
    x = rl.arange(60).view(5, 12)
    index = rl.arange(5 * width).view(5, width) % 12
    assert rl.equal(x.gather(1, index), x[rl.arange(5)[:, None], index])
    for at in {0, width // 2, width - 1}:
        wrong = index.clone()
        wrong[3, at] = bad
        with pytest.raises(RuntimeError, match="out of bounds"):
            x.gather(1, wrong)


@pytest.mark.parametrize("dtype", ["int8", "float32", "float64", "complex128"])
@pytest.mark.parametrize("width, count", [(1030, 1100), (8200, 1030), (9000, 40)])
def test_lines_beyond_the_nearest_caches(width, count, dtype):
    x = numbers((40, width), dtype)
    at = np.random.default_rng(2).integers(0, width, (39, count))
    assert (rl.tensor(x).gather(1, rl.tensor(at)).numpy() == x[np.arange(39)[:, None], at]).all()
    wide = rl.tensor(np.repeat(x, 2, 1))[:, ::2]
    assert (wide.gather(1, rl.tensor(at)).numpy() == x[np.arange(39)[:, None], at]).all()
