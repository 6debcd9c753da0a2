"""topk, kthvalue, median and mode of many short lines against each line on its own."""

import math

import pytest

import rushlight as rl

WIDTHS = [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 129]
DTYPES = [rl.float32, rl.bfloat16, rl.int32, rl.uint8, rl.bool, rl.float64]


def lines(n, dtype, count=37):
    if dtype == rl.bool:
        return rl.rand(count, n) > 0.5
    x = rl.randint(0, 2 * n + 2, (count, n)).to(dtype)  # with equals
    if dtype.is_floating_point:
        x[3] = x[3] * -0.0
        x[5, n // 2] = x[6, :] = float("nan")
        x[7, 0], x[8, n - 1] = float("inf"), -float("inf")
    return x


def ordered(line):
    """Positions from the smallest on, the first of equals first."""
    return sorted(range(len(line)), key=lambda i: (line[i], i))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", WIDTHS)
def test_order_statistics(dtype, n):
    x = lines(n, dtype)
    rows = x.tolist()
    orders = [ordered([math.inf if v != v else v for v in row]) for row in rows]
    orders = [sorted(order, key=lambda i, r=row: r[i] != r[i]) for order, row in zip(orders, rows)]
    for k in {1, (n + 1) // 2, n}:
        values, indices = x.kthvalue(k, 1)
        assert indices.tolist() == [order[k - 1] for order in orders]
        found = x.gather(1, indices.unsqueeze(1)).squeeze(1)
        assert rl.allclose(found.double(), values.double(), equal_nan=True)
    if dtype == rl.bool:
        return
    nans = [sum(v != v for v in row) for row in rows]
    for op, skip in ((rl.median, False), (rl.nanmedian, True)):
        indices = op(x, 1)[1].tolist()
        for got, order, count in zip(indices, orders, nans):
            whole = count and (not skip or count == n)
            assert got == order[n - count if whole else (n - count - 1) // 2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", WIDTHS)
def test_modes(dtype, n):
    x = lines(n, dtype)
    values, indices = x.mode(1)
    for row, value, index in zip(x.tolist(), values.tolist(), indices.tolist()):
        same = [i for i, v in enumerate(row) if v == value or (v != v and value != value)]
        assert index == same[-1]
        most = max(sum(v == w or (v != v and w != w) for w in row) for v in row)
        assert len(same) == most


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", WIDTHS)
@pytest.mark.parametrize("largest", [False, True])
def test_the_first_of_all(dtype, n, largest):
    x = lines(n, dtype)
    for k in {0, 1, 2, n // 2, n}:
        if k > n:
            continue
        values, indices = x.topk(k, 1, largest)
        assert values.shape == indices.shape == (37, k)
        wanted = x.sort(1, largest)[0][:, :k]
        assert values.double().nan_to_num(nan=1e9).equal(wanted.double().nan_to_num(nan=1e9))
        again = x.gather(1, indices).double().nan_to_num(nan=1e9)
        assert again.equal(values.double().nan_to_num(nan=1e9))
        assert all(len(set(row)) == k for row in indices.tolist())
        alone = rl.stack([line.topk(k, 0, largest)[1] for line in x])
        assert indices.equal(alone)


def test_strides_and_threads():
    x = rl.randn(7, 3000).T
    before = rl.get_num_threads()
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            for op in (lambda x: x.topk(2, 1), lambda x: x.kthvalue(3, 1), lambda x: x.mode(1)):
                for a, b in zip(op(x), op(x.contiguous())):
                    assert a.equal(b)
    finally:
        rl.set_num_threads(before)
