"""Fourier transforms of every kind of length: powers of two, small factors, primes, long rows.

The reference is NumPy's transform in double precision; errors are relative to the result's norm.
"""

import numpy as np
import pytest

import rushlight as rl

SHORT = [
    *range(1, 34),
    49,
    61,
    62,
    64,
    67,
    77,
    91,
    97,
    100,
    121,
    128,
    143,
    243,
    255,
    256,
    360,
    512,
    625,
]
LONG = [
    550,
    1000,
    1001,
    1009,
    1023,
    1100,
    2048,
    2049,
    3721,
    4096,
    4099,
    10007,
    65536,
    65537,
    100000,
]
LAYOUTS = {
    "one row": lambda n: (n,),
    "few rows": lambda n: (3, n),
    "many rows": lambda n: (17, n),
    "columns": lambda n: (n, 20),
    "few columns": lambda n: (2, n, 3),
    "odd columns": lambda n: (5, n, 7),
}


def _values(shape, dtype):
    made = np.random.default_rng(len(shape) + shape[0])
    return (made.standard_normal(shape) + 1j * made.standard_normal(shape)).astype(dtype)


def _check(got, want, precision):
    error = np.linalg.norm(got.numpy() - want) / max(np.linalg.norm(want), 1e-300)
    assert error < 6 * np.finfo(precision).eps


def _compare(shape, dtype):
    x = _values(shape, dtype)
    dim = int(np.argmax(shape)) if len(shape) < 3 else 1
    n, wide, t = shape[dim], x.astype(np.complex128), rl.from_numpy(x.copy())
    _check(rl.fft.fft(t, dim=dim), np.fft.fft(wide, axis=dim), dtype)
    _check(rl.fft.ifft(t, dim=dim), np.fft.ifft(wide, axis=dim), dtype)
    _check(rl.fft.rfft(t.real, dim=dim), np.fft.rfft(wide.real, axis=dim), dtype)
    half = t.narrow(dim, 0, n // 2 + 1)
    want = np.fft.irfft(half.numpy().astype(np.complex128), n, axis=dim)
    _check(rl.fft.irfft(half, n, dim=dim), want, dtype)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_short_lengths(layout, dtype):
    for n in SHORT:
        shape = LAYOUTS[layout](n)
        if n == max(shape) or len(shape) == 3:
            _compare(shape, dtype)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("n", LONG)
def test_long_lengths(n, dtype):
    for layout in ("one row", "few rows", "few columns", "columns"):
        _compare(LAYOUTS[layout](n), dtype)
    if n <= 2048:
        _compare(LAYOUTS["many rows"](n), dtype)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("n", [67, 512, 514, 768, 1001, 1009, 1024, 2048])
def test_lengths_of_very_many_rows(n, dtype):
    _compare((66, n), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [*range(1, 10), 15, 16, 17, 32])
def test_short_frames(n, dtype):
    made = np.random.default_rng(n)
    signals, window = made.standard_normal((2, 131)).astype(dtype), made.random(n).astype(dtype)
    for hop in (1, 3, n):
        got = rl.stft(
            rl.from_numpy(signals), n, hop, window=rl.from_numpy(window), return_complex=True
        )
        padded = np.pad(signals.astype(float), ((0, 0), (n // 2, n // 2)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, n, axis=1)[:, ::hop]
        _check(got, np.fft.rfft(frames * window, axis=-1).transpose(0, 2, 1), dtype)


def test_scale_and_inverse_return_the_input():
    x = rl.from_numpy(_values((6, 30, 8), np.complex128))
    for norm in ("backward", "ortho", "forward"):
        there = rl.fft.fftn(x, norm=norm)
        rl.testing.assert_close(rl.fft.ifftn(there, norm=norm), x)


@pytest.mark.parametrize("shape", [(40, 96), (3, 4096), (1 << 17,), (2, 1009)])
def test_result_does_not_depend_on_the_number_of_threads(shape):
    x = rl.from_numpy(_values(shape, np.complex64))
    before = rl.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            rl.set_num_threads(threads)
            results.append(rl.fft.fft(x))
    finally:
        rl.set_num_threads(before)
    assert rl.equal(results[0], results[1]) and rl.equal(results[0], results[2])


def test_strided_and_transposed_inputs():
    x = rl.from_numpy(_values((30, 40), np.complex64))
    assert rl.equal(rl.fft.fft(x[::2, ::3]), rl.fft.fft(x[::2, ::3].contiguous()))
    assert rl.equal(rl.fft.fft(x.t()), rl.fft.fft(x.t().contiguous()))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 15, 16, 31, 64, 97, 300, 1000, 5000])
def test_whole_spectra_of_reals(dtype, n):
    tolerance = 1e-6 if dtype == rl.float32 else 1e-14
    for inner in (1, 3, 16):
        x = rl.randn(3, n, inner, dtype=dtype)
        exact = x.numpy().astype(np.float64)
        for got, wanted in (
            (rl.fft.fft(x, dim=1), np.fft.fft(exact, axis=1)),
            (
                rl.fft.fft2(x, dim=(0, 1), norm="ortho"),
                np.fft.fft2(exact, axes=(0, 1), norm="ortho"),
            ),
            (rl.fft.fft(x, n + 3, 1), np.fft.fft(exact, n + 3, 1)),
        ):
            assert abs(got.numpy() - wanted).max() <= tolerance * abs(wanted).max()


def test_gradients_of_whole_spectra():
    x = rl.randn(2, 5, 4, dtype=rl.float64, requires_grad=True)
    for f in (lambda x: rl.fft.fft(x, dim=1), rl.fft.fftn, lambda x: rl.fft.fft(x, 3, 0)):

        def parts(x, f=f):
            return rl.view_as_real(f(x))

        assert rl.autograd.gradcheck(parts, (x,))
        assert rl.autograd.gradgradcheck(parts, (x,))
    x = x.detach()
    assert rl.vmap(rl.fft.fft)(x).equal(rl.stack([rl.fft.fft(m) for m in x]))
    assert rl.fft.fft(rl.zeros(0, 4)).shape == (0, 4)
    assert rl.fft.fft(rl.tensor([1, 2, 3, 4])).dtype == rl.complex64
