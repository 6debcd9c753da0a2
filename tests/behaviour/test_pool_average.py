"""Average pooling in either layout is a product with matrices of weights, one a dimension."""

import itertools

import pytest
import rushlight as rl

F = rl.nn.functional
WIDTHS = (2, 3, 4, 7, 8, 9, 15, 16, 17, 33)
LONG = ((41, 29), (1, 1))


def sums(size, windows):
    """(outputs, size): ones inside each window, and how many these are."""
    at = rl.arange(size)
    return rl.stack([(at >= start) & (at < end) for start, end in windows]).double()


def fixed(size, kernel, stride, pad):
    starts = range(-pad, size + pad - kernel + 1, stride)
    return sums(size, [(s, s + kernel) for s in starts])


def adaptive(size, out):
    return sums(size, [(i * size // out, -(-(i + 1) * size // out)) for i in range(out)])


def close(got, want, dtype):
    assert got.dtype == dtype
    assert (got.double() - want).abs().max() <= 16 * rl.finfo(dtype).eps * max(1, want.abs().max())


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16))
def test_fixed_windows_with_channels_last(channels, dtype):
    x = rl.randn(2, channels, 6, 9).to(dtype).contiguous(memory_format=rl.channels_last)
    for kernel, stride, pad in ((2, 2, 0), (3, 1, 1), (3, 2, 1)):
        rows, columns = fixed(6, kernel, stride, pad), fixed(9, kernel, stride, pad)
        total = rows @ x.double() @ columns.T
        inside = rows.sum(1)[:, None] * columns.sum(1)
        for counted, by in ((True, kernel**2), (False, inside)):
            y = F.avg_pool2d(x, kernel, stride, pad, count_include_pad=counted)
            close(y, total / by, dtype)
            assert y.is_contiguous(memory_format=rl.channels_last)


@pytest.mark.parametrize("channels", WIDTHS)
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64))
def test_adaptive_windows_in_both_layouts(channels, dtype):
    for size, out in (
        ((6, 9), (4, 5)),
        ((5, 5), (7, 5)),
        ((20, 11), (2, 3)),
        ((70, 60), (50, 41)),
        LONG,
    ):
        x = rl.randn(2, channels, *size, dtype=dtype, requires_grad=True)
        rows, columns = [w / w.sum(1, keepdim=True) for w in map(adaptive, size, out)]
        want = rows @ x.detach().double() @ columns.T
        for given in (x, x.contiguous(memory_format=rl.channels_last)):
            y = F.adaptive_avg_pool2d(given, out)
            close(y, want, dtype)
            g = rl.randn(*y.shape, dtype=dtype)
            (by_x,) = rl.autograd.grad(y, x, g)
            close(by_x, rows.T @ g.double() @ columns, dtype)


def test_volumes_with_channels_last():
    x = rl.randn(2, 5, 4, 5, 6)
    last = x.contiguous(memory_format=rl.channels_last_3d)
    for pool in (lambda x: F.avg_pool3d(x, 2, 1, 1), lambda x: F.adaptive_avg_pool3d(x, (3, 2, 4))):
        rl.testing.assert_close(pool(last), pool(x))


def test_what_is_not_finite_stays_in_its_windows():
    x = rl.zeros(1, 17, 4, 4).contiguous(memory_format=rl.channels_last)
    x[0, 16, 0, 0], x[0, 3, 3, 3] = float("nan"), float("inf")
    y = F.avg_pool2d(x, 2)
    assert y.isnan().nonzero().tolist() == [[0, 16, 0, 0]]
    assert y.isinf().nonzero().tolist() == [[0, 3, 1, 1]]


def added_one_by_one(grad, size, kernel, stride, pad):
    """Shares of windows added in the order of windows, rounded after every quotient and sum."""
    x = rl.zeros(size, dtype=grad.dtype)
    for i, row in enumerate(grad.unbind(0)):
        for j, g in enumerate(row.unbind(0)):
            at = [slice(max(k * stride - pad, 0), k * stride - pad + kernel) for k in (i, j)]
            x[at[0], at[1]] = x[at[0], at[1]] + g / (kernel * kernel)
    return x


@pytest.mark.parametrize("dtype", (rl.float16, rl.bfloat16))
@pytest.mark.parametrize("kernel, stride, pad", ((2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 3, 0)))
def test_16_bit_gradients_of_fixed_windows(dtype, kernel, stride, pad):
    for size in ((4, 11), (9, 16), (7, 37)):
        x = rl.zeros(1, 1, *size, dtype=dtype, requires_grad=True)
        y = F.avg_pool2d(x, kernel, stride, pad)
        g = rl.randn(y.shape).to(dtype)
        (got,) = rl.autograd.grad(y, x, g)
        assert got[0, 0].equal(added_one_by_one(g[0, 0], size, kernel, stride, pad))


@pytest.mark.parametrize("dtype", (rl.float16, rl.bfloat16))
def test_16_bit_gradients_of_whole_planes(dtype):
    for pool, sizes in (
        (F.adaptive_avg_pool1d, (2, 3, 7)),
        (F.adaptive_avg_pool2d, (2, 3, 5, 7)),
        (F.adaptive_avg_pool3d, (2, 3, 3, 5, 7)),
    ):
        x = rl.zeros(sizes, dtype=dtype, requires_grad=True)
        y = pool(x, 1)
        g = rl.linspace(-0.7, 3.3, y.numel()).to(dtype).reshape(y.shape)
        (got,) = rl.autograd.grad(y, x, g)
        want = (g.float() / x[0, 0].numel()).to(dtype).expand(sizes)
        assert got.equal(want)


@pytest.mark.parametrize("channels", WIDTHS)
def test_gradients_of_fixed_windows_with_channels_last(channels):
    for dtype, (kernel, stride, pad) in itertools.product(
        (rl.float32, rl.float64, rl.bfloat16), ((2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 3, 2))
    ):
        size = (7, 12)
        x = rl.zeros(2, channels, *size, dtype=dtype).contiguous(memory_format=rl.channels_last)
        y = F.avg_pool2d(x.requires_grad_(), kernel, stride, pad)
        g = rl.randn(*y.shape).to(dtype)
        (got,) = rl.autograd.grad(y, x, g)
        if dtype == rl.bfloat16:
            want = [[added_one_by_one(p, size, kernel, stride, pad) for p in n] for n in g]
            assert got.equal(rl.stack([rl.stack(n) for n in want]))
            continue
        rows, columns = [fixed(n, kernel, stride, pad) for n in size]
        close(got, rows.T @ g.double() @ columns / kernel**2, dtype)
