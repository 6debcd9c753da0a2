"""Colours of image tensors `(..., C, H, W)`; floating images lie in [0, 1].

Arguments have been checked by `functional.py`. Geometry is in `_tensor_geometry.py`. The functions
here and in `_pil.py` have the same names and arguments.
"""

import rushlight as rl
import rushlight.nn.functional as F

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601


def max_value(dtype):
    """The value of white."""
    if dtype.is_floating_point or dtype == rl.bool:
        return 1
    return rl.iinfo(dtype).max


def convert_dtype(image, dtype):
    """`image` in another dtype, its values scaled between the ranges of the two."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        return image.to(dtype) if dtype.is_floating_point else _float_to_int(image, dtype)
    white = max_value(image.dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / white
    other = max_value(dtype)
    if white > other:
        return image.div((white + 1) // (other + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((other + 1) // (white + 1))


def _float_to_int(image, dtype):
    too_wide = dtype == rl.int64 or (dtype == rl.int32 and image.dtype == rl.float32)
    if too_wide and (dtype, image.dtype) != (rl.int32, rl.float64):
        raise RuntimeError(
            f"convert_image_dtype: {image.dtype} cannot hold the range of {dtype} exactly; "
            "convert to a narrower integer"
        )
    # Slightly less than one more than the maximum: every integer gets an equal share of [0, 1].
    return image.mul(max_value(dtype) + 1.0 - 1e-3).to(dtype)


def _blend(img, other, ratio):
    ratio = float(ratio)
    mixed = ratio * img + (1.0 - ratio) * other
    return mixed.clamp(0, max_value(img.dtype)).to(img.dtype)


def _check_channels(img, name):
    channels = 1 if img.ndim == 2 else img.shape[-3]
    if channels not in (1, 3):
        raise TypeError(f"{name}: expected a tensor image of 1 or 3 channels, got {channels}")
    return channels


def to_grayscale(img, num_output_channels):
    if img.ndim < 3 or _check_channels(img, "rgb_to_grayscale") == 1:
        gray = img
    else:
        red, green, blue = img.unbind(-3)
        gray = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
        gray = gray.to(img.dtype).unsqueeze(-3)
    if num_output_channels == 3 and img.ndim >= 3:
        return gray.expand(*gray.shape[:-3], 3, *gray.shape[-2:])
    return gray.clone() if gray is img else gray


def adjust_brightness(img, factor):
    _check_channels(img, "adjust_brightness")
    return _blend(img, rl.zeros_like(img), factor)


def adjust_contrast(img, factor):
    gray = to_grayscale(img, 1) if _check_channels(img, "adjust_contrast") == 3 else img
    dtype = img.dtype if img.is_floating_point() else rl.float32
    dims = (-3, -2, -1) if img.ndim > 2 else (-2, -1)
    return _blend(img, gray.to(dtype).mean(dim=dims, keepdim=True), factor)


def adjust_saturation(img, factor):
    if _check_channels(img, "adjust_saturation") == 1:
        return img
    return _blend(img, to_grayscale(img, 1), factor)


def adjust_hue(img, factor):
    if _check_channels(img, "adjust_hue") == 1 or img.numel() == 0:
        return img
    hue, saturation, value = _rgb_to_hsv(convert_dtype(img, rl.float32)).unbind(-3)
    return convert_dtype(_hsv_to_rgb((hue + factor) % 1.0, saturation, value), img.dtype)


def _rgb_to_hsv(img):
    """Smith: Color gamut transform pairs (1978), as in Python's colorsys."""
    red, green, blue = img.unbind(-3)
    high, low = img.amax(-3), img.amin(-3)
    grey = high == low
    spread = high - low
    ones = rl.ones_like(high)
    saturation = spread / rl.where(grey, ones, high)
    divisor = rl.where(grey, ones, spread)
    from_red, from_green, from_blue = ((high - c) / divisor for c in (red, green, blue))
    hue = rl.where(
        high == red,
        from_blue - from_green,
        rl.where(high == green, 2.0 + from_red - from_blue, 4.0 + from_green - from_red),
    )
    return rl.stack([(hue / 6.0 + 1.0).fmod(1.0), saturation, high], -3)


def _hsv_to_rgb(hue, saturation, value):
    sector = (hue * 6.0).floor()
    fraction = hue * 6.0 - sector
    p = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    q = (value * (1.0 - saturation * fraction)).clamp(0.0, 1.0)
    t = (value * (1.0 - saturation * (1.0 - fraction))).clamp(0.0, 1.0)
    sector = (sector.to(rl.int64) % 6).unsqueeze(0)
    channels = ([value, q, p, p, t, value], [t, value, value, q, p, p], [p, p, t, value, value, q])
    return rl.stack([rl.stack(c).gather(0, sector).squeeze(0) for c in channels], -3)


def adjust_gamma(img, gamma, gain):
    floating = img if img.is_floating_point() else convert_dtype(img, rl.float32)
    return convert_dtype((gain * floating**gamma).clamp(0, 1), img.dtype)


def adjust_sharpness(img, factor):
    _check_channels(img, "adjust_sharpness")
    height, width = img.shape[-2:]
    return img if height <= 2 or width <= 2 else _blend(img, _smoothed(img), factor)


def _smoothed(img):
    """Pillow's SMOOTH filter: a 3x3 mean with weight five in the middle; borders are kept."""
    dtype = img.dtype if img.is_floating_point() else rl.float32
    kernel = rl.ones(3, 3, dtype=dtype)
    kernel[1, 1] = 5.0
    kernel = (kernel / kernel.sum()).expand(1, 1, 3, 3)
    planes = img.reshape(-1, 1, *img.shape[-2:]).to(dtype)
    inner = F.conv2d(planes, kernel)
    if not img.is_floating_point():
        inner = inner.round()
    out = img.clone()
    out[..., 1:-1, 1:-1] = inner.reshape(*img.shape[:-2], *inner.shape[-2:]).to(img.dtype)
    return out


def invert(img):
    _check_channels(img, "invert")
    return max_value(img.dtype) - img


def posterize(img, bits):
    _check_channels(img, "posterize")
    _check_bytes(img, "posterize")
    return img & (256 - 2 ** (8 - bits))


def _check_bytes(img, name):
    if img.dtype != rl.uint8:
        raise TypeError(f"{name}: expected a uint8 tensor image, got {img.dtype}")


def solarize(img, threshold):
    _check_channels(img, "solarize")
    if threshold > max_value(img.dtype):
        raise TypeError(f"solarize: threshold {threshold} is above white of {img.dtype}")
    return rl.where(img >= threshold, invert(img), img)


def autocontrast(img):
    _check_channels(img, "autocontrast")
    white = max_value(img.dtype)
    dtype = img.dtype if img.is_floating_point() else rl.float32
    low = img.amin(dim=(-2, -1), keepdim=True).to(dtype)
    high = img.amax(dim=(-2, -1), keepdim=True).to(dtype)
    # A product with the reciprocal, which rounds differently from a quotient.
    scale = (high - low).reciprocal() * white
    flat = ~scale.isfinite()
    low, scale = low.masked_fill(flat, 0), scale.masked_fill(flat, 1)
    return ((img - low) * scale).clamp(0, white).to(img.dtype)


def equalize(img):
    _check_channels(img, "equalize")
    _check_bytes(img, "equalize")
    planes = [_equalize_plane(p) for p in img.reshape(-1, *img.shape[-2:])]
    return rl.stack(planes).reshape(img.shape) if planes else img


def _equalize_plane(plane):
    histogram = rl.bincount(plane.reshape(-1).long(), minlength=256)
    used = histogram[histogram != 0]
    step = int(used[:-1].sum()) // 255
    if step == 0:
        return plane
    table = (histogram.cumsum(0) + step // 2).div(step, rounding_mode="floor")
    table = F.pad(table, [1, 0])[:-1].clamp(0, 255)
    return table[plane.long()].to(rl.uint8)
