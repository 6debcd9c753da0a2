"""stft and istft against sums of their definitions in numpy, on lengths around frames and parts."""

import numpy as np
import pytest

import rushlight as rl

SIZES = [(40, 8, 2), (41, 9, 3), (100, 16, 16), (17, 32, 5), (33, 64, 7), (17000, 64, 40)]
SIZES += [(50, 4, 1), (60, 12, 3), (100, 15, 4), (100, 16, 4), (100, 17, 4), (200, 39, 9)]


def padded(x, pad, mode):
    return np.pad(x, ((0, 0), (pad, pad)), {"replicate": "edge"}.get(mode, mode))


def frames_of(x, window, n, hop):
    return np.stack([x[:, f : f + n] * window for f in range(0, x.shape[1] - n + 1, hop)], 1)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("mode", ["reflect", "constant", "replicate", None])
def test_transforms(dtype, sizes, mode):
    length, n, hop = sizes
    x, window = rl.randn(2, length, dtype=dtype), rl.rand(n, dtype=dtype)
    pad = n // 2 if mode else 0
    if pad >= length and mode == "reflect" or n > length + 2 * pad:
        with pytest.raises(RuntimeError):
            rl.stft(x, n, hop, window=window, center=bool(mode), return_complex=True)
        return
    got = rl.stft(x, n, hop, None, window, bool(mode), mode or "reflect", return_complex=True)
    signal = padded(x.numpy(), pad, mode) if mode else x.numpy()
    wanted = np.fft.rfft(frames_of(signal, window.numpy(), n, hop)).swapaxes(1, 2)
    tolerance = 1e-4 if dtype == rl.float32 else 1e-11
    np.testing.assert_allclose(got.numpy(), wanted, tolerance, tolerance)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("more", [None, 0, 20, -3])
def test_inverses(sizes, center, more):
    length, n, hop = sizes
    hop = min(hop, n // 2)
    window, count = rl.rand(n, dtype=rl.float64) + 0.5, max(1, (length - n) // hop + 1)
    spectra = rl.fft.rfft(rl.randn(3, count, n, dtype=rl.float64)).mT
    total, start = n + hop * (count - 1), n // 2 if center else 0
    wished = None if more is None else total - start + more
    if total <= 2 * start:
        return
    got = rl.istft(spectra, n, hop, window=window, center=center, length=wished)
    signal, energy = np.zeros((3, total)), np.zeros(total)
    parts = np.fft.irfft(spectra.mT.numpy(), n) * window.numpy()
    for f in range(count):
        signal[:, f * hop : f * hop + n] += parts[:, f]
        energy[f * hop : f * hop + n] += window.numpy() ** 2
    stop = total - start if wished is None else min(total, start + wished)
    wanted = (signal / energy)[:, start:stop]
    if wished is not None:
        wanted = np.pad(wanted, ((0, 0), (0, wished - wanted.shape[1])))
    np.testing.assert_allclose(got.numpy(), wanted, 1e-9, 1e-9)


@pytest.mark.parametrize("center", [True, False])
def test_gradients_of_any_order(center):
    x = rl.randn(2, 13, dtype=rl.float64, requires_grad=True)
    window = (rl.rand(6, dtype=rl.float64) + 0.5).requires_grad_()

    def forward(x, window):
        return rl.stft(x, 6, 2, window=window, center=center, return_complex=False)

    assert rl.autograd.gradcheck(forward, (x, window))
    assert rl.autograd.gradgradcheck(forward, (x, window))
    spectra = rl.randn(4, 5, 2, dtype=rl.float64, requires_grad=True)
    for length in (None, 5, 12):

        def back(spectra, window, length=length):
            z = rl.view_as_complex(spectra)
            return rl.istft(z, 6, 2, window=window, center=center, length=length)

        assert rl.autograd.gradcheck(back, (spectra, window))
        assert rl.autograd.gradgradcheck(back, (spectra, window))


def test_mapped():
    x, window = rl.randn(3, 2, 40), rl.rand(8) + 0.5

    def through(x):
        spectra = rl.stft(x, 8, 2, window=window, return_complex=True)
        return rl.istft(spectra, 8, 2, window=window)

    wanted = rl.stack([through(part) for part in x])
    assert rl.allclose(rl.vmap(through)(x), wanted, 1e-4, 1e-5)
    slopes = rl.vmap(rl.func.grad(lambda x: through(x).square().sum()))(x)
    leaf = x.clone().requires_grad_()
    sum(through(part).square().sum() for part in leaf).backward()
    assert rl.allclose(slopes, leaf.grad, 1e-4, 1e-5)


def test_strides_meta_and_threads():
    x, window = rl.randn(40000, 2).T, rl.rand(100)
    before, results = rl.get_num_threads(), []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            leaf = x.detach().requires_grad_()
            spectra = rl.stft(leaf, 100, 30, window=window, return_complex=True)
            spectra.abs().sum().backward()
            results.append((spectra.detach(), leaf.grad))
    finally:
        rl.set_num_threads(before)
    for a, b in zip(*results):
        assert a.equal(b)
    like = rl.stft(x.to("meta"), 100, 30, window=window.to("meta"), return_complex=True)
    assert like.is_meta and like.shape == spectra.shape


def test_gradients_of_reflected_signals_stay_in_the_graph():
    x = rl.randn(13, requires_grad=True)
    spectra = rl.stft(x, 6, 2, return_complex=True)
    slope = rl.autograd.grad(spectra.abs().sum(), x, create_graph=True)[0]
    assert slope.requires_grad
    given = rl.randn(*spectra.shape, dtype=rl.complex64)
    slope = rl.autograd.grad(spectra, x, given, create_graph=True)[0]
    assert slope.requires_grad
    assert not rl.autograd.grad(slope.sum(), x)[0].any()
