"""Losses of differences: their kernels against the formulas, bends, extremes and second orders."""

import math

import pytest

import rushlight as rl

F = rl.nn.functional
LOSSES = {
    "mse": (F.mse_loss, lambda d: d * d),
    "huber": (
        lambda x, y, reduction: F.huber_loss(x, y, reduction, 0.75),
        lambda d: 0.5 * d * d if abs(d) <= 0.75 else 0.75 * (abs(d) - 0.375),
    ),
    "smooth_l1": (
        lambda x, y, reduction: F.smooth_l1_loss(x, y, reduction=reduction, beta=0.75),
        lambda d: 0.5 * d * d / 0.75 if abs(d) < 0.75 else abs(d) - 0.375,
    ),
}


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_terms_sums_and_means(name, dtype):
    loss, term = LOSSES[name]
    for count in (1, 3, 8, 17, 100, 40001):
        x, y = rl.randn(count, dtype=dtype), rl.randn(count, dtype=dtype)
        terms = [term(a - b) for a, b in zip(x.tolist(), y.tolist())]
        expected = rl.tensor(terms, dtype=dtype)
        rl.testing.assert_close(loss(x, y, reduction="none"), expected)
        total = math.fsum(terms)
        assert loss(x, y, reduction="sum").item() == pytest.approx(total, rel=1e-6)
        assert loss(x, y, reduction="mean").item() == pytest.approx(total / count, rel=1e-6)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_both_orders(name, reduction):
    loss, _ = LOSSES[name]
    x = rl.tensor([0.1, -0.5, 2.0, -3.0, 0.25], dtype=rl.float64, requires_grad=True)
    y = rl.tensor([0.0, 0.1, 0.5, 0.5, 0.5], dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(lambda a, b: loss(a, b, reduction=reduction), (x, y))
    assert rl.autograd.gradgradcheck(lambda a, b: loss(a, b, reduction=reduction), (x, y))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_extremes(name, dtype):
    loss, _ = LOSSES[name]
    x = rl.tensor([math.inf, -math.inf, math.nan, 0.75, -0.75], dtype=dtype, requires_grad=True)
    terms = loss(x, rl.zeros(5, dtype=dtype), reduction="none")
    assert terms[0] == math.inf and terms[1] == math.inf and terms[2].isnan()
    (slope,) = rl.autograd.grad(terms, x, rl.ones(5, dtype=dtype))
    edge = {"mse": 2.0, "huber": 1.0, "smooth_l1": 1 / 0.75}[name] * 0.75
    far = math.inf if name == "mse" else edge
    expected = rl.tensor([far, -far, math.nan, edge, -edge], dtype=dtype)
    rl.testing.assert_close(slope, expected, equal_nan=True)


def test_empty():
    nothing = rl.zeros(0)
    for loss, _ in LOSSES.values():
        assert loss(nothing, nothing, reduction="sum") == 0
        assert loss(nothing, nothing, reduction="mean").isnan()
        assert loss(nothing, nothing, reduction="none").shape == (0,)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_slope_of_logits(dtype):
    for count in (1, 7, 8, 33):
        x, y = rl.randn(count, dtype=dtype) * 3, rl.rand(count, dtype=dtype)
        x[0] = 200.0
        x.requires_grad_()
        F.binary_cross_entropy_with_logits(x, y).backward()
        expected = (rl.sigmoid(x.detach().double()) - y.double()) / count
        rl.testing.assert_close(x.grad, expected.to(dtype))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_logits_of_both_orders(reduction):
    x = rl.randn(4, dtype=rl.float64, requires_grad=True)
    y = rl.rand(4, dtype=rl.float64, requires_grad=True)

    def loss(a, b):
        return F.binary_cross_entropy_with_logits(a, b, reduction=reduction)

    assert rl.autograd.gradcheck(loss, (x, y))
    assert rl.autograd.gradgradcheck(loss, (x, y))
