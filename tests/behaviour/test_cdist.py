"""torch.cdist against differences in double, on widths around vectors, panels and chunks."""

import numpy as np
import pytest

import rushlight as rl

ORDERS = (1.0, 2.0, float("inf"))


def expected(x, y, p):
    d = np.abs(x.numpy().astype(np.float64)[..., :, None, :] - y.numpy()[..., None, :, :])
    if p == 2:
        return np.sqrt((d * d).sum(-1))
    return d.sum(-1) if p == 1 else d.max(-1)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("features", [1, 2, 3, 16, 63, 64, 65, 200])
def test_widths(p, dtype, features):
    tolerance = 1e-6 if dtype == rl.float32 else 1e-14
    for n, m in ((1, 1), (5, 3), (3, 5), (600, 2), (4, 31), (33, 32), (7, 33), (9, 65)):
        x, y = rl.randn(n, features, dtype=dtype), rl.randn(m, features, dtype=dtype)
        got = rl.cdist(x, y, p)
        assert got.dtype == dtype
        np.testing.assert_allclose(got.numpy(), expected(x, y, p), tolerance)


@pytest.mark.parametrize("p", ORDERS)
def test_equal_rows_are_exactly_0_apart(p):
    x = rl.randn(70, 37) + 1000
    d = rl.cdist(x, x, p)
    assert d.diagonal().tolist() == [0.0] * 70
    assert d.equal(d.mT)
    near = rl.cdist(x, x + 0.5, p).diagonal()
    assert near.equal(near[:1].expand(70))


@pytest.mark.parametrize("scale", [1e-25, 1e-20, 1e25, 1e37])
def test_squares_out_of_range(scale):
    x, y = rl.randn(9, 5) * scale, rl.randn(40, 5) * scale
    got = rl.cdist(x, y).numpy()
    reference = expected(x, y, 2)
    kept = got != 0  # squares that are all lost to rounding count as 0
    np.testing.assert_allclose(got[kept], reference[kept], 1e-6)
    assert kept.all() or scale < 1e-22


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("features", [3, 130])
def test_nan_and_infinity(p, features):
    x, y = rl.zeros(6, features), rl.ones(35, features)
    x[1, 0], x[2, 1], y[3, 2] = float("nan"), float("inf"), -float("inf")
    y[34, features - 1] = float("nan")
    y[5, 1] = float("inf")
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(rl.cdist(x, y, p).numpy(), expected(x, y, p), 1e-6)


@pytest.mark.parametrize("p", ORDERS)
def test_batches_strides_and_empty(p):
    x, y = rl.randn(2, 1, 7, 4), rl.randn(3, 4, 40).mT
    np.testing.assert_allclose(rl.cdist(x, y, p).numpy(), expected(x, y, p), 1e-6)
    assert rl.cdist(rl.randn(0, 4), rl.randn(3, 4), p).shape == (0, 3)
    assert rl.cdist(rl.randn(2, 0, 4), rl.randn(2, 3, 4), p).shape == (2, 0, 3)
    assert rl.cdist(rl.randn(0, 2, 4), rl.randn(0, 3, 4), p).shape == (0, 2, 3)
    if p != float("inf"):  # which has no identity
        assert rl.cdist(rl.randn(2, 0), rl.randn(3, 0), p).equal(rl.zeros(2, 3))


def test_threads_do_not_change_it():
    x, y = rl.randn(3, 300, 70), rl.randn(3, 150, 70)
    before, results = rl.get_num_threads(), []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            results.append(rl.cdist(x, y))
    finally:
        rl.set_num_threads(before)
    assert results[0].equal(results[1])


@pytest.mark.parametrize("p", ORDERS)
def test_gradients(p):
    def composed(x, y):
        return (x.unsqueeze(-2) - y.unsqueeze(-3)).norm(p, -1)

    x, y = rl.randn(2, 6, 3, dtype=rl.float64), rl.randn(2, 5, 3, dtype=rl.float64)
    y[0, 0] = x[0, 0]
    g = rl.randn(2, 6, 5, dtype=rl.float64)
    grads = []
    for f in (composed, lambda x, y: rl.cdist(x, y, p)):
        leaves = [x.clone().requires_grad_(), y.clone().requires_grad_()]
        grads.append(rl.autograd.grad(f(*leaves), leaves, g))
    for a, b in zip(*grads):
        assert rl.allclose(a, b, 1e-12, 1e-14)
    y[0, 0] = rl.tensor([0.3, -2.0, 5.0]) + x[0, 0]  # no two equally far
    x, y = x[:, :2].clone().requires_grad_(), y[:, :2].clone().requires_grad_()
    assert rl.autograd.gradgradcheck(lambda x, y: rl.cdist(x, y, p), (x, y))
    tangents = rl.randn(2, 2, 3, dtype=rl.float64), rl.randn(2, 2, 3, dtype=rl.float64)
    moved = rl.func.jvp(lambda x, y: rl.cdist(x, y, p), (x.detach(), y.detach()), tangents)[1]
    assert rl.allclose(moved, rl.func.jvp(composed, (x.detach(), y.detach()), tangents)[1])


@pytest.mark.parametrize("p", ORDERS)
def test_mapped(p):
    x, y = rl.randn(4, 6, 3), rl.randn(5, 3)
    assert rl.vmap(lambda x: rl.cdist(x, y, p))(x).equal(rl.cdist(x, y, p))
    assert rl.vmap(lambda x: rl.cdist(y, x, p))(x).equal(rl.cdist(y, x, p))
