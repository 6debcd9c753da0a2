"""Batch norm of few channels that lie last, against the definition in float64."""

import pytest
import rushlight as rl

F = rl.nn.functional
SHAPES = (
    (1, 1, 101, 97),
    (2, 3, 60, 41),
    (3, 7, 37, 13),
    (1, 16, 31, 37),
    (4, 17, 18, 19),
    (2, 33, 16, 9),
    (1, 100, 9, 11),
    (3000, 5),
    (257, 40),
    (2, 6, 9, 10, 11),
    (2, 3, 4, 5),
)


def last(x):
    if x.dim() < 4:
        return x
    return x.contiguous(memory_format=(rl.channels_last, rl.channels_last_3d)[x.dim() - 4])


def definition(x, mean, var, w, b, eps):
    wide = (1, -1) + (1,) * (x.dim() - 2)
    if mean is None:
        others = [d for d in range(x.dim()) if d != 1]
        var, mean = rl.var_mean(x, others, correction=0)
    y = (x - mean.view(wide)) / (var.view(wide) + eps).sqrt()
    return y * w.view(wide) + b.view(wide)


def values_and_gradients(x, mean, var, w, b, g):
    given = [t.detach().clone().requires_grad_() for t in (x, w, b)]
    y = F.batch_norm(given[0], mean, var, given[1], given[2], mean is None, eps=1e-3)
    return y, rl.autograd.grad(y, given, g)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16, rl.float16))
@pytest.mark.parametrize("training", (False, True))
def test_values_and_gradients(shape, dtype, training):
    x, g = last(rl.randn(shape).to(dtype) + 2), last(rl.randn(shape).to(dtype))
    w, b = rl.randn(shape[1]).to(dtype), rl.randn(shape[1]).to(dtype)
    mean = None if training else rl.randn(shape[1]).to(dtype)
    var = None if training else rl.rand(shape[1]).to(dtype) + 0.5
    y, got = values_and_gradients(x, mean, var, w, b, g)
    assert y.dtype == dtype and y.stride() == x.stride()
    exact = [t.detach().double().requires_grad_() for t in (x, w, b)]
    running = [t if t is None else t.double() for t in (mean, var)]
    want = definition(exact[0], *running, exact[1], exact[2], 1e-3)
    eps = rl.finfo(dtype).eps
    assert (y - want).abs().max() <= 8 * eps * want.abs().max()
    for a, e in zip(got, rl.autograd.grad(want, exact, g.double())):
        assert (a - e).abs().max() <= 32 * eps * e.abs().max().clamp_min(1)


@pytest.mark.parametrize("channels", (3, 32, 40))
def test_running_statistics_and_threads(channels):
    x = last(rl.randn(2, channels, 40, 30) * 3 + 1)
    w, b, g = rl.randn(channels), rl.randn(channels), last(rl.randn(x.shape))
    threads, results = rl.get_num_threads(), []
    for n in (1, 2):
        rl.set_num_threads(n)
        mean, var = rl.zeros(channels), rl.ones(channels)
        y = F.batch_norm(x, mean, var, w, b, True, 0.5)
        results.append((y, mean, var, *values_and_gradients(x, None, None, w, b, g)[1]))
    rl.set_num_threads(threads)
    assert all(rl.equal(*pair) for pair in zip(*results))
    rows = x.transpose(0, 1).reshape(channels, -1).double()
    rl.testing.assert_close(results[0][1].double(), rows.mean(1) / 2)
    rl.testing.assert_close(results[0][2].double(), rows.var(1) / 2 + 0.5)
