"""Resampling of signals, images and volumes: interpolate.

Every mode but 'area' is a weighted sum of a few input positions per output position, one dimension
after another; `_taps` says which. grid_sample is in ops/grid.py.
"""

import math

import rushlight as rl
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow

_NN = ("nn.functional",)


# ---- native pieces; the kernels are in csrc/kernels/resample.cpp
@op(
    "_mix(Tensor input, int dim, Tensor index, Tensor weight, Tensor slope) -> Tensor",
    at=("internal",),
    grad_name="UpsampleBackward0",
    constants=("index", "weight", "slope"),
)
def _mix(input, dim, index, weight, slope):
    """sum over k of input at index[k], along `dim`, times weight[k]; all are (taps, size).
    Gradients have the weights `slope`.
    """
    shape = [1] * input.dim()
    shape[dim] = -1
    total = None
    for k in range(index.shape[0]):
        term = input.index_select(dim, index[k])
        if index.shape[0] > 1:
            term = term * weight[k].view(shape).to(term.dtype)
        total = term if total is None else total + term
    return total


_mix.vjp(
    input=lambda g, input_meta, dim, index, slope: _mix_back(
        g, input_meta.shape[dim], dim, index, slope
    )
)


@op(
    "_mix_back(Tensor grad, int size, int dim, Tensor index, Tensor weight) -> Tensor",
    at=("internal",),
    constants=("index", "weight"),
)
def _mix_back(grad, size, dim, index, weight):
    """The adjoint of `_mix`: adds each value, times weight[k], to the input at index[k]."""
    shape = [1] * grad.dim()
    shape[dim] = -1
    total = rl.zeros(grad.shape[:dim] + (size,) + grad.shape[dim + 1 :], dtype=grad.dtype)
    for k in range(index.shape[0]):
        total = total.index_add(dim, index[k], grad * weight[k].view(shape).to(grad.dtype))
    return total


_mix_back.vjp(grad=lambda g, dim, index, weight: _mix(g, dim, index, weight, weight))


@op(
    "_mix_bytes(Tensor input, int dim, Tensor index, Tensor weight) -> Tensor",
    at=(),
    differentiable=False,
)
def _mix_bytes(input, dim, index, weight):
    """`_mix` of uint8 in whole numbers: csrc/kernels/resample_bytes.cpp."""
    ...


def _rounded(weight, dtype):
    """The weights as numbers of a dtype; of two the first is what the second leaves of 1."""
    near = weight.to(dtype).to(weight.dtype)
    if len(weight) != 2:
        return near
    return rl.stack([(1 - near[1]).to(dtype).to(weight.dtype), near[1]])


@op(
    "_pick_image(Tensor input, Tensor rows, Tensor columns) -> Tensor",
    at=("internal",),
    grad_name="UpsampleNearest2DBackward0",
    constants=("rows", "columns"),
)
def _pick_image(input, rows, columns):
    """Rows and columns of images, both indices (1, size)."""
    return input.index_select(3, columns[0]).index_select(2, rows[0])


_pick_image.vjp(
    input=lambda g, input_meta, rows, columns: _pick_image_back(
        g, input_meta.shape[2:], rows, columns
    )
)


def _pick_image_back(g, size, rows, columns):
    """The adjoint of `_pick_image`; sums of 16 bits are rounded once."""
    sums = g.float() if is_narrow(g) else g
    sums = _mix_back(sums, size[0], 2, rows, rl.ones_like(rows, dtype=rl.float32))
    sums = _mix_back(sums, size[1], 3, columns, rl.ones_like(columns, dtype=rl.float32))
    return sums.to(g.dtype)


# ---- which positions, with which weights
def _scale(size, out, factor, align):
    if align:
        return (size - 1) / (out - 1) if out > 1 else 0.0
    return 1.0 / factor if factor else size / out


@op(
    "_resize_taps(str mode, int size, int outputs, float scale, bool align, bool wide) "
    "-> (Tensor, Tensor)",
    at=(),
    differentiable=False,
)
def _resize_taps(mode, size, outputs, scale, align, wide):
    """Positions and their weights, both (taps, out): csrc/kernels/resample_taps.cpp."""
    ...


def _taps(mode, size, out, factor, align, antialias, dtype):
    mode = f"smooth {mode}" if antialias else mode
    scale = _scale(size, out, factor, align)
    return _resize_taps(mode, size, out, scale, align, dtype == rl.float64)


_MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}


def _is_size(value):
    """Whether it counts as an int: programs compute sizes as tensors."""
    if isinstance(value, rl.Tensor):
        return not value.dim() and not value.is_floating_point() and not value.is_complex()
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _target(input, size, scale_factor, recompute):
    """(output size, factors) per spatial dimension; a factor of None means size decides."""
    dims = input.dim() - 2
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "only one of size or scale_factor should be defined"
            if size is not None
            else "either size or scale_factor should be defined"
        )
    if size is not None:
        size = [size] * dims if _is_size(size) else list(size)
        if len(size) != dims:
            raise ValueError(
                "Input and output must have the same number of spatial dimensions, but got input "
                f"with spatial dimensions of {list(input.shape[2:])} and output size of {size}."
            )
        if not all(map(_is_size, size)):
            raise TypeError(f"interpolate: expected size to be ints, got {size}")
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        return [int(s) for s in size], [None] * dims
    factors = (
        list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * dims
    )
    if len(factors) != dims:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got "
            f"input with spatial dimensions of {list(input.shape[2:])} and scale_factor of shape "
            f"{factors}."
        )
    if not all(isinstance(f, (int, float)) for f in factors):
        raise TypeError(f"interpolate: expected scale_factor to be numbers, got {scale_factor}")
    out = [float(n) * f for n, f in zip(input.shape[2:], factors)]
    if not all(abs(n) < 2**63 for n in out):
        raise RuntimeError(f"interpolate: scale_factor {scale_factor} makes sizes beyond 64 bits")
    out = [math.floor(n) for n in out]
    return out, [None] * dims if recompute else factors


@op(
    "interpolate(Tensor input, any size=None, any scale_factor=None, str mode='nearest',"
    " bool? align_corners=None, bool? recompute_scale_factor=None, bool antialias=False) -> Tensor",
    at=_NN,
    no_float8="all",
)
def interpolate(input, size, scale_factor, mode, align_corners, recompute_scale_factor, antialias):
    """Resizes the spatial dimensions of (N, C, *) to `size`, or by `scale_factor`.

    Modes: 'nearest', 'nearest-exact', 'area' (all), 'linear' (3-D inputs), 'bilinear', 'bicubic'
    (4-D), 'trilinear' (5-D). align_corners maps the corner centres onto each other; antialias
    widens the filter when shrinking ('bilinear', 'bicubic').

    Example::

        >>> rl.nn.functional.interpolate(rl.tensor([[[1., 2.]]]), scale_factor=2).flatten().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    interpolating = mode in ("linear", "bilinear", "bicubic", "trilinear")
    if align_corners is not None and not interpolating:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    if antialias and not (mode in ("bilinear", "bicubic") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    if mode not in _MODES or input.dim() - 2 not in _MODES[mode]:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for the "
            f"modes: nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact (got "
            f"{mode})"
        )
    out, factors = _target(input, size, scale_factor, recompute_scale_factor)
    if min(out) <= 0 or 0 in input.shape[1:]:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {tuple(input.shape)} "
            f"and output {tuple(out)}"
        )
    if mode == "area":
        return getattr(rl.nn.functional, f"adaptive_avg_pool{input.dim() - 2}d")(input, out)
    return _RESIZERS[mode](input, out, factors, bool(align_corners), antialias)


def _last_channels(x):
    return (
        x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=rl.channels_last)
    )


def _resized_bytes(x, out, factors, mode, align, antialias):
    y = x
    for d in range(len(out) + 1, 1, -1):
        n, m, f = x.shape[d], out[d - 2], factors[d - 2]
        if n != m:
            index, weight = _taps(mode, n, m, f, align, antialias, rl.float64)
            y = _mix_bytes(y, d, index.to(x.device), weight.to(x.device))
    return x.clone() if y is x else y


def _resized(x, out, factors, mode, align, antialias):
    dtype = x.dtype
    exact = mode.startswith("nearest")
    if exact and _last_channels(x):
        rows, columns = [
            _taps(mode, x.shape[d], out[d - 2], factors[d - 2], align, False, dtype)[0].to(x.device)
            for d in (2, 3)
        ]
        return _pick_image(x, rows, columns)
    if dtype == rl.uint8 and not exact:
        return _resized_bytes(x, out, factors, mode, align, antialias)
    # As in PyTorch, whose bilinear weights alone are not of the input's dtype.
    kept = dtype if is_narrow(x) and not (exact or antialias or mode == "bilinear") else None
    if is_narrow(x) and (not exact or x.requires_grad):  # whose sums are rounded once
        x = x.float()
    changed, taps = False, {}  # equal dimensions have the same
    dims = range(len(out) + 1, 1, -1)
    if antialias and out[0] < x.shape[2]:  # columns of fewer rows are fewer sums
        dims = (2, 3)
    for d in dims:
        n, m, f = x.shape[d], out[d - 2], factors[d - 2]
        if n == m and (f is None or f == 1 or align or mode == "nearest"):
            continue
        if (n, m, f) not in taps:
            made = _taps(mode, n, m, f, align, antialias, x.dtype)
            taps[n, m, f] = tuple([t.to(x.device) for t in made]) if x.is_meta else made
        index, weight = taps[n, m, f]
        used = weight if kept is None else _rounded(weight, kept)
        x, changed = _mix(x, d, index, used, weight), True
    return (x if changed else x.clone()).to(dtype)


def _resizer(mode):
    """`_resized` by one mode, named in the graph after it and the number of dimensions."""

    def resize(x, size, factors, align, antialias):
        """Resampling of one mode (internal)."""
        return _resized(x, size, factors, mode, align, antialias)

    name = "Upsample" + "".join([part.capitalize() for part in mode.split("-")])
    nodes = [f"{name}{d}DBackward0" for d in (1, 2, 3)]
    return op(
        f"_resize_{mode.replace('-', '_')}(Tensor x, int[] size, any factors, bool align, "
        "bool antialias) -> Tensor",
        at="internal",
        out=False,
        grad_name=(nodes[0],) * 4 + tuple(nodes[1:]),
    )(resize)


_RESIZERS = {mode: _resizer(mode) for mode in _MODES if mode != "area"}


@op(
    "upsample(Tensor input, any size=None, any scale_factor=None, str mode='nearest',"
    " bool? align_corners=None) -> Tensor",
    at=_NN,
)
def upsample(input, size, scale_factor, mode, align_corners):
    """The older name of `interpolate`.

    Example::

        >>> rl.nn.functional.upsample(rl.tensor([[[1., 2.]]]), 4)
        tensor([[[1., 1., 2., 2.]]])
    """
    return rl.nn.functional.interpolate(input, size, scale_factor, mode, align_corners)


@op("upsample_nearest(Tensor input, any size=None, any scale_factor=None) -> Tensor", at=_NN)
def upsample_nearest(input, size, scale_factor):
    """`interpolate` with mode='nearest'.

    Example::

        >>> rl.nn.functional.upsample_nearest(rl.tensor([[[1., 2.]]]), 4)
        tensor([[[1., 1., 2., 2.]]])
    """
    return rl.nn.functional.interpolate(input, size, scale_factor, "nearest")


@op("upsample_bilinear(Tensor input, any size=None, any scale_factor=None) -> Tensor", at=_NN)
def upsample_bilinear(input, size, scale_factor):
    """`interpolate` with mode='bilinear' and align_corners=True.

    Example::

        >>> rl.nn.functional.upsample_bilinear(rl.ones(1, 1, 2, 2), 3).shape
        torch.Size([1, 1, 3, 3])
    """
    return rl.nn.functional.interpolate(input, size, scale_factor, "bilinear", True)
