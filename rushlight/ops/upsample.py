"""Resampling of signals, images and volumes: interpolate.

Every mode but 'area' is a weighted sum of a few input positions per output position, one dimension
after another. grid_sample is in ops/grid.py.
"""

import math

import rushlight as rl
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow

_NN = ("nn.functional",)


# ---- native pieces; the kernels are in csrc/kernels/resample*.cpp
_ARGUMENTS = "str mode, int[] size, float[] scales, bool align, bool antialias"


@op(f"_resize_back(Tensor grad, {_ARGUMENTS}) -> Tensor", at=("internal",))
def _resize_back(grad, mode, size, scales, align, antialias):
    """The adjoint of resampling an input of spatial `size`."""
    ...


@op(f"_resize_bytes(Tensor input, {_ARGUMENTS}) -> Tensor", at=(), differentiable=False)
def _resize_bytes(input, mode, size, scales, align, antialias):
    """Resampling of uint8 in whole numbers."""
    ...


def _resizer(mode):
    """Resampling by one mode, named in the graph after it and the number of dimensions."""
    name = "Upsample" + "".join([part.capitalize() for part in mode.split("-")])
    nodes = [f"{name}{d}DBackward0" for d in (1, 2, 3)]

    @op(
        f"_resize_{mode.replace('-', '_')}(Tensor input, {_ARGUMENTS}, dtype? kept) -> Tensor",
        at="internal",
        kernel="_resize",
        out=False,
        grad_name=(nodes[0],) * 4 + tuple(nodes[1:]),
    )
    def resize(input, mode, size, scales, align, antialias, kept):
        """Spatial dimensions resized, with weights rounded to `kept`, but not in gradients."""
        ...

    resize.vjp(
        input=lambda g, input_meta, mode, scales, align, antialias: _resize_back(
            g, mode, input_meta.shape[2:], scales, align, antialias
        )
    )
    return resize


# ---- which sizes
_MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
_INTERPOLATING = ("linear", "bilinear", "bicubic", "trilinear")
_RESIZERS = {mode: _resizer(mode) for mode in _MODES if mode != "area"}

_resize_back.vjp(
    grad=lambda g, grad_meta, mode, scales, align, antialias: _RESIZERS[mode](
        g, mode, grad_meta.shape[2:], scales, align, antialias, None
    )
)


def _is_size(value):
    """Whether it counts as an int: programs compute sizes as tensors."""
    if type(value) is int:
        return True
    if isinstance(value, rl.Tensor):
        return not value.dim() and not value.is_floating_point() and not value.is_complex()
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _target(input, size, scale_factor, recompute):
    """(output size, factors) per spatial dimension; a factor of None means size decides."""
    space = input.shape[2:]
    dims = len(space)
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
                f"with spatial dimensions of {list(space)} and output size of {size}."
            )
        if not all([_is_size(s) for s in size]):
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
            f"input with spatial dimensions of {list(space)} and scale_factor of shape "
            f"{factors}."
        )
    if not all([isinstance(f, (int, float)) for f in factors]):
        raise TypeError(f"interpolate: expected scale_factor to be numbers, got {scale_factor}")
    try:
        out = [math.floor(float(n) * f) for n, f in zip(space, factors)]
        if max(out) >> 63:
            raise OverflowError
    except (OverflowError, ValueError):
        raise RuntimeError(
            f"interpolate: scale_factor {scale_factor} makes sizes beyond 64 bits"
        ) from None
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
    if align_corners is not None and mode not in _INTERPOLATING:
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
    return _resized(input, mode, out, factors, bool(align_corners), antialias)


def _resized(x, mode, out, factors, align, antialias):
    sizes = zip(x.shape[2:], out, factors)
    if align:
        scales = [(n - 1) / (m - 1) if m > 1 else 0.0 for n, m, _ in sizes]
    else:
        scales = [1.0 / f if f else n / m for n, m, f in sizes]
    if x.dtype == rl.uint8 and mode in _INTERPOLATING:
        return _resize_bytes(x, mode, out, scales, align, antialias)
    # As in PyTorch, whose bilinear weights alone are not of the input's dtype.
    rounds = mode in ("linear", "trilinear", "bicubic") and is_narrow(x) and not antialias
    return _RESIZERS[mode](x, mode, out, scales, align, antialias, x.dtype if rounds else None)


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
