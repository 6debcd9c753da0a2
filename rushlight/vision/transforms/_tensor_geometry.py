"""Geometry of image tensors `(..., C, H, W)`: resizing, padding, cropping, warping, blurring.

Arguments have been checked and normalised by `functional.py`. Colours are in `_tensor_color.py`.
The functions here and in `_pil.py` have the same names and arguments.
"""

import rushlight as rl
import rushlight.nn.functional as F


def dimensions(img):
    """`[channels, height, width]`."""
    channels = 1 if img.ndim == 2 else img.shape[-3]
    return [channels, *img.shape[-2:]]


def _in_float(img, operation):
    """Applies `operation` to `img` as a floating batch `(N, C, H, W)`; restores shape and dtype."""
    floating = img if img.dtype in (rl.float32, rl.float64) else img.to(rl.float32)
    lead = img.shape[:-2]
    batch = floating.reshape(-1, *(img.shape[-3:] if img.ndim > 2 else (1, *img.shape[-2:])))
    out = operation(batch)
    out = out.reshape(*lead, *out.shape[-2:])
    if not img.is_floating_point():
        out = out.round()
    return out.to(img.dtype)


def resize(img, size, interpolation, antialias):
    mode = interpolation.value
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError(
            f"resize: tensors have no interpolation {mode!r}; expected nearest, nearest-exact, "
            "bilinear or bicubic (PIL images have all)"
        )
    smooth = mode in ("bilinear", "bicubic")

    def run(batch):
        out = F.interpolate(
            batch,
            size=list(size),
            mode=mode,
            align_corners=False if smooth else None,
            antialias=antialias and smooth,
        )
        # Bicubic weights are negative in places, so bytes could leave their range.
        return out.clamp(0, 255) if mode == "bicubic" and img.dtype == rl.uint8 else out

    return _in_float(img, run)


def hflip(img):
    return img.flip(-1)


def vflip(img):
    return img.flip(-2)


def crop(img, top, left, height, width):
    h, w = img.shape[-2:]
    right, bottom = left + width, top + height
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return inside
    missing = [
        max(min(right, 0) - left, 0),
        max(right - max(w, left), 0),
        max(min(bottom, 0) - top, 0),
        max(bottom - max(h, top), 0),
    ]
    return F.pad(inside, missing, mode="constant", value=0.0)


def pad(img, left, top, right, bottom, fill, mode):
    if mode == "symmetric":
        return _pad_symmetric(img, left, top, right, bottom)
    if mode == "constant":
        if isinstance(fill, (tuple, list)):
            if len(fill) != 1:
                raise ValueError(f"pad: tensors take one fill value, got {len(fill)}")
            fill = fill[0]
        return F.pad(img, [left, right, top, bottom], mode="constant", value=float(fill or 0))
    torch_mode = {"edge": "replicate", "reflect": "reflect"}[mode]
    return _in_float(img, lambda b: F.pad(b, [left, right, top, bottom], mode=torch_mode))


def _pad_symmetric(img, left, top, right, bottom):
    h, w = img.shape[-2:]
    x, y = (
        [*range(before - 1, -1, -1), *range(size), *range(-1, -after - 1, -1)]
        for before, size, after in ((left, w, right), (top, h, bottom))
    )
    if max(left, right) > w or max(top, bottom) > h or min(left, right, top, bottom) < 0:
        raise ValueError(
            f"pad: symmetric padding must lie between 0 and the size {h}x{w}, "
            f"got {[left, top, right, bottom]}"
        )
    # Negative positions count from the end.
    return img[..., rl.tensor(y)[:, None], rl.tensor(x)[None, :]]


def _sample(img, grid, mode, fill):
    """Reads the image at `grid`, shape `(1, H, W, 2)` in [-1, 1]; `fill` is taken outside."""
    _, height, width, _ = grid.shape

    def run(batch):
        points = grid.to(batch.dtype).expand(batch.shape[0], height, width, 2)
        if fill is None:
            return _grid_sample(batch, points, mode)
        # A further channel of ones becomes the share of each output pixel that lies in the image.
        ones = rl.ones_like(batch[:, :1])
        out = _grid_sample(rl.cat([batch, ones], 1), points, mode)
        out, share = out[:, :-1], out[:, -1:].expand_as(out[:, :-1])
        colour = rl.tensor(fill, dtype=out.dtype).view(1, -1, 1, 1).expand_as(out)
        if mode == "nearest":
            return rl.where(share < 0.5, colour, out)
        return out * share + (1.0 - share) * colour

    return _in_float(img, run)


def _grid_sample(batch, grid, mode):
    return F.grid_sample(batch, grid, mode=mode, padding_mode="zeros", align_corners=False)


def _fill_list(img, fill):
    """`fill` as a list of floats, one for each channel or one for all; None stays."""
    if fill is None:
        return None
    values = [float(v) for v in fill] if isinstance(fill, (tuple, list)) else [float(fill)]
    channels = dimensions(img)[0]
    if len(values) not in (1, channels):
        raise ValueError(
            f"fill: expected one value or one for each of {channels} channels, got {len(values)}"
        )
    return values


def _check_mode(interpolation, name, modes=("nearest", "bilinear")):
    """ValueError unless tensors can be warped in this way; bicubic bytes could overflow."""
    if interpolation.value not in modes:
        raise ValueError(
            f"{name}: tensors are warped by {' or '.join(modes)}, got {interpolation.value!r}"
        )
    return interpolation.value


def _grid_dtype(img):
    return img.dtype if img.is_floating_point() else rl.float32


def _centres(width, height, offset_x, offset_y, dtype):
    """Homogeneous coordinates of pixel centres, shape `(H * W, 3)`."""
    x = rl.linspace(offset_x + 0.5, offset_x + width - 0.5, width, dtype=dtype)
    y = rl.linspace(offset_y + 0.5, offset_y + height - 0.5, height, dtype=dtype)
    grid = rl.stack(
        [
            x.expand(height, width),
            y[:, None].expand(height, width),
            rl.ones(height, width, dtype=dtype),
        ],
        -1,
    )
    return grid.view(-1, 3)


def warp_affine(img, matrix, interpolation, fill, size=None):
    """Warps by an inverse matrix about the middle; `size` is the output's (width, height)."""
    mode = _check_mode(interpolation, "affine")
    height, width = img.shape[-2:]
    out_width, out_height = size or (width, height)
    dtype = _grid_dtype(img)
    half = rl.tensor([0.5 * width, 0.5 * height], dtype=dtype)
    theta = rl.tensor(matrix, dtype=dtype).view(2, 3).T / half
    grid = _centres(out_width, out_height, -0.5 * out_width, -0.5 * out_height, dtype) @ theta
    grid = grid.view(1, out_height, out_width, 2)
    return _sample(img, grid, mode, _fill_list(img, fill))


def perspective(img, coeffs, interpolation, fill):
    mode = _check_mode(interpolation, "perspective")
    height, width = img.shape[-2:]
    dtype = _grid_dtype(img)
    half = rl.tensor([0.5 * width, 0.5 * height], dtype=dtype)
    top = rl.tensor(coeffs[:6], dtype=dtype).view(2, 3).T / half
    below = rl.tensor([*coeffs[6:], 1.0], dtype=dtype).view(3, 1)
    points = _centres(width, height, 0.0, 0.0, dtype)
    grid = (points @ top) / (points @ below) - 1.0
    grid = grid.view(1, height, width, 2)
    return _sample(img, grid, mode, _fill_list(img, fill))


def elastic(img, displacement, interpolation, fill):
    mode = _check_mode(interpolation, "elastic_transform", ("nearest", "bilinear", "bicubic"))
    height, width = img.shape[-2:]
    y = rl.linspace((1 - height) / height, (height - 1) / height, height)
    x = rl.linspace((1 - width) / width, (width - 1) / width, width)
    identity = rl.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)
    grid = identity.unsqueeze(0) + displacement
    return _sample(img, grid, mode, _fill_list(img, fill))


def _gaussian(size, sigma, dtype):
    half = (size - 1) * 0.5
    x = rl.linspace(-half, half, size, dtype=dtype)
    weights = (-0.5 * (x / sigma).square()).exp()
    return weights / weights.sum()


def gaussian_blur(img, kernel_size, sigma):
    """`kernel_size` and `sigma` are pairs (x, y)."""

    def run(batch):
        kernel_x, kernel_y = (
            _gaussian(size, spread, batch.dtype) for size, spread in zip(kernel_size, sigma)
        )
        channels = batch.shape[1]
        kernel = (kernel_y[:, None] * kernel_x[None, :]).expand(channels, 1, -1, -1)
        half_x, half_y = kernel_size[0] // 2, kernel_size[1] // 2
        padded = F.pad(batch, [half_x, half_x, half_y, half_y], mode="reflect")
        return F.conv2d(padded, kernel, groups=channels)

    return _in_float(img, run)
