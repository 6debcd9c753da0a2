"""Sampling at computed positions: grid_sample and the affine_grid that makes positions."""

import rushlight as rl
from rushlight.ops._attach import _attach, through_formula
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow
from rushlight.ops.pool import _pool_take

_NN = ("nn.functional",)


def _note_default(align_corners):
    if align_corners is None:
        import warnings

        warnings.warn(
            "Default grid_sample and affine_grid behavior is align_corners=False, which was True "
            "before version 1.3; pass it to say which",
            stacklevel=3,
        )


def _note_empty_span():
    import warnings

    warnings.warn(
        "affine_grid: with align_corners=True (the default before version 1.3), a dimension of "
        "size 1 spans nothing: its only position is 0. See the documentation of affine_grid for "
        "details.",
        stacklevel=4,
    )


@op(
    "_affine_places(Tensor theta, Tensor base) -> Tensor",
    at=("internal",),
    grad_name="AffineGridGeneratorBackward0",
    constants=("base",),
)
def _affine_places(theta, base):
    """The points `base` (1, points, d + 1) under the maps theta (N, d, d + 1)."""
    return rl.matmul(base, theta.transpose(1, 2))


_affine_places.vjp(theta=lambda g, base: rl.matmul(g.transpose(1, 2), base))


@op(
    "affine_grid(Tensor theta, int[] size, bool? align_corners=None) -> Tensor",
    at=_NN,
    grad_name="AffineGridGeneratorBackward0",
)
def affine_grid(theta, size, align_corners):
    """The positions that an affine map theta (N, d, d + 1) sends an output grid of `size` to.

    Result (N, *spatial, d), in [-1, 1] coordinates, last dimension x first (Jaderberg et al. 2015).

    Example::

        >>> identity = rl.tensor([[[1., 0, 0], [0, 1, 0]]])
        >>> rl.nn.functional.affine_grid(identity, (1, 1, 2, 2), False).shape
        torch.Size([1, 2, 2, 2])
    """
    _note_default(align_corners)
    size = tuple(size)
    dims = len(size) - 2
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if dims not in (2, 3):
        raise NotImplementedError(f"affine_grid: only 4-d and 5-d sizes are supported, got {size}")
    if min(size) < 1:
        raise ValueError(f"affine_grid: expected a size without zeros, got {size}")
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}x{dims + 1} affine matrices for size {size}, got theta of "
            f"shape {tuple(theta.shape)}"
        )
    if align_corners and min(size[2:]) == 1:
        _note_empty_span()
    axes = []
    for d, n in enumerate(size[2:]):
        at = rl.linspace(-1, 1, n, dtype=theta.dtype) if n > 1 else rl.zeros(1, dtype=theta.dtype)
        at = at if align_corners else at * ((n - 1) / n)
        shape = [1] * dims
        shape[d] = n
        axes.append(at.view(shape).expand(size[2:]))
    base = rl.stack(axes[::-1] + [rl.ones(size[2:], dtype=theta.dtype)], -1).view(1, -1, dims + 1)
    return _affine_places(theta, base).view((size[0],) + size[2:] + (dims,))


def unnormalize(x, n, align):
    return (x + 1) * ((n - 1) / 2) if align else ((x + 1) * n - 1) / 2


def reflect(x, low, high):
    """x mirrored into [low / 2, high / 2]."""
    if low == high:
        return x * 0
    start, span = low / 2, (high - low) / 2
    x = (x - start).abs()
    extra = rl.fmod(x, span)
    flips = (x / span).floor().detach()
    return rl.where(rl.remainder(flips, 2) == 0, extra + start, span - extra + start)


def _clip(x, n):
    """x in [0, n - 1]; on the border, too, it has no gradient."""
    return rl.where((x <= 0) | (x >= n - 1), x.detach().clamp(0, n - 1), x)


def _place(x, n, padding, align):
    if padding == "border":
        return _clip(x, n)
    if padding == "reflection":
        x = reflect(x, 0, 2 * (n - 1)) if align else reflect(x, -1, 2 * n - 1)
        return _clip(x, n)
    return x


def flat_places(index, sizes):
    """Integer positions as one number, and whether they are inside."""
    inside, flat = None, 0
    for at, n in zip(index, sizes):
        ok = (at >= 0) & (at < n)
        inside = ok if inside is None else inside & ok
        flat = flat * n + at.clamp(0, n - 1).to(rl.int64)
    return flat, inside


def values_at(input, index, sizes):
    """input at integer positions (one tensor per dimension, (N, *out)), 0 outside: (N, C, *out)."""
    flat, inside = flat_places(index, sizes)
    n, c = input.shape[:2]
    out = tuple(flat.shape[1:])
    cells = flat.shape[1:].numel()
    flat = flat.reshape(n, 1, cells).expand(n, c, cells)
    values = _pool_take(input.reshape(n, c, input.shape[2:].numel()), flat, 1).view((n, c) + out)
    return values * inside.unsqueeze(1).to(values.dtype)


def _corners(at, sizes, input):
    """Multilinear interpolation over the corners of the cells."""
    low = [x.floor() for x in at]
    total = None
    for corner in range(1 << len(at)):
        weight, index = None, []
        for d, (x, l) in enumerate(zip(at[::-1], low[::-1])):  # the last dimension first
            high = corner >> d & 1
            part = x - l if high else 1 - (x - l) if len(at) == 2 else l + 1 - x
            weight = part if weight is None else weight * part
            index.insert(0, (l + high).detach())
        term = values_at(input, index, sizes) * weight.unsqueeze(1)
        total = term if total is None else total + term
    return total


def sampled(input, grid, padding, align):
    """Multilinear samples."""
    sizes, dims = tuple(input.shape[2:]), input.dim() - 2
    at = [unnormalize(grid[..., dims - 1 - d], sizes[d], align) for d in range(dims)]
    return _corners([_place(x, n, padding, align) for x, n in zip(at, sizes)], sizes, input)


def _cubic_weights(t):
    a = -0.75

    def near(x):
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x):
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _bicubic(at, sizes, input, padding, align):
    y, x = at
    y0, x0 = y.floor().detach(), x.floor().detach()
    wy, wx = _cubic_weights(y - y0), _cubic_weights(x - x0)
    total = None
    for i in range(4):
        row = None
        for j in range(4):
            index = [
                _place(y0 + (i - 1), sizes[0], padding, align),
                _place(x0 + (j - 1), sizes[1], padding, align),
            ]
            term = values_at(input, index, sizes) * wx[j].unsqueeze(1)
            row = term if row is None else row + term
        row = row * wy[i].unsqueeze(1)
        total = row if total is None else total + row
    return total


MODES = ("bilinear", "nearest", "bicubic")  # in the order of csrc/kernels/grid_places.h
PADDINGS = ("zeros", "border", "reflection")  # the same
_NAMED_AFTER = ("GridSampler2DBackward0",) * 5 + ("GridSampler3DBackward0",)


def _samples_in_ops(input, grid, mode, padding, align):
    """Samples in recorded ops, whose rules give derivatives of any order."""
    mode, padding = MODES[mode], PADDINGS[padding]
    if mode == "bilinear":
        return sampled(input, grid, padding, align)
    sizes, dims = tuple(input.shape[2:]), input.dim() - 2
    at = [unnormalize(grid[..., dims - 1 - d], sizes[d], align) for d in range(dims)]
    if mode == "bicubic":
        return _bicubic(at, sizes, input, padding, align)
    at = [_place(x, n, padding, align).round().detach() for x, n in zip(at, sizes)]
    values = values_at(input, at, sizes)
    return _attach(values, grid) if grid.requires_grad else values  # its gradient is 0


@op(
    "_grid_sample(Tensor input, Tensor grid, int mode, int padding, bool align) -> Tensor",
    at=("internal",),
    grad_name=_NAMED_AFTER,
)
def _grid_sample(input, grid, mode, padding, align):
    """Samples of float32 and float64, and of 16 bits but for 'bicubic': see grid_sample*.cpp."""
    return _samples_in_ops(input, grid, mode, padding, align)


@_grid_sample.vjp_all
def _(g, needs, input, grid, mode, padding, align):
    slopes = _grid_sample_backward(g, input, grid, mode, padding, align, *needs[:2])
    return [slope if need else None for slope, need in zip(slopes, needs)]


@op(
    "_grid_sample_backward(Tensor grad, Tensor input, Tensor grid, int mode, int padding,"
    " bool align, bool by_input, bool by_grid) -> (Tensor grad_input, Tensor grad_grid)",
    at=("internal",),
)
def _grid_sample_backward(grad, input, grid, mode, padding, align, by_input, by_grid):
    """The gradients of `_grid_sample`, empty where they are not asked for."""
    ...


def _slopes_in_ops(grad, input, grid, mode, padding, align):
    leaves = [t if t.requires_grad else t.detach().requires_grad_() for t in (input, grid)]
    samples = _samples_in_ops(*leaves, mode, padding, align)
    return rl.autograd.grad(samples, leaves, grad, create_graph=True)


@_grid_sample_backward.vjp_all
def _(given, needs, grad, input, grid, mode, padding, align):
    if MODES[mode] == "bilinear" and is_narrow(input) and not rl.is_grad_enabled():
        from rushlight.ops._grid_steps import sample_second

        return sample_second(given, grad, input, grid, PADDINGS[padding], align)
    rule = mode, padding, align
    return through_formula(_slopes_in_ops, given, needs[:3], (grad, input, grid), *rule)


def _check(input, grid, mode):
    shape, places = input.shape, grid.shape
    dims = len(shape) - 2
    if (
        dims not in (2, 3)
        or len(places) != len(shape)
        or places[-1] != dims
        or places[0] != shape[0]
    ):
        raise RuntimeError(
            "grid_sample(): expected 4D or 5D input and a grid of matching rank, batch size and "
            f"last dimension, but got input with sizes {list(shape)} and grid with sizes "
            f"{list(places)}"
        )
    if input.dtype != grid.dtype:
        raise RuntimeError(
            "grid_sample(): expected input and grid to have the same dtype, but got "
            f"{input.dtype} and {grid.dtype}"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"grid_sample(): not implemented for {input.dtype}")
    if MODES[mode] == "bicubic" and dims != 2:
        raise RuntimeError("grid_sample(): bicubic interpolation only supports 4D input")


_INT32 = 2**31 - 1  # the kernels' positions within an image


def samples_at(input, grid, mode, padding, align):
    """What `grid_sample` gives for modes by their numbers."""
    _check(input, grid, mode)
    full = input.dtype in (rl.float32, rl.float64)
    if full or is_narrow(input) and MODES[mode] != "bicubic":
        if 0 < input.numel() < _INT32 or 0 < input.shape[2:].numel() < _INT32:
            return _grid_sample(input, grid, mode, padding, align)
    return _samples_in_ops(input, grid, mode, padding, align)


@op(
    "grid_sample(Tensor input, Tensor grid, str mode='bilinear', str padding_mode='zeros',"
    " bool? align_corners=None) -> Tensor",
    at=_NN,
    grad_name=_NAMED_AFTER,
)
def grid_sample(input, grid, mode, padding_mode, align_corners):
    """The values of `input` at the positions in `grid`.

    Shapes: input (N, C, H, W), grid (N, H', W', 2) with (x, y) in [-1, 1]; or one dimension more.
    Modes 'bilinear', 'nearest', 'bicubic' (images only); outside, 'zeros', 'border' or
    'reflection'.

    Example::

        >>> image, centre = rl.ones(1, 1, 2, 2), rl.zeros(1, 1, 1, 2)
        >>> rl.nn.functional.grid_sample(image, centre, align_corners=True).item()
        1.0
    """
    if mode not in MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    _note_default(align_corners)
    rule = MODES.index(mode), PADDINGS.index(padding_mode), bool(align_corners)
    return samples_at(input, grid, *rule)
