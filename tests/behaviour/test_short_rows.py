"""Operations on images with rows shorter than a vector, which are taken many at a time."""

import pytest

import rushlight as rl

F = rl.nn.functional
INF, NAN = float("inf"), float("nan")
SIZES = [(256, 4, 4), (83, 7, 7), (64, 8, 8), (20, 14, 14), (3, 1, 5), (5, 17, 3), (2, 33, 65)]


def numbers(*sizes):
    rl.manual_seed(0)
    x = rl.randn(*sizes)
    flat = x.view(-1)
    flat[:4] = rl.tensor([NAN, INF, -INF, -0.0])
    return x


def same(a, b):
    return rl.equal(a.isnan(), b.isnan()) and rl.equal(a.nan_to_num(), b.nan_to_num())


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
@pytest.mark.parametrize("size", SIZES)
def test_one_element_a_channel(size, dtype):
    x = numbers(9, *size).to(dtype)
    w = numbers(max(size[0], 4))[: size[0]].to(dtype)
    for layout in (x, x.transpose(2, 3), x[::2], x[..., 1:]):
        full = w.view(1, -1, 1, 1).expand(layout.shape).contiguous()
        assert same(layout + w.view(1, -1, 1, 1), layout + full)
        assert same(w.view(-1, 1, 1) - layout, full - layout)
        chosen = rl.where(layout > 0, layout, w.view(-1, 1, 1))
        assert same(chosen, rl.where(layout > 0, layout, full))
        assert same(F.prelu(layout, w), rl.where(layout > 0, layout, full * layout))


@pytest.mark.parametrize("channels", [5, 64])
def test_mixed_operands(channels):
    x = rl.arange(9 * channels * 16).view(9, channels, 4, 4) - 7
    w = rl.arange(channels, dtype=rl.uint8)
    full = w.view(-1, 1, 1).expand(x.shape).contiguous()
    assert rl.equal(x * w.view(-1, 1, 1), x * full)
    assert rl.equal(x.float() * w.view(-1, 1, 1), x.float() * full)
    columns = rl.arange(4.0).view(4, 1)  # one value a row of every channel
    assert rl.equal(x + columns, x + columns.expand(x.shape).contiguous())
    assert rl.equal(x.add_(w.view(-1, 1, 1)), rl.arange(x.numel()).view(x.shape) - 7 + full)


def test_prelu_gradients():
    x, w = rl.randn(9, 64, 4, 4, requires_grad=True), rl.rand(64, requires_grad=True)
    g = rl.randn(9, 64, 4, 4)
    F.prelu(x, w).backward(g)
    expected = rl.where(x > 0, g, g * w.view(-1, 1, 1))
    assert rl.equal(x.grad, expected)
    slope = rl.where(x > 0, 0, g * x).sum((0, 2, 3))
    rl.testing.assert_close(w.grad, slope)


PLACES = {
    "reflect": lambda i, n: abs(i) if i < n else 2 * (n - 1) - i,
    "replicate": lambda i, n: min(max(i, 0), n - 1),
    "circular": lambda i, n: i % n,
}


@pytest.mark.parametrize("mode", PLACES)
@pytest.mark.parametrize("size", [(4, 4), (7, 7), (8, 5), (14, 3), (3, 40), (70, 66)])
@pytest.mark.parametrize("dtype", [rl.float32, rl.int8, rl.complex128])
def test_padding_by_repetition(mode, size, dtype):
    x = rl.arange(3 * 2 * size[0] * size[1]).view(3, 2, *size).to(dtype)
    for pad in ((1, 1, 1, 1), (2, 0, 0, 1), (0, 0, 2, 2), (-1, 2, 1, -1)):
        if mode == "circular" and min(pad) < 0:
            continue  # cuts first
        rows, columns = (
            rl.tensor([PLACES[mode](i, n) for i in range(-before, n + after)])
            for n, before, after in zip(size, pad[2::-2], pad[3::-2])
        )
        for layout in (x, x.transpose(0, 1), x.transpose(2, 3).contiguous().transpose(2, 3)):
            expected = layout[:, :, rows][..., columns]
            assert rl.equal(F.pad(layout, pad, mode=mode), expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", PLACES)
def test_mapped_padding(mode):
    x = rl.randn(5, 2, 3, 4, 4)
    out = rl.func.vmap(lambda one: F.pad(one, (1, 1, 0, 2), mode=mode), in_dims=1)(x)
    assert rl.equal(out, rl.stack([F.pad(one, (1, 1, 0, 2), mode=mode) for one in x.unbind(1)]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [rl.float32, rl.bool, rl.float64])
def test_roll(size, dtype):
    x = (rl.arange(3 * size[0] * size[1] * size[2]).view(3, *size) % 251).to(dtype)
    for shifts, dims in (((1, 1), (2, 3)), ((-2, 5), (1, 3)), ((1,), (0,)), ((3, 1, 2), (3, 2, 3))):
        expected = x
        for shift, d in zip(shifts, dims):
            at = (rl.arange(x.shape[d]) - shift) % x.shape[d]
            expected = expected.index_select(d, at)
        assert rl.equal(rl.roll(x, shifts, dims), expected)
    assert rl.equal(rl.roll(x.transpose(1, 2), 1, 3), rl.roll(x, 1, 3).transpose(1, 2))
    assert rl.equal(x.repeat(1, 2, 1, 3), rl.cat([rl.cat([x, x], 1)] * 3, 3))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("window", [(2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 3, 1)])
@pytest.mark.parametrize("counts", [False, True])
def test_average_pooling(size, window, counts):
    kernel, stride, padding = window
    if min(size[1:]) + 2 * padding < kernel:
        return
    x = rl.randn(9, *size)
    out = F.avg_pool2d(x, kernel, stride, padding, count_include_pad=counts)
    sums = F.unfold(x.double().reshape(-1, 1, *size[1:]), kernel, 1, padding, stride).sum(1)
    ones = rl.ones(1, 1, *size[1:], dtype=rl.float64)
    by = kernel**2 if counts else F.unfold(ones, kernel, 1, padding, stride).sum(1)
    rl.testing.assert_close(out, (sums / by).reshape(out.shape).float())
    assert rl.equal(out[:1], F.avg_pool2d(x[:1], kernel, stride, padding, count_include_pad=counts))
