"""layer_norm and rms_norm of short rows against formulas in double, on widths around vectors."""

import pytest

import rushlight as rl
from rushlight.nn.functional import layer_norm, rms_norm

WIDTHS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 100]


def composed(x, weight, bias, centered):
    center = x.mean(-1, keepdim=True) if centered else 0
    d = x - center
    out = d / (d.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def normed(x, weight, bias, centered):
    cols = x.shape[-1:]
    if centered:
        return layer_norm(x, cols, weight, bias, 1e-5)
    return rms_norm(x, cols, weight, 1e-5)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
@pytest.mark.parametrize("cols", WIDTHS)
@pytest.mark.parametrize("centered", [True, False])
def test_widths(dtype, cols, centered):
    tolerance = {rl.float32: 3e-4, rl.float64: 1e-10, rl.bfloat16: 6e-2}[dtype]
    for rows in (1, 2, 17, 35):
        for affine in ((True, True), (False, False), (True, False), (False, True)):
            x, g = (rl.randn(rows, cols, dtype=dtype) for _ in range(2))
            x += rl.arange(cols) % 2 * 8  # no row is nearly constant
            w, b = (rl.rand(cols, dtype=dtype) if given else None for given in affine)
            b = b if centered else None
            leaves = [t.clone().requires_grad_() if t is not None else None for t in (x, w, b)]
            exact = [
                t.detach().double().requires_grad_() if t is not None else None for t in leaves
            ]
            got, wanted = normed(*leaves, centered), composed(*exact, centered)
            assert got.dtype == dtype
            assert rl.allclose(got.double(), wanted, tolerance, tolerance)
            given = [t for t in leaves if t is not None]
            slopes = rl.autograd.grad(got, given, g)
            exact = [t for t in exact if t is not None]
            wished = rl.autograd.grad(wanted, exact, g.double())
            for a, c in zip(slopes, wished):
                assert rl.allclose(a.double(), c, 20 * tolerance, 20 * tolerance)


@pytest.mark.parametrize("cols", [3, 8, 12, 17, 40])
@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_rows_know_nothing_of_their_neighbours(cols, odd):
    x, w = rl.randn(40, cols), rl.rand(cols)
    g = rl.randn(40, cols)
    spoiled, rest = rl.arange(3, 40, 5), rl.tensor([i for i in range(40) if i % 5 != 3])

    def both(x, g):
        leaf = x.clone().requires_grad_()
        out = layer_norm(leaf, (cols,), w)
        return out.detach(), rl.autograd.grad(out, leaf, g)[0]

    wanted = both(x, g)
    x[spoiled], g[spoiled] = odd, odd
    for got, whole in zip(both(x, g), wanted):
        assert got[rest].equal(whole[rest])
        assert got[spoiled].isnan().all()


@pytest.mark.parametrize("cols", [5, 16, 30, 64])
def test_threads_do_not_change_it(cols):
    x, w = rl.randn(9000, cols, requires_grad=True), rl.rand(cols, requires_grad=True)
    before, results = rl.get_num_threads(), []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            out = layer_norm(x, (cols,), w)
            results.append((out, *rl.autograd.grad(out, (x, w), out.detach().cos())))
    finally:
        rl.set_num_threads(before)
    for a, b in zip(*results):
        assert a.equal(b)
