"""Copies that are made by vectors, in blocks or slice by slice: against NumPy, at sizes around
those where one way takes over from another. Copies of every layout are in test_layouts.py."""

import numpy as np
import pytest

import rushlight as rl

F = rl.nn.functional
DTYPES = (np.uint8, np.int16, np.int32, np.int64, np.complex128)  # an element of each size


def _pair(*shape, dtype):
    x = (np.arange(np.prod(shape), dtype=np.int64) * 37 % 251).astype(dtype).reshape(shape)
    return rl.from_numpy(x), x


def _same(got, want):
    assert np.array_equal(got.numpy(), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 96, 1100))
def test_reversed_rows(dtype, width):
    x, a = _pair(5, 2 * width, dtype=dtype)
    _same(x.flip(1), a[:, ::-1])
    _same(x[:, ::2].flip(1), a[:, ::2][:, ::-1])
    _same(x[:, width:].flip(0, 1), a[::-1, width:][:, ::-1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", (1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 96, 1100))
@pytest.mark.parametrize("step", (2, 3, 4, 5))
def test_every_few_elements(dtype, width, step):
    x, a = _pair(5, step * width, dtype=dtype)
    _same(x[:, ::step].contiguous(), a[:, ::step])
    _same(x[:, step - 1 :: step].contiguous(), a[:, step - 1 :: step])
    _same(x[0, ::step].clone(), a[0, ::step])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", (1, 2, 15, 16, 17, 1025))
@pytest.mark.parametrize("times", (1, 2, 3, 4, 5))
def test_repeated_elements(dtype, rows, times):
    x, a = _pair(3, rows, 2, dtype=dtype)
    _same(x.repeat_interleave(times, 2), a.repeat(times, 2))
    _same(x[..., 0].repeat_interleave(times, 1), a[..., 0].repeat(times, 1))
    _same(x[0].T.repeat_interleave(times, 1), a[0].T.repeat(times, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", (1, 2, 3, 4, 5, 9))
@pytest.mark.parametrize("step", (1, 2, 3))
def test_windows_of_steps(dtype, size, step):
    x, a = _pair(7, 90, dtype=dtype)
    for k in (1, 2):
        windows = np.lib.stride_tricks.sliding_window_view(a[:, ::k], size, axis=1)[:, ::step]
        _same(x[:, ::k].unfold(1, size, step).clone(), windows)


@pytest.mark.parametrize("dtype", (np.uint8, np.int32, np.int64))
@pytest.mark.parametrize("width", (2, 3, 4, 40, 700))
def test_short_rows_of_results_beyond_the_caches(dtype, width):
    rows = (36 << 20) // (width * dtype().itemsize)
    x, a = _pair(rows, dtype=dtype)
    _same(
        x[:, None].expand(-1, width).clone(memory_format=rl.contiguous_format),
        a.repeat(width).reshape(rows, width),
    )
    _same(
        x[: rows // 2 * 2].reshape(-1, 2)[:, :1].to(rl.float64),
        a[: rows // 2 * 2].reshape(-1, 2)[:, :1],
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", ((8, 16, 63), (8, 16, 64), (9, 31, 70), (3, 1, 4000), (20, 500)))
def test_rolls_of_many_elements(dtype, shape):
    x, a = _pair(*shape, dtype=dtype)
    for d in range(len(shape)):
        for shift in (0, 1, -3, shape[d], shape[d] + 2):
            _same(x.roll(shift, d), np.roll(a, shift, d))
    _same(x.roll((1, 2), (0, 1)), np.roll(a, (1, 2), (0, 1)))
    _same(x.roll((1, 2), (1, 1)), np.roll(a, 3, 1))
    _same(x.transpose(0, 1).roll(5, 1), np.roll(a.swapaxes(0, 1), 5, 1))


def _parts(t, dim):
    yield [t[:, 2 * i] if dim else t[2 * i] for i in range(3)]
    yield [t[:, 5 - i] if dim else t[5 - i] for i in range(6)]  # backwards
    yield [t[:, 1] if dim else t[1]] * 3
    yield [t[:, i] if dim else t[i] for i in (0, 1, 3)]  # not a step apart


@pytest.mark.parametrize("dtype", (np.uint8, np.float32))
@pytest.mark.parametrize("order", ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)))
def test_slices_of_one_tensor_are_joined(dtype, order):
    x, a = _pair(6, 6, 6, dtype=dtype)
    x, a = x.permute(order), a.transpose(order)
    for cut in (0, 1):
        for parts, wanted in zip(_parts(x, cut), _parts(a, cut), strict=True):
            for dim in (0, 1, 2):
                _same(rl.stack(parts, dim), np.stack(wanted, dim))
            for dim in (0, 1):
                _same(rl.cat(parts, dim), np.concatenate(wanted, dim))
    for d in range(3):
        _same(rl.cat(x.chunk(3, d), 1), np.concatenate(np.split(a, 3, d), 1))
        _same(rl.cat([*x.chunk(3, d), x], d), np.concatenate([a, a], d))


@pytest.mark.parametrize("widths", ((1, 1), (3, 40), (64, 64), (100, 1, 0, 27), (5000, 3)))
def test_joined_rows(widths):
    for dtype in DTYPES:
        pairs = [_pair(70, n, dtype=dtype) for n in widths]
        _same(rl.cat([x for x, _ in pairs], 1), np.concatenate([a for _, a in pairs], 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", ((5, 16, 30), (40, 64, 16), (40, 130, 15), (3, 50, 60)))
@pytest.mark.parametrize("order", ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)))
def test_slices_of_every_layout_by_position(dtype, shape, order):
    x, a = _pair(*shape, dtype=dtype)
    x, a = x.permute(order)[:, ::2], a.transpose(order)[:, ::2]
    for d in range(3):
        n = a.shape[d]
        for where in (np.arange(n)[::-1].copy(), np.array([n - 1, 0, 0]), np.zeros(0, np.int64)):
            wanted = a.take(where, d)
            _same(x.index_select(d, rl.from_numpy(where)), wanted)
            _same(x[(slice(None),) * d + (rl.from_numpy(where),)], wanted)
        pairs = np.array([[0, n - 1], [-1, -n]])
        _same(x[(slice(None),) * d + (rl.from_numpy(pairs),)], a.take(pairs % n, d))
        with pytest.raises(IndexError):
            x.index_select(d, rl.tensor([0, n]))
        with pytest.raises(IndexError):
            x[(slice(None),) * d + (rl.tensor([0, -n - 1]),)]


@pytest.mark.parametrize("mode", ("reflect", "replicate", "circular"))
@pytest.mark.parametrize("channels", (1, 2, 5, 16))
@pytest.mark.parametrize("pad", ((1, 1, 1, 1), (2, 0, -1, 3), (-2, -1, 0, 0), (0, 0, 4, 4)))
def test_padded_images_whose_channels_lie_last(mode, channels, pad):
    for dtype in (np.uint8, np.float64):
        x, _ = _pair(2, channels, 5, 7, dtype=dtype)
        last = F.pad(x.to(memory_format=rl.channels_last), pad, mode=mode)
        assert rl.equal(last, F.pad(x, pad, mode=mode))
