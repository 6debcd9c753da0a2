"""Which of equal elements `topk` takes, and in which order: positions recorded from PyTorch."""

import math

import numpy as np
import pytest

import rushlight as rl

RECORDED = [  # length, k, positions of the largest, positions of the smallest
    (4, 2, [2, 1], [0, 3]),
    (9, 3, [7, 2, 4], [0, 5, 3]),
    (33, 5, [22, 27, 7, 32, 12], [5, 25, 10, 30, 15]),
    (300, 4, [12, 7, 17, 2], [10, 5, 15, 0]),
    (300, 20,
     [252, 227, 87, 242, 57, 132, 247, 52, 97, 202, 207, 47, 142, 257, 42, 102, 197, 262, 37, 72],
     [225, 235, 240, 55, 250, 50, 255, 45, 245, 230, 70, 80, 220, 85, 215, 90, 210, 95, 205, 65]),
]  # fmt: skip


@pytest.mark.parametrize("n, k, largest, smallest", RECORDED)
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64, rl.bfloat16])
def test_topk_of_equal_elements(n, k, largest, smallest, dtype):
    x = (rl.arange(n) * 7 % 5).to(dtype)
    assert x.topk(k).indices.tolist() == largest
    assert x.topk(k, largest=False).indices.tolist() == smallest
    columns = rl.stack([x, x], 1).topk(k, 0)
    assert columns.indices[:, 1].tolist() == largest
    assert rl.equal(columns.values[:, 0], x[columns.indices[:, 0]])


@pytest.mark.parametrize("k", [3, 20, 90])
def test_topk_without_equal_elements_is_the_head_of_sort(k):
    x = rl.randperm(100, generator=rl.Generator().manual_seed(0)).float()
    for largest in (True, False):
        assert rl.equal(x.topk(k, largest=largest).indices, x.argsort(descending=largest)[:k])


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.int64, rl.uint8])
@pytest.mark.parametrize("n", [17, 31, 32, 33, 63, 64, 65, 100, 1000, 1025])
def test_few_of_a_line_are_the_first_of_all(n, dtype):
    rng = np.random.default_rng(n)
    x = rl.tensor(rng.normal(50, 20, (5, n))).to(dtype)
    if dtype.is_floating_point:
        x[0, n // 2] = x[0, 1] = math.nan
        x[1, 3], x[2, n - 1], x[3] = math.inf, -math.inf, -math.inf
    order = np.argsort(x.double().numpy(), axis=1, kind="stable")
    for k in (1, 2, 10, 16):
        for largest in (True, False):
            values, places = x.topk(k, 1, largest)
            sorted_x = x.sort(1, descending=largest).values[:, :k]
            assert rl.allclose(values, sorted_x, rtol=0, atol=0, equal_nan=True)
            assert rl.allclose(x.gather(1, places), values, rtol=0, atol=0, equal_nan=True)
            assert all(len(set(row)) == k for row in places.tolist())
    distinct = rl.tensor(np.argsort(order, axis=1)).to(rl.float64)
    assert distinct.topk(16, 1, False).indices.tolist() == order[:, :16].tolist()
