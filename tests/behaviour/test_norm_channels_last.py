"""Group norm of channels that lie last, against the definition in float64."""

import math

import pytest
import rushlight as rl

F = rl.nn.functional
SHAPES = (
    ((2, 4, 5, 7), 2),
    ((3, 16, 6, 5), 4),
    ((2, 18, 9, 4), 3),
    ((1, 40, 33, 31), 40),
    ((2, 64, 23, 29), 8),
    ((1, 100, 3, 70), 1),
    ((2, 24, 3, 20, 30), 6),
)


def definition(x, groups, w, b, eps):
    rows = x.reshape(x.shape[0], groups, -1)
    var, mean = rl.var_mean(rows, 2, correction=0, keepdim=True)
    y = ((rows - mean) / (var + eps).sqrt()).reshape(x.shape)
    wide = (1, -1) + (1,) * (x.dim() - 2)
    return y * w.reshape(wide) + b.reshape(wide)


def last(x):
    form = rl.channels_last if x.dim() == 4 else rl.channels_last_3d
    return x.contiguous(memory_format=form)


@pytest.mark.parametrize("shape, groups", SHAPES)
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16, rl.float16))
@pytest.mark.parametrize("gradient_last", (False, True))
def test_values_and_gradients(shape, groups, dtype, gradient_last):
    x = last(rl.randn(shape).to(dtype) + 3)
    w, b = rl.randn(shape[1]).to(dtype), rl.randn(shape[1]).to(dtype)
    g = rl.randn(shape).to(dtype)
    given = [t.requires_grad_() for t in (x, w, b)]
    y = F.group_norm(x, groups, w, b, 1e-4)
    assert y.dtype == dtype and y.stride() == x.stride()
    got = rl.autograd.grad(y, given, last(g) if gradient_last else g)
    exact = [t.detach().double().requires_grad_() for t in given]
    want = definition(exact[0], groups, exact[1], exact[2], 1e-4)
    eps = rl.finfo(dtype).eps
    assert (y - want).abs().max() <= 8 * eps * want.abs().max()
    for a, e in zip(got, rl.autograd.grad(want, exact, g.double())):
        assert a.dtype == dtype
        assert (a - e).abs().max() <= 32 * eps * e.abs().max().clamp_min(1)


@pytest.mark.parametrize("dtype", (rl.float32, rl.float64))
def test_a_mean_far_from_zero(dtype):
    x = last(rl.randn(2, 32, 40, 41, dtype=dtype) + 1000)
    want = definition(x.double(), 4, rl.ones(32).double(), rl.zeros(32).double(), 1e-5)
    assert (F.group_norm(x, 4) - want).abs().max() <= 2048 * rl.finfo(dtype).eps


@pytest.mark.parametrize("bad", (math.nan, math.inf))
def test_what_is_not_finite_stays_in_its_group(bad):
    x = last(rl.randn(2, 32, 8, 9))
    whole = F.group_norm(x, 4)
    x[1, 9, 3, 2] = bad
    y = F.group_norm(x, 4)
    assert y[1, 8:16].isnan().any()
    assert y[0].equal(whole[0]) and y[1, 16:].equal(whole[1, 16:])
    assert y[1, :8].equal(whole[1, :8])


def test_threads_and_out_of_order_gradients_change_nothing():
    x = last(rl.randn(2, 48, 50, 40)).requires_grad_()
    g = rl.randn(2, 48, 50, 40)
    results = []
    threads = rl.get_num_threads()
    for n in (1, 2):
        rl.set_num_threads(n)
        y = F.group_norm(x, 6)
        results.append((y, rl.autograd.grad(y, x, g)[0]))
    rl.set_num_threads(threads)
    assert results[0][0].equal(results[1][0]) and results[0][1].equal(results[1][1])
