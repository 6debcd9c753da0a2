"""Which of equal elements `topk` takes, and in which order: positions recorded from PyTorch."""

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
