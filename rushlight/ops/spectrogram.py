"""Records of short-time Fourier transforms: `stft` and `istft`. The transforms are in fft.py."""

import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._decisions import is_wrapped
from rushlight.ops._record import op


@op(
    "_frames(Tensor self, Tensor window, int hop, int pad, bool mirrored, int count) -> Tensor",
    at=("internal",),
)
def _frames(self, window, hop, pad, mirrored, count):
    """Parts of signals (B, L), ``hop`` apart, times a window: (B, count, window). ``pad`` elements
    come before and after, mirrored ones or zeros.
    """
    ...


@op(
    "_overlap(Tensor self, Tensor window, int hop, int pad, bool mirrored, int length) -> Tensor",
    at=("internal",),
)
def _overlap(self, window, hop, pad, mirrored, length):
    """The adjoint of `_frames`: every frame, times the window, added at its place."""
    ...


_frames.vjp(
    self=lambda g, self, window, hop, pad, mirrored: _frames_grad(
        g, self, window, hop, pad, mirrored
    ),
    window=lambda g, self, window_meta, hop, pad, mirrored: _window_grad(
        g, self, window_meta, hop, pad, mirrored
    ),
)
_overlap.vjp(
    self=lambda g, self_meta, window, hop, pad, mirrored: _frames(
        g, window, hop, pad, mirrored, self_meta.shape[1]
    ),
    window=lambda g, self, window_meta, hop, pad, mirrored: _window_grad(
        self, g, window_meta, hop, pad, mirrored
    ),
)


def _frames_grad(g, x, window, hop, pad, mirrored):
    grad = _overlap(g, window, hop, pad, mirrored, x.shape[1])
    return attached(grad, x) if mirrored else grad  # as a reflecting padding's


def _window_grad(frames, signals, window_meta, hop, pad, mirrored):
    """Of frames and the elements of signals that they met."""
    ones = rl.ones(window_meta.shape, dtype=frames.dtype)
    return (frames * _frames(signals, ones, hop, pad, mirrored, frames.shape[1])).sum((0, 1))


def _has_kernel(x, window):
    same = x.dtype == window.dtype and x.dtype in (rl.float32, rl.float64)
    return same and not (is_wrapped(x) or is_wrapped(window))


def _note_missing(window, why):
    if window is None:
        import warnings

        warnings.warn(
            f"A window was not provided, so it is rectangular: {why}. If that is meant, pass "
            "window=torch.ones(n_fft)",
            stacklevel=3,
        )


def _padded_window(name, window, win_length, n_fft, like):
    """The window (ones if None) in the middle of ``n_fft`` points."""
    if not 0 < win_length <= n_fft:
        raise RuntimeError(
            f"{name}: expected 0 < win_length <= n_fft, but got win_length={win_length}"
        )
    if window is None:
        window = rl.ones(win_length, dtype=like.real.dtype if like.is_complex() else like.dtype)
    if window.dim() != 1 or window.size(0) != win_length:
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={win_length}, "
            f"but got window with size {list(window.shape)}"
        )
    left = (n_fft - win_length) // 2
    return (
        rl.nn.functional.pad(window, (left, n_fft - win_length - left))
        if win_length < n_fft
        else window
    )


def _hop(name, hop_length, n_fft):
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop <= 0:
        raise RuntimeError(f"{name}: expected hop_length > 0, but got hop_length={hop}")
    return hop


@op(
    "stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, "
    "bool center=True, str pad_mode='reflect', bool normalized=False, bool? onesided=None, "
    "bool? return_complex=None, bool? align_to_window=None) -> Tensor",
    out=False,
)
def stft(
    self,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    pad_mode="reflect",
    normalized=False,
    onesided=None,
    return_complex=None,
    align_to_window=None,
):
    """The Fourier transforms of windows of ``n_fft`` points, ``hop_length`` (n_fft // 4) apart.

    ``self``: (L) or (B, L). Gives ([B,] frequencies, frames), complex if ``return_complex``, else
    with the real and imaginary parts in a last dimension of 2. ``center`` pads by n_fft // 2 on
    both sides (`pad_mode`); ``onesided`` (for reals) keeps n_fft // 2 + 1 frequencies;
    ``normalized`` divides by sqrt(n_fft).

    Raises RuntimeError if an argument does not fit, or a real input leaves return_complex unsaid.

    Example:
        >>> rl.stft(rl.ones(16), 4, return_complex=True).shape
        torch.Size([3, 17])
    """
    if align_to_window is not None:
        raise NotImplementedError("stft: align_to_window is not supported; pad the input yourself")
    if not (self.is_floating_point() or self.is_complex()) or self.dim() not in (1, 2):
        raise RuntimeError(
            "stft: expected a 1D or 2D tensor of floats or complex numbers, got "
            f"{list(self.shape)} of {self.dtype}"
        )
    is_complex = self.is_complex() or (window is not None and window.is_complex())
    if return_complex is None and not is_complex:
        raise RuntimeError("stft requires the return_complex parameter be given for real inputs.")
    _note_missing(
        window,
        "frequencies leak into their neighbours, less so with torch.hann_window",
    )
    hop = _hop("stft", hop_length, n_fft)
    x = self if self.dim() == 2 else self.unsqueeze(0)
    pad = n_fft // 2 if center else 0
    weights = None
    if 0 < n_fft <= x.size(-1) + 2 * pad:
        weights = _padded_window(
            "stft", window, n_fft if win_length is None else win_length, n_fft, self
        )
    inside = weights is not None and pad < x.size(-1) and pad_mode in ("reflect", "constant")
    if inside and _has_kernel(x, weights):
        count = (x.size(-1) + 2 * pad - n_fft) // hop + 1
        frames = _frames(x, weights, hop, pad, pad_mode == "reflect", count)
    else:
        frames = _framed(x, weights, n_fft, hop, pad, pad_mode)
    spectra = _spectra(frames, is_complex, onesided, "ortho" if normalized else None).mT
    spectra = spectra if self.dim() == 2 else spectra.squeeze(0)
    return spectra if return_complex or return_complex is None else rl.view_as_real(spectra)


def _framed(x, weights, n_fft, hop, pad, pad_mode):
    """`_frames` in recorded ops."""
    if pad:
        x = rl.nn.functional.pad(x.unsqueeze(1), (pad, pad), pad_mode).squeeze(1)
    if weights is None:
        raise RuntimeError(f"stft: expected 0 < n_fft <= {x.size(-1)}, but got n_fft={n_fft}")
    return x.unfold(-1, n_fft, hop) * weights


def _spectra(frames, is_complex, onesided, norm):
    if onesided is None:
        onesided = not is_complex
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    return rl.fft.rfft(frames, norm=norm) if onesided else rl.fft.fft(frames, norm=norm)


@op(
    "istft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, "
    "Tensor? window=None, bool center=True, bool normalized=False, bool? onesided=None, "
    "int? length=None, bool return_complex=False) -> Tensor",
    out=False,
)
def istft(
    self,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    normalized=False,
    onesided=None,
    length=None,
    return_complex=False,
):
    """The signal whose `stft` is nearest to ``self``: windows added up, over their squares' sum.

    ``self``: complex, ([B,] frequencies, frames). Gives ([B,] length).

    Raises RuntimeError if an argument does not fit or the windows leave gaps.

    Source: Griffin and Lim, Signal estimation from modified short-time Fourier transform, 1984.

    Example::

        >>> rl.istft(rl.stft(rl.ones(16), 8, return_complex=True, window=rl.ones(8)), 8,
        ...     window=rl.ones(8)).shape
        torch.Size([16])
    """
    _check_istft(self, n_fft, onesided, window, return_complex)
    hop = _hop("istft", hop_length, n_fft)
    length_of_window = n_fft if win_length is None else win_length
    _note_missing(window, "the inverse is exact with the window that stft had")
    weights = _padded_window("istft", window, length_of_window, n_fft, self)
    x = (self if self.dim() == 3 else self.unsqueeze(0)).mT
    frames = _signals(x, n_fft, return_complex, "ortho" if normalized else None)
    start = n_fft // 2 if center else 0
    total = n_fft + hop * (x.size(1) - 1)
    stop = min(total, start + length) if length is not None else total - start
    signal = _signal(frames, weights, hop, start, stop)
    energy = _signal(weights.expand(1, x.size(1), n_fft), weights, hop, start, stop)
    if energy.numel() and float(energy.detach().abs().min()) < 1e-11:
        raise RuntimeError("istft: window overlap add min: the windows leave gaps in the signal")
    signal = signal / energy
    if length is not None and signal.size(-1) < length:
        _note_short(signal.size(-1), length)
        signal = rl.nn.functional.pad(signal, (0, length - signal.size(-1)))
    return signal if self.dim() == 3 else signal.squeeze(0)


def _note_short(given, length):
    import warnings

    warnings.warn(
        f"istft: the frames make a signal of {given} points, shorter than length={length}; "
        "the rest is zeros",
        stacklevel=3,
    )


def _check_istft(self, n_fft, onesided, window, return_complex):
    if not self.is_complex() or self.dim() not in (2, 3) or self.numel() == 0:
        raise RuntimeError(
            "istft requires a non-empty complex-valued input tensor of 2 or 3 dimensions, got "
            f"{list(self.shape)} of {self.dtype}"
        )
    if onesided is None:
        onesided = self.size(-2) != n_fft
    if self.size(-2) != (n_fft // 2 + 1 if onesided else n_fft):
        raise RuntimeError(
            f"istft: the frequency dimension (-2) does not fit n_fft={n_fft}, onesided={onesided}: "
            f"got {self.size(-2)}"
        )
    if return_complex and onesided:
        raise RuntimeError("cannot have onesided output if window or input is complex")
    if window is not None and window.is_complex() and not return_complex:
        raise RuntimeError(
            "istft: a complex window needs return_complex=True; or give its real part"
        )


def _signals(spectra, n_fft, return_complex, norm):
    if return_complex:
        return rl.fft.ifft(spectra, norm=norm)
    return rl.fft.irfft(spectra[..., : n_fft // 2 + 1], n_fft, norm=norm)  # half says it all


def _signal(frames, weights, hop, start, stop):
    """(B, frames, n) -> (B, stop - start): every frame, times weights, added at its place, ``hop``
    after the last.
    """
    if _has_kernel(frames, weights):
        return _overlap(frames, weights, hop, start, False, max(stop - start, 0))
    frames = frames * weights
    batch, count, n = frames.shape
    length = n + hop * (count - 1)
    places = rl.arange(length).unfold(0, n, hop).reshape(-1)
    signal = frames.new_zeros((batch, length)).index_add(1, places, frames.reshape(batch, -1))
    return signal[:, start : max(stop, start)]
