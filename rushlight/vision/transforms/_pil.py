"""The operations on Pillow images, mostly Pillow's own.

Arguments have been checked and normalised by `functional.py`. The functions here have the names and
arguments of those in `_tensor_geometry.py` and `_tensor_color.py`.
"""

from .._pillow import pillow

_RESAMPLING = {
    "nearest": 0,
    "nearest-exact": 0,
    "lanczos": 1,
    "bilinear": 2,
    "bicubic": 3,
    "box": 4,
    "hamming": 5,
}


def _resampling(interpolation):
    return _RESAMPLING[interpolation.value]


def dimensions(img):
    width, height = img.size
    return [len(img.getbands()), height, width]


def _fill_value(img, fill):
    """`fill` as Pillow takes it: one number, or a tuple with one for each band."""
    bands = len(img.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and bands > 1:
        fill = (fill,) * bands
    if isinstance(fill, (tuple, list)):
        fill = tuple(fill) * (bands if len(fill) == 1 else 1)
        if len(fill) != bands:
            raise ValueError(f"fill: expected one value or {bands}, got {len(fill)}")
    if img.mode == "F":
        return fill
    return tuple(int(v) for v in fill) if isinstance(fill, tuple) else int(fill)


def resize(img, size, interpolation, antialias):
    # Pillow always smooths when it makes images smaller.
    return img.resize((size[1], size[0]), _resampling(interpolation))


def hflip(img):
    return img.transpose(pillow("Image").Transpose.FLIP_LEFT_RIGHT)


def vflip(img):
    return img.transpose(pillow("Image").Transpose.FLIP_TOP_BOTTOM)


def crop(img, top, left, height, width):
    return img.crop((left, top, left + width, top + height))


def pad(img, left, top, right, bottom, fill, mode):
    if mode == "constant":
        return _pad_constant(img, left, top, right, bottom, fill)
    import numpy as np

    if min(left, top, right, bottom) < 0:
        width, height = img.size
        img = img.crop(
            (max(-left, 0), max(-top, 0), width + min(right, 0), height + min(bottom, 0))
        )
        left, top, right, bottom = (max(p, 0) for p in (left, top, right, bottom))
    array = np.asarray(img)
    widths = [(top, bottom), (left, right)] + [(0, 0)] * (array.ndim - 2)
    out = pillow("Image").fromarray(np.pad(array, widths, mode))
    if img.mode == "P":
        out.putpalette(img.getpalette())
    return out


def _pad_constant(img, left, top, right, bottom, fill):
    fill = _fill_value(img, fill)
    if img.mode == "P" and isinstance(fill, tuple):
        fill = fill[0]
    # `expand` draws a palette image on its palette's colour of the fill.
    return pillow("ImageOps").expand(img, border=(left, top, right, bottom), fill=fill)


def warp_affine(img, matrix, interpolation, fill):
    method = pillow("Image").Transform.AFFINE
    resample, colour = _resampling(interpolation), _fill_value(img, fill)
    return img.transform(img.size, method, matrix, resample, fillcolor=colour)


def rotate(img, angle, interpolation, expand, center, fill):
    return img.rotate(
        angle, _resampling(interpolation), expand, center, fillcolor=_fill_value(img, fill)
    )


def perspective(img, coeffs, interpolation, fill):
    method = pillow("Image").Transform.PERSPECTIVE
    resample, colour = _resampling(interpolation), _fill_value(img, fill)
    return img.transform(img.size, method, coeffs, resample, fillcolor=colour)


def to_grayscale(img, num_output_channels):
    gray = img.convert("L")
    return gray if num_output_channels == 1 else pillow("Image").merge("RGB", [gray] * 3)


def adjust_brightness(img, factor):
    return pillow("ImageEnhance").Brightness(img).enhance(factor)


def adjust_contrast(img, factor):
    return pillow("ImageEnhance").Contrast(img).enhance(factor)


def adjust_saturation(img, factor):
    return pillow("ImageEnhance").Color(img).enhance(factor)


def adjust_sharpness(img, factor):
    return pillow("ImageEnhance").Sharpness(img).enhance(factor)


def adjust_hue(img, factor):
    if img.mode in ("L", "1", "I", "F"):
        return img
    hue, saturation, value = img.convert("HSV").split()
    shift = int(factor * 255)
    hue = hue.point([(h + shift) % 256 for h in range(256)])
    return pillow("Image").merge("HSV", (hue, saturation, value)).convert(img.mode)


def adjust_gamma(img, gamma, gain):
    table = [int((255 + 1 - 1e-3) * gain * pow(v / 255.0, gamma)) for v in range(256)]
    return img.convert("RGB").point(table * 3).convert(img.mode)


def invert(img):
    return pillow("ImageOps").invert(img)


def posterize(img, bits):
    return pillow("ImageOps").posterize(img, bits)


def solarize(img, threshold):
    return pillow("ImageOps").solarize(img, threshold)


def autocontrast(img):
    return pillow("ImageOps").autocontrast(img)


def equalize(img):
    return pillow("ImageOps").equalize(img)
