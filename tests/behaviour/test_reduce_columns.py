"""Reductions over rows, and scans along them, against float64 or a transposed copy."""

import math

import pytest

import rushlight as rl

SHAPES = [(2, 5), (31, 4), (33, 70), (129, 4100), (700, 9), (1000, 130), (64, 8200)]
REDUCTIONS = {
    "sum": lambda x, d: x.sum(d),
    "mean": lambda x, d: x.mean(d),
    "var": lambda x, d: x.var(d),
    "std": lambda x, d: x.std(d),
    "norm": lambda x, d: x.norm(dim=d),
    "logsumexp": lambda x, d: x.logsumexp(d),
    "amax": lambda x, d: x.amax(d),
    "amin": lambda x, d: x.amin(d),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_float64_along_rows(name, shape):
    rl.manual_seed(0)
    x = rl.randn(shape)
    wanted, threads = REDUCTIONS[name](x.double().t().contiguous(), 1), rl.get_num_threads()
    try:
        rl.set_num_threads(1)
        found = REDUCTIONS[name](x, 0)
        rl.set_num_threads(3)
        assert rl.equal(REDUCTIONS[name](x, 0), found)
    finally:
        rl.set_num_threads(threads)
    assert rl.allclose(found.double(), wanted, rtol=2e-6, atol=1e-5)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("largest", [True, False])
def test_positions_are_of_the_first(dtype, shape, largest):
    rl.manual_seed(1)
    x = rl.randint(0, 7, shape).to(dtype)  # most columns have ties
    if dtype.is_floating_point:
        x[shape[0] // 2, ::3] = math.nan
    values, at = x.max(0) if largest else x.min(0)
    wanted, place = x.t().contiguous().max(1) if largest else x.t().contiguous().min(1)
    assert rl.equal(at, place)
    assert rl.equal(values.nan_to_num(-1), wanted.nan_to_num(-1))
    assert rl.equal(x.argmax(0) if largest else x.argmin(0), at)


def test_infinite_columns():
    inf, nan = math.inf, math.nan
    x = rl.tensor([[1, inf, -inf, nan, -inf], [2, -inf, -inf, 1, 0.5]]).repeat(40, 1)
    assert str(x.logsumexp(0)[1:3].tolist()) == "[inf, -inf]"
    assert x.logsumexp(0)[3].isnan() and x.sum(0)[1].isnan() and x.var(0)[3].isnan()
    assert abs(x.logsumexp(0)[4].item() - (0.5 + math.log(40))) < 1e-6


@pytest.mark.parametrize("n", [1, 2, 7, 8, 15, 16, 17, 33, 100, 1031])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_scans_of_rows(n, dtype):
    rl.manual_seed(2)
    x = rl.randn(3, n, dtype=dtype, requires_grad=True)
    total, product = rl.zeros(3, dtype=rl.float64), rl.ones(3, dtype=rl.float64)
    sums, products = x.cumsum(1), (x / x.abs().clamp(min=0.1)).cumprod(1)
    factors = (x / x.abs().clamp(min=0.1)).detach().double()
    for i in range(n):
        total, product = total + x.detach()[:, i].double(), product * factors[:, i]
        assert rl.allclose(sums[:, i].double(), total, rtol=1e-6, atol=1e-5)
        assert rl.allclose(products[:, i].double(), product, rtol=1e-5)
    sums.sum().backward()
    assert rl.equal(x.grad, rl.arange(n, 0, -1).to(dtype).expand(3, n))


def test_infinity_does_not_reach_back():
    x = rl.ones(50)
    x[20], x[30] = math.inf, -math.inf
    found = x.cumsum(0)
    assert rl.equal(found[:20], rl.arange(1.0, 21)) and found[20:30].isinf().all()
    assert found[30:].isnan().all()


@pytest.mark.parametrize("shape, dim", [((40, 70), 0), ((3, 1000, 9), 1), ((5000, 65), 0)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_columns(name, shape, dim):
    rl.manual_seed(3)
    x, g = rl.randn(shape, requires_grad=True), rl.randn(shape)
    rows = x.detach().double().transpose(dim, -1).contiguous().requires_grad_()
    found, wanted = getattr(x, name)(dim), getattr(rows, name)(-1)
    assert rl.allclose(found.double(), wanted.transpose(dim, -1), rtol=1e-5, atol=1e-6)
    found.backward(g)
    wanted.backward(g.double().transpose(dim, -1))
    assert rl.allclose(x.grad.double(), rows.grad.transpose(dim, -1), rtol=1e-4, atol=1e-5)
