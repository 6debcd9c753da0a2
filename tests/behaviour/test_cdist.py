"""torch.cdist and pdist against differences in double, on widths around vectors, panels, chunks."""

import numpy as np
import pytest

import rushlight as rl

ORDERS = (1.0, 2.0, float("inf"), 0.0, 0.5, 1.5, 3.0)


def expected(x, y, p):
    d = np.abs(x.numpy().astype(np.float64)[..., :, None, :] - y.numpy()[..., None, :, :])
    if p == 0:
        return (d != 0).sum(-1)
    return d.max(-1) if p == float("inf") else (d**p).sum(-1) ** (1 / p)


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
        pairs = expected(y, y, p)[np.triu_indices(m, 1)]
        np.testing.assert_allclose(rl.pdist(y, p).numpy(), pairs, tolerance)


@pytest.mark.parametrize("p", ORDERS)
def test_equal_rows_are_exactly_0_apart(p):
    x = rl.randn(70, 37) + 1000
    d = rl.cdist(x, x, p)
    assert d.diagonal().tolist() == [0.0] * 70
    assert d.equal(d.mT)
    near = rl.cdist(x, x + 0.5, p).diagonal()
    assert near.equal(near[:1].expand(70))


@pytest.mark.parametrize("scale", [1e-25, 1e-20, 1e25, 1e37])
@pytest.mark.parametrize("p", [2.0, 3.0])
def test_powers_out_of_range(scale, p):
    x, y = rl.randn(9, 5) * scale, rl.randn(40, 5) * scale
    got = rl.cdist(x, y, p).numpy()
    reference = expected(x, y, p)
    kept = got != 0  # squares that are all lost to rounding count as 0
    np.testing.assert_allclose(got[kept], reference[kept], 1e-6)
    assert kept.all() or scale < (1e-22 if p == 2 else 1e-14)


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
    assert rl.pdist(rl.randn(1, 4), p).shape == rl.pdist(rl.randn(0, 4), p).shape == (0,)
    assert rl.pdist(rl.randn(3, 0), p).equal(rl.zeros(3))
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
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_gradients_on_widths(p, dtype):
    tolerance = 3e-4 if dtype == rl.float32 else 1e-11
    for n, m, features in ((1, 1, 1), (3, 5, 2), (33, 17, 7), (31, 150, 16), (70, 33, 13)):
        x, y = (rl.randn(k, features, dtype=dtype).requires_grad_() for k in (n, m))
        g = rl.randn(n, m, dtype=dtype)
        wanted = rl.autograd.grad((x.unsqueeze(1) - y).norm(p, -1), (x, y), g)
        got = rl.autograd.grad(rl.cdist(x, y, p), (x, y), g)
        for a, b in zip(got, wanted):
            assert rl.allclose(a, b, tolerance, tolerance)
        i, j = rl.triu_indices(m, m, 1)
        g = rl.randn(i.numel(), dtype=dtype)
        wanted = rl.autograd.grad((y[i] - y[j]).norm(p, -1), y, g)[0]
        got = rl.autograd.grad(rl.pdist(y, p), y, g)[0]
        assert rl.allclose(got, wanted, tolerance, tolerance)


def test_each_of_the_largest_differences_has_the_gradient():
    x = rl.tensor([[0.0, 0.0, 1.0], [2.0, 2.0, 1.0]], requires_grad=True)
    rl.cdist(x[:1], x[1:], float("inf")).sum().backward()
    assert x.grad.tolist() == [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]
    x.grad = None
    rl.pdist(x, float("inf")).sum().backward()
    assert x.grad.tolist() == [[-1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_gradients_at_0_and_nan(p):
    x = rl.randn(20, 9)
    x[3] = x[17]
    x[5, 2] = float("nan")
    x.requires_grad_()
    rl.cdist(x, x, p).sum().backward()
    assert x.grad[:, 2].isnan().all()
    assert x.grad[:, 0].isnan().all() == (p != 1)
    same = x.detach()[3:4].repeat(40, 1).requires_grad_()
    rl.pdist(same, p).sum().backward()
    assert not same.grad.any()


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
    assert rl.autograd.gradgradcheck(lambda x: rl.pdist(x, p), x[1])
    tangents = rl.randn(2, 2, 3, dtype=rl.float64), rl.randn(2, 2, 3, dtype=rl.float64)
    moved = rl.func.jvp(lambda x, y: rl.cdist(x, y, p), (x.detach(), y.detach()), tangents)[1]
    assert rl.allclose(moved, rl.func.jvp(composed, (x.detach(), y.detach()), tangents)[1])


@pytest.mark.parametrize("p", ORDERS)
def test_mapped(p):
    x, y = rl.randn(4, 6, 3), rl.randn(5, 3)
    assert rl.vmap(lambda x: rl.cdist(x, y, p))(x).equal(rl.cdist(x, y, p))
    assert rl.vmap(lambda x: rl.cdist(y, x, p))(x).equal(rl.cdist(y, x, p))
    assert rl.vmap(lambda x: rl.pdist(x, p))(x).equal(rl.stack([rl.pdist(m, p) for m in x]))
    slopes = rl.vmap(rl.func.grad(lambda x: rl.cdist(x, y, p).sum() + rl.pdist(x, p).sum()))(x)
    x.requires_grad_()
    (rl.cdist(x, y, p).sum() + sum(rl.pdist(m, p).sum() for m in x)).backward()
    assert rl.allclose(slopes, x.grad, 1e-5, 1e-5)
