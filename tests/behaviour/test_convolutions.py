"""Convolutions of every geometry and both their gradients, against the complex128 path, which goes
through columns whatever the geometry."""

import random

import pytest

import rushlight as rl
from rushlight.ops.conv import _conv_forward, _conv_input, _conv_weight

# (groups, channels and outputs of a group): depthwise, with a multiplier, few channels, ordinary.
CHANNELS = [
    (5, 1, 1), (3, 1, 2), (4, 4, 4), (2, 3, 7), (1, 1, 6), (1, 3, 13), (1, 2, 1), (1, 9, 10),
    (1, 40, 3),
]  # fmt: skip


def geometries(seed, dims, count):
    """(spatial size, kernel, stride, padding, dilation) with at least one output."""
    draw = random.Random(seed)
    while count:
        size = [draw.choice((1, 4, 7, 8, 13, 30)[: 6 if dims < 3 else 4]) for _ in range(dims)]
        kernel = [draw.choice((1, 2, 3, 4, 5, 7)) for _ in range(dims)]
        stride = [draw.choice((1, 1, 2, 3)) for _ in range(dims)]
        padding = [draw.choice((0, 1, 2, 4)) for _ in range(dims)]
        dilation = [draw.choice((1, 1, 2, 3)) for _ in range(dims)]
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
        if all(s + 2 * p >= r for s, p, r in zip(size, padding, reach)):
            count -= 1
            yield size, kernel, stride, padding, dilation


def assert_near(value, expected):
    room = (3 if value.dtype == rl.bfloat16 else 40) * rl.finfo(value.dtype).eps
    error = (value.double() - expected.real).abs().max()
    assert error <= room * expected.abs().max(), error


def wide(*tensors):
    return [t.to(rl.complex128) for t in tensors]


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("groups, channels, outs", CHANNELS)
def test_every_geometry_has_its_three_parts(dtype, dims, groups, channels, outs):
    rl.manual_seed(0)
    for i, (size, kernel, *windows) in enumerate(geometries(channels + outs, dims, 8)):
        batch = (1, 2, 9)[i % 3]
        x = rl.randn(batch, groups * channels, *size, dtype=dtype)
        w = rl.randn(groups * outs, channels, *kernel, dtype=dtype)
        bias = rl.randn(groups * outs, dtype=dtype)
        if dims == 2 and i % 2:
            x = x.contiguous(memory_format=rl.channels_last)
        y = _conv_forward(x, w, bias, *windows, groups)
        assert_near(y, _conv_forward(*wide(x, w, bias), *windows, groups))
        g = rl.randn(y.shape, dtype=dtype)
        back = _conv_input(g, w, None, size, *windows, groups)
        assert_near(back, _conv_input(*wide(g, w), None, size, *windows, groups))
        by_weight = _conv_weight(g, x, kernel, *windows, groups)
        assert_near(by_weight, _conv_weight(*wide(g, x), kernel, *windows, groups))


# Whole tiles and cut ones, images narrower than a vector, more tiles in a row than go at once.
TILED = [
    (9, (14, 14), (1, 1)), (2, (17, 33), (0, 2)), (3, (30, 15), (2, 1)), (16, (4, 4), (1, 1)),
    (33, (3, 5), (1, 0)), (1, (5, 230), (1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
@pytest.mark.parametrize("order", [rl.contiguous_format, rl.channels_last])
@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("batch, size, padding", TILED)
def test_by_points_of_tiles(dtype, order, kernel, batch, size, padding):
    rl.manual_seed(0)
    windows = [1], [min(p, kernel - 1) for p in padding], [1], 1
    shapes = (batch, 33, *size), (21, 33, kernel, kernel), (21,)
    x, w, bias = (rl.randn(*s, dtype=dtype) for s in shapes)
    x = x.contiguous(memory_format=order)
    y = _conv_forward(x, w, bias, *windows)
    assert y.is_contiguous(memory_format=order)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
    back = _conv_input(y, w, None, size, *windows)
    assert_near(back, _conv_input(*wide(y, w), None, size, *windows))
    by_weight = _conv_weight(y, x, w.shape[2:], *windows)
    assert_near(by_weight, _conv_weight(*wide(y, x), w.shape[2:], *windows))


# Kernels of one line and of five: tiles of one line, of two, cut ones, lines beyond the cache.
LINED = [
    (35, (14,), (3,), (1,)), (9, (33,), (5,), (4,)), (1, (1201,), (3,), (0,)),
    (40, (7,), (5,), (2,)), (1, (2, 701), (1, 5), (0, 2)), (9, (6, 9), (1, 3), (0, 2)),
    (9, (3, 4, 8), (2, 1, 3), (1, 0, 1)), (9, (14, 14), (5, 5), (2, 2)),
    (2, (5, 33), (5, 5), (0, 4)), (1, (7, 130), (5, 5), (2, 1)),
    (2, (4, 8, 9), (1, 5, 5), (0, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("channels, outs", [(33, 40), (32, 48), (17, 16)])
@pytest.mark.parametrize("batch, size, kernel, padding", LINED)
def test_by_points_of_lines_and_of_five(dtype, channels, outs, batch, size, kernel, padding):
    rl.manual_seed(0)
    windows = [1], list(padding), [1], 1
    shapes = (batch, channels, *size), (outs, channels, *kernel), (outs,)
    x, w, bias = (rl.randn(*s, dtype=dtype) for s in shapes)
    if len(size) == 2 and outs == 48:
        x = x.contiguous(memory_format=rl.channels_last)
    y = _conv_forward(x, w, bias, *windows)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
    back = _conv_input(y, w, None, size, *windows)
    assert_near(back, _conv_input(*wide(y, w), None, size, *windows))
    by_weight = _conv_weight(y, x, kernel, *windows)
    assert_near(by_weight, _conv_weight(*wide(y, x), kernel, *windows))


# Stacks that are whole, cut and several; kernels of one slice and of four; more padding than image.
SLICED = [
    (2, (5, 9, 8), (3, 3, 3), (1, 1, 1)), (1, (23, 5, 9), (3, 3, 3), (0, 2, 1)),
    (3, (1, 8, 8), (3, 3, 3), (2, 0, 1)), (1, (6, 4, 70), (4, 3, 3), (3, 1, 1)),
    (2, (6, 9, 10), (1, 3, 3), (0, 1, 1)), (2, (13, 8, 5), (2, 2, 2), (1, 0, 1)),
    (1, (5, 4, 200), (5, 2, 2), (2, 1, 1)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("order", [rl.contiguous_format, rl.channels_last_3d])
@pytest.mark.parametrize("channels, outs", [(33, 21), (16, 48), (17, 16)])
@pytest.mark.parametrize("batch, size, kernel, padding", SLICED)
def test_by_points_of_tiles_in_slices(dtype, order, channels, outs, batch, size, kernel, padding):
    rl.manual_seed(0)
    windows = [1], list(padding), [1], 1
    shapes = (batch, channels, *size), (outs, channels, *kernel), (outs,)
    x, w, bias = (rl.randn(*s, dtype=dtype) for s in shapes)
    x = x.contiguous(memory_format=order)
    y = _conv_forward(x, w, bias, *windows)
    assert y.is_contiguous(memory_format=order)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
    back = _conv_input(y, w, None, size, *windows)
    assert_near(back, _conv_input(*wide(y, w), None, size, *windows))
    by_weight = _conv_weight(y, x, kernel, *windows)
    assert_near(by_weight, _conv_weight(*wide(y, x), kernel, *windows))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_not_finite_spreads_no_further_in_slices(value):
    rl.manual_seed(0)
    x, w = rl.randn(1, 16, 6, 12, 12), rl.randn(16, 16, 3, 3, 3)
    x[0, 3, 2, 5, 6] = value
    y = _conv_forward(x, w, None, [1], [1], [1], 1)
    far = rl.ones(6, 12, 12, dtype=rl.bool)
    far[1:4, 4:7, 5:8] = False
    assert (y.isfinite() == far).all()
    expected = _conv_forward(*wide(x.nan_to_num(0, 0, 0), w), None, [1], [1], [1], 1)
    assert_near(y[:, :, far], expected[:, :, far])


# Lines shorter than a vector, of whole vectors and others; images of one line; few shares.
DEPTHWISE = [(9, (14, 14)), (1, (28, 33)), (2, (5, 16)), (3, (1, 48)), (17, (9, 7)), (8, (6, 100))]


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("batch, size", DEPTHWISE)
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_depthwise_line_by_line(dtype, batch, size, kernel):
    rl.manual_seed(0)
    channels = 19
    w, bias = rl.randn(channels, 1, kernel, kernel, dtype=dtype), rl.randn(channels, dtype=dtype)
    x = rl.randn(batch, channels, *size, dtype=dtype)
    for padding in range(kernel):
        if min(size) + 2 * padding < kernel:
            continue
        windows = [1], [padding], [1], channels
        y = _conv_forward(x, w, bias, *windows)
        assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
        g = rl.randn(y.shape, dtype=dtype)
        back = _conv_input(g, w, None, size, *windows)
        assert_near(back, _conv_input(*wide(g, w), None, size, *windows))
        by_weight = _conv_weight(g, x, w.shape[2:], *windows)
        assert_near(by_weight, _conv_weight(*wide(g, x), w.shape[2:], *windows))


# Long kernels, and padding on either side of what oneDNN's vectors reach over.
@pytest.mark.parametrize("outs", [1, 2, 8])
@pytest.mark.parametrize("size, kernel, padding, stride, dilation", [
    ((50,), (3,), 1, 1, 1), ((50,), (3,), 1, 2, 1), ((64,), (7,), 3, 1, 3),
    ((90,), (31,), 15, 1, 1), ((1,), (4,), 3, 1, 1), ((40,), (9,), 5, 1, 1),
    ((9, 40), (1, 13), 6, 1, 1), ((19, 20), (11, 11), 5, 1, 1), ((23, 21), (9, 9), 4, 1, 1),
    ((30, 30), (31, 31), 15, 2, 1),
])  # fmt: skip
def test_depthwise_lines_and_wide_kernels(outs, size, kernel, padding, stride, dilation):
    rl.manual_seed(0)
    channels = 17
    x = rl.randn(3, channels, *size)
    w, bias = rl.randn(channels * outs, 1, *kernel), rl.randn(channels * outs)
    windows = [stride], [padding], [dilation], channels
    y = _conv_forward(x, w, bias, *windows)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
    g = rl.randn(y.shape)
    back = _conv_input(g, w, None, size, *windows)
    assert_near(back, _conv_input(*wide(g, w), None, size, *windows))
    by_weight = _conv_weight(g, x, kernel, *windows)
    assert_near(by_weight, _conv_weight(*wide(g, x), kernel, *windows))
    turned = w.transpose(0, -1).contiguous().transpose(0, -1)
    assert_near(_conv_forward(x, turned, bias, *windows), y.to(rl.complex128))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("order", [rl.contiguous_format, rl.channels_last])
@pytest.mark.parametrize("channels", [8, 19, 33])
@pytest.mark.parametrize("batch, size, kernel, stride, dilation", [
    (3, (14, 13), (3, 3), (1, 1), (1, 1)), (9, (9, 20), (3, 3), (2, 2), (1, 1)),
    (2, (17, 33), (5, 5), (2, 1), (1, 2)), (1, (21, 41), (7, 7), (1, 1), (1, 1)),
    (2, (11, 9), (1, 4), (1, 3), (2, 2)), (4, (30, 8), (2, 6), (1, 1), (3, 1)),
    (2, (24, 50), (3, 3), (1, 1), (2, 2)), (1, (5, 5), (5, 3), (3, 2), (1, 2)),
])  # fmt: skip
def test_depthwise_gradients_by_channels(
    dtype, order, channels, batch, size, kernel, stride, dilation
):
    rl.manual_seed(0)
    w = rl.randn(channels, 1, *kernel, dtype=dtype)
    x = rl.randn(batch, channels, *size, dtype=dtype).contiguous(memory_format=order)
    for padding in ([0, 0], [1, 1], [(k - 1) * d for k, d in zip(kernel, dilation)]):
        if any(p > (k - 1) * d for p, k, d in zip(padding, kernel, dilation)):
            continue
        windows = stride, padding, dilation, channels
        y = _conv_forward(x, w, None, *windows)
        g = rl.randn(y.shape, dtype=dtype).contiguous(memory_format=order)
        back = _conv_input(g, w, None, size, *windows)
        assert_near(back, _conv_input(*wide(g, w), None, size, *windows))
        by_weight = _conv_weight(g, x, kernel, *windows)
        assert_near(by_weight, _conv_weight(*wide(g, x), kernel, *windows))
        threads = rl.get_num_threads()
        try:
            rl.set_num_threads(3)
            assert rl.equal(_conv_weight(g, x, kernel, *windows), by_weight)
            assert rl.equal(_conv_input(g, w, None, size, *windows), back)
        finally:
            rl.set_num_threads(threads)


# Lines around the width from which few channels are made of vectors along them.
FEW_OUTS = [
    (1, 1, (9, 11), 3, 1), (2, 3, (5, 12), 3, 1), (3, 4, (6, 13), 5, 2), (1, 8, (17, 16), 3, 0),
    (2, 5, (4, 33), 1, 0), (1, 9, (7, 31), 3, 1), (2, 2, (50,), 7, 3), (1, 3, (4, 5, 14), 3, 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("batch, outs, size, kernel, padding", FEW_OUTS)
def test_few_channels_come_out(dtype, last, stride, batch, outs, size, kernel, padding):
    dims = len(size)
    x = rl.randn(batch, 21, *size, dtype=dtype)
    w, bias = rl.randn(outs, 21, *[kernel] * dims, dtype=dtype), rl.randn(outs, dtype=dtype)
    if last and dims > 1:
        form = rl.channels_last if dims == 2 else rl.channels_last_3d
        x = x.contiguous(memory_format=form)
    windows = [[n] * dims for n in (stride, padding, 1)]
    y = _conv_forward(x, w, bias, *windows, 1)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows, 1))
    g = rl.randn(y.shape, dtype=dtype)
    back = _conv_input(g, w, None, size, *windows, 1)
    assert_near(back, _conv_input(*wide(g, w), None, size, *windows, 1))
    by_weight = _conv_weight(g, x, [kernel] * dims, *windows, 1)
    assert_near(by_weight, _conv_weight(*wide(g, x), [kernel] * dims, *windows, 1))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_depthwise_zeros_around_an_image_stay_out_of_it(value):
    x, w = rl.ones(2, 3, 9, 20), rl.ones(3, 1, 3, 3)
    w[1, 0, 0, 0] = value  # meets padding in the first line and column
    y = _conv_forward(x, w, None, [1], [1], [1], 3)
    assert y[:, 1, 0].isfinite().all() and y[:, 1, :, 0].isfinite().all()
    assert not y[:, 1, 1:, 1:].isfinite().any() and y[:, ::2].isfinite().all()
    g = rl.ones(2, 3, 9, 20)
    g[0, 2, 0, 5] = value  # its window's first line is padding
    slope = _conv_weight(g, x, (3, 3), [1], [1], [1], 3)
    assert slope[:2].isfinite().all() and slope[2, 0, 0].isfinite().all()
    assert not slope[2, 0, 1:].isfinite().any()


@pytest.mark.parametrize("order", [rl.contiguous_format, rl.channels_last])
def test_lines_are_dealt_out_to_a_kernel_with_gaps(order):
    rl.manual_seed(0)
    windows = [1], [2, 6], [2, 3], 1
    x, w, bias = rl.randn(3, 17, 12, 15), rl.randn(20, 17, 3, 3), rl.randn(20)
    x = x.contiguous(memory_format=order)
    y = _conv_forward(x, w, bias, *windows)
    assert y.is_contiguous(memory_format=order)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
    back = _conv_input(y, w, None, [12, 15], *windows)
    assert_near(back, _conv_input(*wide(y, w), None, [12, 15], *windows))
    by_weight = _conv_weight(y, x, [3, 3], *windows)
    assert_near(by_weight, _conv_weight(*wide(y, x), [3, 3], *windows))


# Kernels that meet two or three elements of each parity; sides of 2 up to many tiles, and such of
# which no output meets the last line; all paddings of tiles.
HALVED = [
    (4, 1, (16, 24)), (4, 2, (18, 9)), (4, 0, (17, 13)), (4, 1, (20, 2)), (5, 2, (18, 8)),
    (5, 4, (11, 16)), (6, 2, (10, 34)), (6, 3, (19, 15)), (6, 0, (21, 26)), (3, 1, (16, 16)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("order", [rl.contiguous_format, rl.channels_last])
@pytest.mark.parametrize("kernel, padding, size", HALVED)
def test_every_second_place(dtype, order, kernel, padding, size):
    rl.manual_seed(0)
    windows = [2], [padding], [1], 1
    shapes = (9, 34, *size), (20, 34, kernel, kernel), (20,)
    x, w, bias = (rl.randn(*s, dtype=dtype) for s in shapes)
    x, w = (t.contiguous(memory_format=order) for t in (x, w))
    y = _conv_forward(x, w, bias, *windows)
    assert y.is_contiguous(memory_format=order)
    assert_near(y, _conv_forward(*wide(x, w, bias), *windows))
    back = _conv_input(y, w, x[0, :, 0, 0].contiguous(), list(size), *windows)
    assert_near(back, _conv_input(*wide(y, w, x[0, :, 0, 0]), list(size), *windows))
    by_weight = _conv_weight(y, x, [kernel, kernel], *windows)
    assert_near(by_weight, _conv_weight(*wide(y, x), [kernel, kernel], *windows))


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_what_is_not_finite_spreads_no_further_by_halves(value):
    x, w = rl.randn(4, 32, 16, 16), rl.randn(16, 32, 4, 4)
    x[1, 3, 4, 6] = value
    y = _conv_forward(x, w, None, [2], [1], [1], 1)
    assert (~y.isfinite()).sum() == 16 * 4 and not y[1, :, 2:3, 3:4].isfinite().any()
    g = rl.randn(4, 16, 8, 8)
    g[2, 5, 3, 3] = value
    back = _conv_input(g, w, None, [16, 16], [2], [1], [1], 1)
    assert (~back.isfinite()).sum() == 32 * 16


# Few places, small and large kernels, images as their own columns, kernels side by side.
FEW = [
    (4, 16, 16, 8, 5, 1), (1, 16, 24, 4, 5, 1), (2, 64, 20, 7, 1, 1), (1, 70, 9, 5, 1, 1),
    (2, 8, 8, 4, 1, 1), (3, 40, 40, 9, 1, 2), (2, 9, 17, 24, 1, 1), (1, 300, 260, 4, 3, 2),
    (2, 20, 20, 12, 3, 3),
]  # fmt: skip


@pytest.mark.parametrize("batch, channels, outs, side, kernel, stride", FEW)
def test_small_images_and_kernels(batch, channels, outs, side, kernel, stride):
    rl.manual_seed(0)
    windows = [stride], [kernel // 2], [1], 1
    x, w = rl.randn(batch, channels, side, side), rl.randn(outs, channels, kernel, kernel)
    y = _conv_forward(x, w, None, *windows)
    g = rl.randn(y.shape)
    assert_near(y, _conv_forward(*wide(x, w), None, *windows))
    back = _conv_input(g, w, None, [side, side], *windows)
    assert_near(back, _conv_input(*wide(g, w), None, [side, side], *windows))
    by_weight = _conv_weight(g, x, [kernel, kernel], *windows)
    assert_near(by_weight, _conv_weight(*wide(g, x), [kernel, kernel], *windows))


@pytest.mark.parametrize(
    "batch, size, kernel, stride", [(4, 8, 5, 1), (4, 16, 5, 1), (8, 14, 1, 2)]
)
def test_threads_share_small_images_alike(batch, size, kernel, stride):
    x, threads = rl.randn(batch, 16, size, size), rl.get_num_threads()
    windows = [stride], [kernel // 2], [1], 1
    g = rl.randn(_conv_forward(x, rl.ones(16, 16, kernel, kernel), None, *windows).shape)
    try:
        rl.set_num_threads(1)
        one = _conv_weight(g, x, [kernel, kernel], *windows)
        rl.set_num_threads(2)
        assert rl.equal(_conv_weight(g, x, [kernel, kernel], *windows), one)
    finally:
        rl.set_num_threads(threads)


@pytest.mark.parametrize("groups, channels", [(1, 3), (6, 1), (3, 4), (1, 40)])
def test_an_empty_batch_gives_empty_results_and_a_zero_weight(groups, channels):
    x = rl.zeros(0, groups * channels, 5, 5)
    w, g = rl.ones(groups, channels, 3, 3), rl.zeros(0, groups, 3, 3)
    windows = [1], [0], [1], groups
    assert _conv_forward(x, w, None, *windows).shape == (0, groups, 3, 3)
    assert _conv_input(g, w, None, [5, 5], *windows).shape == x.shape
    assert rl.equal(_conv_weight(g, x, [3, 3], *windows), rl.zeros(w.shape))


THREADED = [
    (40, 1, 1), (1, 1, 6), (12, 1, 1), (6, 4, 4), (1, 3, 20), (1, 40, 50), (1, 300, 70), (1, 64, 3),
]  # fmt: skip


@pytest.mark.parametrize("groups, channels, outs", THREADED)
def test_threads_do_not_change_a_bit(groups, channels, outs):
    x, w = rl.randn(5, groups * channels, 40, 40), rl.randn(groups * outs, channels, 3, 3)
    windows, threads = ([1], [1], [1], groups), rl.get_num_threads()

    def parts():
        y = _conv_forward(x, w, None, *windows)
        return y, _conv_input(y, w, None, [40, 40], *windows), _conv_weight(y, x, [3, 3], *windows)

    try:
        rl.set_num_threads(1)
        one = parts()
        rl.set_num_threads(3)
        assert all(rl.equal(a, b) for a, b in zip(parts(), one))
    finally:
        rl.set_num_threads(threads)


# A kernel in three dimensions, of five, and of one line.
@pytest.mark.parametrize("size, kernel", [((9, 9, 17), 3), ((23, 17), 5), ((700,), 5)])
def test_threads_do_not_change_a_bit_of_other_points(size, kernel):
    x, w = rl.randn(5, 32, *size), rl.randn(48, 32, *[kernel] * len(size))
    windows, threads = ([1], [1], [1], 1), rl.get_num_threads()

    def parts():
        y = _conv_forward(x, w, None, *windows)
        back = _conv_input(y, w, None, size, *windows)
        return y, back, _conv_weight(y, x, w.shape[2:], *windows)

    try:
        rl.set_num_threads(1)
        one = parts()
        rl.set_num_threads(3)
        assert all(rl.equal(a, b) for a, b in zip(parts(), one))
    finally:
        rl.set_num_threads(threads)


@pytest.mark.parametrize(
    "channels, outs, side", [(1, 5, 9), (3, 40, 20), (40, 40, 16), (40, 3, 16)]
)
@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
def test_what_is_not_finite_spreads_as_far_as_the_kernel(channels, outs, side, value):
    x, w = rl.rand(2, channels, side, side) + 0.5, rl.rand(outs, channels, 3, 3) / 1e3 + 1e-3
    x[1, 0, 0, side - 1] = value
    columns = rl.nn.functional.unfold(x.double(), 3, padding=1)
    want = (w.double().view(outs, -1) @ columns).view(2, outs, side, side)
    got = _conv_forward(x, w, None, [1], [1], [1], 1)
    assert rl.equal(got.isfinite(), want.isfinite()) and rl.equal(got.isnan(), want.isnan())
    assert rl.allclose(got.double(), want, rtol=1e-4, equal_nan=True)
    g = rl.rand(2, outs, side, side) + 0.5
    want = sum(a @ b.t() for a, b in zip(g.double().flatten(2), columns)).view(w.shape)
    got = _conv_weight(g, x, [3, 3], [1], [1], [1], 1)
    finite = want.isfinite() & (want.abs() < 1e38)
    assert rl.equal(got.isfinite()[finite], rl.ones(int(finite.sum()), dtype=rl.bool))
    assert rl.allclose(got.double()[finite], want[finite], rtol=1e-4)


@pytest.mark.parametrize("dims", (1, 2, 3))
def test_weights_without_channels_or_places_are_refused(dims):
    x, one = rl.ones(2, 4, *(5,) * dims), (1,) * dims
    forward = getattr(rl.nn.functional, f"conv{dims}d")
    back = getattr(rl.nn.functional, f"conv_transpose{dims}d")
    for size, groups in (((0, 4, *one), 1), ((0, 2, *one), 2), ((3, 4, *(0,) * dims), 1)):
        with pytest.raises(RuntimeError):
            forward(x, rl.empty(size), groups=groups)
    with pytest.raises(RuntimeError):
        back(x[:, :0], rl.empty(0, 4, *one))
    assert forward(x[:0], rl.ones(3, 4, *one)).shape == (0, 3, *(5,) * dims)
    assert back(x[:0], rl.ones(4, 3, *one)).shape == (0, 3, *(5,) * dims)
