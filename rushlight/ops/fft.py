"""Records of Fourier transforms, offered as `rl.fft`; `stft` and `istft` are in spectrogram.py.

Four scaled transforms (complex, real to half a spectrum or all of it, half a spectrum to real) have
kernels, csrc/kernels/fft.cpp, and are each other's gradients; their bodies, the definition, call
NumPy. Every public transform pads or cuts and calls them. To add one: a record of that shape.
"""

import rushlight as rl
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op


def _numpy(function, tensor, *args, **more):
    import numpy

    array = getattr(numpy.fft, function)(tensor.detach().numpy(), *args, **more)
    return rl.from_numpy(numpy.ascontiguousarray(array))


@op(
    "fft_c2c(Tensor self, int[] dim, bool inverse, float scale) -> Tensor", at="internal", out=False
)
def _c2c(self, dim, inverse, scale):
    """``scale`` times the complex transform over ``dim`` (internal)."""
    if self.numel() == 0 or not dim:
        return self.clone()
    if inverse:
        return _numpy("ifftn", self, axes=tuple(dim), norm="forward") * scale
    return _numpy("fftn", self, axes=tuple(dim)) * scale


_c2c.vjp(self=lambda g, dim, inverse, scale: _c2c(g, dim, not inverse, scale))


@op("fft_r2c(Tensor self, int dim, float scale) -> Tensor", at="internal", out=False)
def _r2c(self, dim, scale):
    """``scale`` times the first half of the spectrum of reals along ``dim`` (internal)."""
    if self.numel() == 0:
        shape = list(self.shape)
        shape[dim] = shape[dim] // 2 + 1
        return rl.zeros(shape, dtype=_complex_of(self.dtype))
    return _numpy("rfft", self, axis=dim) * scale


@_r2c.vjp_all
def _(g, needs, self_meta, dim, scale):
    whole = _resized(g, dim, self_meta.shape[dim])
    return _c2c(whole, [dim], True, scale).real, None, None


@op("fft_r2c_whole(Tensor self, int dim, float scale) -> Tensor", at="internal", out=False)
def _r2c_whole(self, dim, scale):
    """``scale`` times the whole spectrum of reals along ``dim`` (internal)."""
    if self.numel() == 0:
        return self.to(_complex_of(self.dtype))
    return _numpy("fft", self, axis=dim) * scale


_r2c_whole.vjp(self=lambda g, dim, scale: _c2c(g, [dim], True, scale).real)


@op("fft_c2r(Tensor self, int dim, int n, float scale) -> Tensor", at="internal", out=False)
def _c2r(self, dim, n, scale):
    """``scale`` times ``n`` reals, from half their spectrum along ``dim`` (internal)."""
    if self.numel() == 0:
        shape = list(self.shape)
        shape[dim] = n
        return rl.zeros(shape, dtype=self.real.dtype)
    return _numpy("irfft", self, n, axis=dim, norm="forward") * scale


@_c2r.vjp_all
def _(g, needs, self_meta, dim, n, scale):
    half = _r2c(g, dim, scale)
    size, middle = (
        half.size(dim),
        (n + 1) // 2 - 1,
    )  # all but the first (and the last if n is even) count twice
    twice = rl.cat(
        (
            half.narrow(dim, 0, 1),
            half.narrow(dim, 1, middle) * 2,
            half.narrow(dim, 1 + middle, size - 1 - middle),
        ),
        dim,
    )
    return twice, None, None, None


# ---- arguments


def _complex_of(dtype):
    return rl.complex128 if dtype in (rl.float64, rl.complex128) else rl.complex64


def _checked(x, want):
    """x in the type a transform wants: "real", "complex" or either."""
    if x.dtype in (rl.float16, rl.bfloat16, rl.complex32):
        raise NotImplementedError(f"fft: {x.dtype} is not supported; convert to float32")
    if x.is_floating_point() and x.element_size() == 1:
        raise RuntimeError(f"fft: unsupported dtype {x.dtype}; convert to float32")
    if want == "real" and x.is_complex():
        raise RuntimeError(f"rfft and ihfft expect a real input tensor, but got {x.dtype}")
    if not x.is_floating_point() and not x.is_complex():
        x = x.to(rl.get_default_dtype())
    return x.to(_complex_of(x.dtype)) if want == "complex" and not x.is_complex() else x


def _scale(norm, count, inverse):
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(f"Invalid normalization mode: {norm!r}")
    if norm == "ortho":
        return count**-0.5
    return 1.0 / count if inverse == (norm != "forward") else 1.0


def _resized(x, dim, n):
    """The first n elements along dim, zeros appended if there are fewer."""
    have = x.size(dim)
    if n < have:
        return x.narrow(dim, 0, n)
    if n == have:
        return x
    shape = list(x.shape)
    shape[dim] = n - have
    return rl.cat((x, x.new_zeros(shape)), dim)


def _one(x, n, dim, halved=False):
    """Checks dim and the number of points; both as the n-d helpers want them."""
    if x.dim() == 0 or not -x.dim() <= dim < x.dim():
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-max(x.dim(), 1)}, "
            f"{max(x.dim(), 1) - 1}], but got {dim})"
        )
    n = n if n is not None else 2 * (x.size(dim) - 1) if halved else x.size(dim)
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return [n], [dim % x.dim()]


def _many(x, s, dim, halved=False):
    """The sizes and the dims of an n-d transform."""
    s, dim = [[v] if isinstance(v, int) else v for v in (s, dim)]
    if s is not None and dim is not None and len(s) != len(dim):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    if dim is None:
        if s is not None and len(s) > x.dim():
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {x.dim()} dimensions."
            )
        dim = range(x.dim()) if s is None else range(x.dim() - len(s), x.dim())
    given = list(s) if s is not None else [-1] * len(dim)
    sizes, dims = [], []
    for i, (n, d) in enumerate(zip(given, dim)):
        size, where = _one(x, None if n == -1 else n, d, halved and i == len(given) - 1)
        sizes += size
        dims += where
    if len(set(dims)) != len(dims):
        raise RuntimeError("FFT dims must be unique")
    if halved is not None and not dims:
        raise RuntimeError("at least one dimension must be transformed")
    return sizes, dims


def _product(sizes):
    count = 1
    for n in sizes:
        count *= n
    return count


# ---- the four kinds of transform, over sizes and dims


def _as_node(name, node):
    """Decorator: makes a transform one node of the graph, to look at."""
    arguments = "Tensor x, int[] sizes, int[] dims, str? norm, bool inverse"
    return op(f"{name}({arguments}) -> Tensor", at="internal", out=False, grad_name=node)


def _complex_transform(x, sizes, dims, norm, inverse):
    """fft, of reals or complex numbers."""
    forward_of_real = not (x.is_complex() or inverse or len(dims) > 1)
    transform = _of_real if forward_of_real else _of_complex
    return transform(x, sizes, dims, norm, inverse)


@_as_node("fft_of_real", "FftR2CBackward0")
def _of_real(x, sizes, dims, norm, inverse):
    """The transform of reals (internal)."""
    return _of_complex(x, sizes, dims, norm, inverse)


@_as_node("fft_of_complex", "FftC2CBackward0")
def _of_complex(x, sizes, dims, norm, inverse):
    """The transform of complex numbers, or of several dimensions (internal)."""
    of_reals = not (x.is_complex() or inverse) and len(dims) > 0
    x = _checked(x, "real" if of_reals else "complex")
    for n, d in zip(sizes, dims):
        x = _resized(x, d, n)
    scale = _scale(norm, _product(sizes), inverse)
    if not of_reals:
        return _c2c(x, dims, inverse, scale)
    whole = _r2c_whole(x, dims[-1], scale)
    return _c2c(whole, dims[:-1], inverse, 1.0) if dims[:-1] else whole


@_as_node("fft_to_half", "FftR2CBackward0")
def _to_half(x, sizes, dims, norm, inverse):
    """rfft; with ``inverse`` ihfft, its conjugate."""
    x = _checked(x, "real")
    for n, d in zip(sizes, dims):
        x = _resized(x, d, n)
    half = _r2c(x, dims[-1], _scale(norm, _product(sizes), inverse))
    half = half.conj() if inverse else half
    return _c2c(half, dims[:-1], inverse, 1.0) if dims[:-1] else half


@_as_node("fft_from_half", "FftC2RBackward0")
def _from_half(x, sizes, dims, norm, inverse):
    """irfft; without ``inverse`` hfft, that of the conjugate."""
    x = _checked(x, "complex")
    for n, d in zip(sizes[:-1], dims[:-1]):
        x = _resized(x, d, n)
    x = _resized(x, dims[-1], sizes[-1] // 2 + 1)
    x = _c2c(x, dims[:-1], inverse, 1.0) if dims[:-1] else x
    scale = _scale(norm, _product(sizes), inverse)
    return _c2r(x if inverse else x.conj(), dims[-1], sizes[-1], scale)


_KINDS = (  # name, transform, inverse, default size of the last dim is 2 (m - 1), what it computes
    ("fft", _complex_transform, False, False, "The discrete Fourier transform"),
    ("ifft", _complex_transform, True, False, "The inverse discrete Fourier transform"),
    (
        "rfft",
        _to_half,
        False,
        False,
        "The non-negative frequencies of the Fourier transform of reals",
    ),
    (
        "irfft",
        _from_half,
        True,
        True,
        "The inverse of `rfft`: reals from the first half of a spectrum",
    ),
    (
        "hfft",
        _from_half,
        False,
        True,
        "The real Fourier transform of the first half of a Hermitian signal",
    ),
    ("ihfft", _to_half, True, False, "The inverse of `hfft`"),
)


def _record_kind(name, transform, inverse, halved, what):
    def one(self, n, dim, norm):
        return transform(self, *_one(self, n, dim, halved), norm, inverse)

    def two(self, s, dim, norm):
        return transform(self, *_many(self, s, dim, halved), norm, inverse)

    def many(self, s, dim, norm):
        free = transform is _complex_transform
        return transform(self, *_many(self, s, dim, None if free else halved), norm, inverse)

    details = (
        '\n\n    Sizes cut the input or pad it with zeros. ``norm``: "backward" (the default) '
        'scales inverse\n    transforms by 1/n, "forward" the others, "ortho" both by 1/sqrt(n).'
    )
    bodies = (one, "", "along ``dim``"), (two, "2", "over two dimensions")
    for body, suffix, where in (*bodies, (many, "n", "over the dimensions ``dim``, or all")):
        call = f"fft.{name}{suffix}(rl.ones(2, 4)).shape"
        columns = {_to_half: 3, _from_half: 6}.get(transform, 4)
        body.__doc__ = with_example(
            f"{what} {where}.{details}", call, f"torch.Size([2, {columns}])"
        )
    op(f"{name}(Tensor self, int? n=None, int dim=-1, str? norm=None) -> Tensor", at="fft")(one)
    op(
        f"{name}2(Tensor self, int[]? s=None, int[] dim=[-2, -1], str? norm=None) -> Tensor",
        at="fft",
    )(two)
    op(f"{name}n(Tensor self, int[]? s=None, int[]? dim=None, str? norm=None) -> Tensor", at="fft")(
        many
    )


for _kind in _KINDS:
    _record_kind(*_kind)

# ---- frequencies

_OPTIONS = "dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False"


def _frequencies(integers, n, d, options):
    dtype, layout, device, requires_grad = options
    made = rl.tensor(integers, dtype=dtype or rl.get_default_dtype(), device=device) * (
        1.0 / (n * d)
    )
    return made.requires_grad_() if requires_grad else made


@op(f"fftfreq(int n, float d=1.0, *, {_OPTIONS}) -> Tensor", at="fft", differentiable=False)
def fftfreq(n, d, *options):
    """The frequencies of `fft` of ``n`` points ``d`` apart, in cycles per unit, in its order.

    Example::

        >>> rl.fft.fftfreq(4)
        tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    return _frequencies([*range((n + 1) // 2), *range(-(n // 2), 0)], n, d, options)


@op(f"rfftfreq(int n, float d=1.0, *, {_OPTIONS}) -> Tensor", at="fft", differentiable=False)
def rfftfreq(n, d, *options):
    """The frequencies of `rfft` of ``n`` points ``d`` apart, in cycles per unit.

    Example::

        >>> rl.fft.rfftfreq(4)
        tensor([0.0000, 0.2500, 0.5000])
    """
    return _frequencies(list(range(n // 2 + 1)), n, d, options)


def _rolled(x, dim, sign):
    dims = list(range(x.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if not dims:
        return x.clone()
    return x.roll([x.size(d) // 2 if sign > 0 else (x.size(d) + 1) // 2 for d in dims], dims)


@op("fftshift(Tensor self, int[1]? dim=None) -> Tensor", at="fft", out=False)
def fftshift(self, dim):
    """Moves the zero frequency to the middle of ``dim`` (all).

    Example::

        >>> rl.fft.fftshift(rl.arange(4))
        tensor([2, 3, 0, 1])
    """
    return _rolled(self, dim, 1)


@op("ifftshift(Tensor self, int[1]? dim=None) -> Tensor", at="fft", out=False)
def ifftshift(self, dim):
    """The inverse of `fftshift`.

    Example::

        >>> rl.fft.ifftshift(rl.arange(4))
        tensor([2, 3, 0, 1])
    """
    return _rolled(self, dim, -1)
