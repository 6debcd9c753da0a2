"""Windows along rows and over few channels that lie last, against slices of the input."""

import itertools

import pytest
import rushlight as rl

F = rl.nn.functional
INF, NAN = float("inf"), float("nan")
DTYPES = (rl.float32, rl.float64, rl.bfloat16)


def slices(x, kernel, stride, padding, dilation, fill):
    """(taps, ..., outputs): the elements of each window of a row."""
    x = F.pad(x, (padding, padding), value=fill)
    outputs = (x.shape[-1] - dilation * (kernel - 1) - 1) // stride + 1
    at = rl.arange(outputs) * stride
    return rl.stack([x[..., at + k * dilation] for k in range(kernel)])


@pytest.mark.parametrize("width", [5, 16, 17, 31, 33, 64, 67, 130, 200])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5, 7])
def test_maxima_of_rows(width, stride):
    for dtype, kernel, dilation in itertools.product(DTYPES, (1, 2, 3, 4, 5), (1, 2)):
        padding = kernel // 2
        if width + 2 * padding < dilation * (kernel - 1) + 1:
            continue
        rl.manual_seed(width)
        x = rl.randn(2, 3, width).to(dtype)
        x[0, 0, 1], x[0, 0, 4], x[0, 1, 2] = NAN, INF, -INF
        want = slices(x, kernel, stride, padding, dilation, -INF).amax(0)
        got = F.max_pool1d(x, kernel, stride, padding, dilation)
        assert rl.equal(got.isnan(), want.isnan())
        assert rl.equal(got.nan_to_num(9), want.nan_to_num(9))
        values, at = F.max_pool1d(x, kernel, stride, padding, dilation, return_indices=True)
        assert rl.equal(values.nan_to_num(9), want.nan_to_num(9))
        assert rl.equal(x.gather(2, at).nan_to_num(9), want.nan_to_num(9))


def test_rows_end_with_their_tensor():
    for stride, outputs in itertools.product((1, 2, 3, 4, 5), (16, 17, 32)):
        row = rl.arange((outputs - 1) * stride + 1.0)
        assert rl.equal(F.max_pool1d(row.view(1, 1, -1), 1, stride)[0, 0], row[::stride])


@pytest.mark.parametrize("channels", [2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33])
def test_means_over_channels_that_lie_last(channels):
    rl.manual_seed(channels)
    for dtype, (kernel, stride, padding) in itertools.product(
        DTYPES, ((2, 2, 0), (3, 1, 1), (3, 2, 1))
    ):
        x = rl.randn(2, channels, 6, 7).to(dtype)
        last = x.contiguous(memory_format=rl.channels_last)
        got = F.avg_pool2d(last, kernel, stride, padding)
        rows = slices(x.double(), kernel, stride, padding, 1, 0.0).sum(0)
        rows = slices(rows.transpose(2, 3), kernel, stride, padding, 1, 0.0).sum(0)
        want = rows.transpose(2, 3) / kernel**2
        assert got.is_contiguous(memory_format=rl.channels_last)
        assert (got.double() - want).abs().max() <= 4 * rl.finfo(dtype).eps


@pytest.mark.parametrize("given", [{"kernel_size": 2}, {"kernel_size": [2]}, {"kernel_size": (2,)}])
def test_windows_are_numbers_or_tuples(given):
    x = rl.randn(1, 2, 9)
    want = F.max_pool1d(x, 2, 2, 0, 1)
    assert rl.equal(F.max_pool1d(x, **given), want)
    assert rl.equal(F.max_pool1d(x, **given, stride=(2,), padding=[0], dilation=1), want)
    with pytest.raises(RuntimeError):
        F.max_pool1d(x, (2, 2))
    with pytest.raises(RuntimeError):
        F.max_pool1d(x, 0)
    with pytest.raises(RuntimeError):
        F.max_pool1d(x, 2, stride=0)


@pytest.mark.parametrize("width", [63, 64, 65, 100, 1001])
def test_last_windows_of_long_rows_may_leave_them(width):
    x = rl.randn(3, width)
    x[1, -1] = NAN
    for kernel, stride, padding, dilation in ((3, 2, 1, 1), (4, 3, 2, 1), (3, 5, 1, 2)):
        got, at = F.max_pool1d(x, kernel, stride, padding, dilation, True, True)
        starts = range(-padding, width, stride)
        for i in range(got.shape[1]):
            columns = [starts[i] + k * dilation for k in range(kernel)]
            columns = [c for c in columns if 0 <= c < width]
            want = x[:, columns].amax(1)
            assert rl.equal(got[:, i].nan_to_num(9), want.nan_to_num(9))
            assert rl.equal(x.gather(1, at[:, i : i + 1])[:, 0].nan_to_num(9), want.nan_to_num(9))


def test_adaptive_pooling_of_no_channels():
    for dims in (1, 2, 3):
        for kind in ("avg", "max"):
            pool = getattr(rl.nn.functional, f"adaptive_{kind}_pool{dims}d")
            assert pool(rl.ones((0,) + (10,) * dims), 5).shape == (0,) + (5,) * dims


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pooling_checks_sizes(dims):
    pool = getattr(rl.nn.functional, f"fractional_max_pool{dims}d")
    x = rl.ones((2, 3) + (10,) * dims)
    assert pool(x, 2, output_size=0).shape == (2, 3) + (0,) * dims
    for kernel, out in (((), 3), ((1,), 3), (0, 3), (2, (3,)), (2, 10)):
        with pytest.raises(RuntimeError):
            pool(x, kernel, output_size=out)
    with pytest.raises(RuntimeError, match="non-zero"):
        pool(x[:, :0], 2, output_size=5)


def test_unpooling_checks_its_windows():
    x = rl.ones(1, 3, 1, 1, 1)
    with pytest.raises(RuntimeError, match="kernel_size"):
        rl.nn.functional.max_unpool3d(x, x.long(), [1, 1])


@pytest.mark.parametrize("dtype", (rl.uint8, rl.int32, rl.int64, rl.bool))
def test_integers_that_pooling_is_not_defined_for(dtype):
    x = rl.ones(1, 4, 4).to(dtype)
    for pool in (F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        with pytest.raises(NotImplementedError):
            pool(x, 2)
    for pool, known in ((F.avg_pool2d, {rl.int64}), (F.max_pool2d, {rl.uint8, rl.int32, rl.int64})):
        if dtype in known:
            assert pool(x, 2).dtype == dtype
        else:
            with pytest.raises(NotImplementedError):
                pool(x, 2)


@pytest.mark.parametrize("pool", (F.adaptive_avg_pool2d, F.adaptive_max_pool2d))
def test_adaptive_pooling_to_nothing_has_no_gradient(pool):
    y = pool(rl.rand(1, 3, 4, 4, requires_grad=True), 0)
    assert y.shape == (1, 3, 0, 0)
    with pytest.raises(RuntimeError):
        y.sum().backward()


def test_fractional_windows_are_placed_by_the_random_numbers():
    x = rl.arange(72.0).reshape(2, 1, 6, 6)
    samples = rl.tensor([[[0.3, 0.6]], [[0.9, 0.0]]])
    _, at = F.fractional_max_pool2d(x, 2, 3, _random_samples=samples, return_indices=True)
    assert at.flatten().tolist() == [7, 9, 11, 19, 21, 23, 31, 33, 35] * 2
    x[0, 0, 0, :2], x[1] = NAN, -INF
    _, at = F.fractional_max_pool2d(x, 2, 3, _random_samples=samples, return_indices=True)
    assert at.flatten().tolist()[:2] == [1, 9]  # the last NaN
    assert at.flatten().tolist()[9:12] == [0, 2, 4]


def test_fractional_windows_of_16_bits_are_placed_in_16_bits():
    x = rl.arange(600.0).reshape(1, 1, 1, 600)
    ends = {
        rl.bfloat16: [571, 571, 575, 583, 583, 583, 587, 591, 591, 591, 595, 598],
        rl.float16: [576, 578, 580, 583, 585, 587, 589, 591, 593, 595, 598, 599],
    }
    for dtype, want in ends.items():
        samples = rl.tensor([[[0.93, 0.6]]], dtype=dtype)
        _, at = F.fractional_max_pool2d(
            x.to(dtype), (1, 2), (1, 280), _random_samples=samples, return_indices=True
        )
        assert at.flatten().tolist()[-12:] == want


@pytest.mark.parametrize(
    "samples", [rl.rand(2, 1, 2).double(), rl.rand(1, 1, 2), rl.rand(2, 3, 2), rl.rand(2, 2)]
)
def test_fractional_pooling_wants_samples_for_each_plane(samples):
    with pytest.raises(RuntimeError, match="_random_samples"):
        F.fractional_max_pool2d(rl.ones(2, 1, 6, 6), 2, 3, _random_samples=samples)


def test_fractional_pooling_refuses_samples_that_are_not_numbers():
    with pytest.raises(RuntimeError, match="random numbers"):
        F.fractional_max_pool2d(rl.ones(1, 1, 6, 6), 2, 3, _random_samples=rl.full((1, 1, 2), NAN))
