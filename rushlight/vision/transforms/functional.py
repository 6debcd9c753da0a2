"""Operations on images, each on Pillow images and on tensors `(..., C, H, W)`: no randomness here.

Arguments are checked and normalised here; `_pil.py`, `_tensor_geometry.py` and `_tensor_color.py`
do the work. Between tensors, arrays and images converts `_conversion.py`. A new operation is a
function in each of the backends, and one here that chooses.
"""

import numbers

import rushlight as rl

from .._pillow import is_pil
from . import _matrices, _pil, _tensor_color, _tensor_geometry
from ._conversion import (
    convert_image_dtype,
    pil_to_tensor,
    to_pil_image,
    to_tensor,
)
from ._interpolation import InterpolationMode, check_interpolation

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "elastic_transform",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]


def _choose(img, name, for_tensors):
    """The module that works on `img`; TypeError if it is no image."""
    if is_pil(img):
        return _pil
    if isinstance(img, rl.Tensor) and img.ndim >= 2:
        return for_tensors
    got = f"a tensor of shape {tuple(img.shape)}" if isinstance(img, rl.Tensor) else type(img)
    raise TypeError(f"{name}: expected a PIL image or a tensor (..., H, W), got {got}")


def _geometry(img, name):
    return _choose(img, name, _tensor_geometry)


def _color(img, name):
    return _choose(img, name, _tensor_color)


def check_size(size, name="size"):
    """`[height, width]` from a number or a sequence of one or two."""
    if isinstance(size, numbers.Number):
        return [int(size), int(size)]
    if len(size) not in (1, 2):
        raise ValueError(f"{name}: expected one or two numbers (height, width), got {size!r}")
    return [size[0], size[-1]]


def get_dimensions(img):
    """`[channels, height, width]`."""
    return _geometry(img, "get_dimensions").dimensions(img)


def get_image_size(img):
    """`[width, height]`."""
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img):
    """The number of channels."""
    return get_dimensions(img)[0]


def normalize(tensor, mean, std, inplace=False):
    """`(tensor - mean) / std`, channel by channel, of a floating tensor `(..., C, H, W)`.

    Example::

        >>> import rushlight as rl
        >>> from rushlight.vision.transforms import functional as F
        >>> F.normalize(rl.ones(1, 1, 2), [0.5], [0.25])
        tensor([[[2., 2.]]])
    """
    if not isinstance(tensor, rl.Tensor):
        raise TypeError(f"normalize: expected a tensor, got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(
            f"normalize: expected a floating tensor, got {tensor.dtype}; convert_image_dtype first"
        )
    if tensor.ndim < 3:
        raise ValueError(f"normalize: expected (..., C, H, W), got {tuple(tensor.shape)}")
    mean = rl.as_tensor(mean, dtype=tensor.dtype, device=tensor.device)
    std = rl.as_tensor(std, dtype=tensor.dtype, device=tensor.device)
    if (std == 0).any():
        raise ValueError(f"normalize: std has a zero (as {tensor.dtype}), which would divide by it")
    mean, std = (v.view(-1, 1, 1) if v.ndim == 1 else v for v in (mean, std))
    if inplace:
        return tensor.sub_(mean).div_(std)
    return tensor.sub(mean).div_(std)


def _output_size(height, width, size, max_size):
    """`[height, width]` after resizing: `size` is a pair, or the length of the shorter edge."""
    if size is not None and not isinstance(size, int) and len(size) == 2:
        if max_size is not None:
            raise ValueError("resize: max_size goes with a size of one number only")
        return list(size)
    short, long = min(height, width), max(height, width)
    if size is None:
        if max_size is None:
            raise ValueError("resize: expected size or max_size, got neither")
        new_short, new_long = int(max_size * short / long), max_size
    else:
        new_short = size if isinstance(size, int) else size[0]
        new_long = int(new_short * long / short)
        if max_size is not None and max_size <= new_short:
            raise ValueError(f"resize: max_size {max_size} must exceed the size {new_short}")
        if max_size is not None and new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if width <= height else [new_short, new_long]


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """Resizes to `size`: (height, width), or the length of the shorter edge.

    Args:
        max_size: with a single number, the greatest length of the longer edge.
        antialias: whether tensors are smoothed when made smaller; Pillow always does.
    """
    interpolation = check_interpolation(interpolation)
    backend = _geometry(img, "resize")
    _, height, width = get_dimensions(img)
    target = _output_size(height, width, size, max_size)
    if target == [height, width]:
        return img
    return backend.resize(img, target, interpolation, antialias)


def check_padding(padding):
    """`(left, top, right, bottom)` from one, two (x, y) or four numbers."""
    if isinstance(padding, numbers.Number):
        return (padding,) * 4
    if not isinstance(padding, (tuple, list)):
        raise TypeError(f"pad: expected padding as a number, tuple or list, got {type(padding)}")
    if len(padding) not in (1, 2, 4):
        raise ValueError(f"pad: expected padding of 1, 2 or 4 numbers, got {len(padding)}")
    return tuple(padding) * (4 // len(padding))


def pad(img, padding, fill=0, padding_mode="constant"):
    """Pads by `padding`: one number, (x, y) or (left, top, right, bottom).

    `padding_mode` is "constant" (with `fill`), "edge", "reflect" (without repeating the edge) or
    "symmetric" (repeating it).
    """
    backend = _geometry(img, "pad")
    if not isinstance(fill, (numbers.Number, tuple, list, type(None))):
        raise TypeError(f"pad: expected fill as number, tuple or list, got {type(fill)}")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(
            f"pad: expected constant, edge, reflect or symmetric, got {padding_mode!r}"
        )
    return backend.pad(img, *check_padding(padding), fill, padding_mode)


def crop(img, top, left, height, width):
    """The rectangle from (top, left); what lies outside of the image is zero."""
    return _geometry(img, "crop").crop(img, top, left, height, width)


def center_crop(img, output_size):
    """The middle of the image, padded with zeros where it is smaller than `output_size`."""
    crop_height, crop_width = check_size(output_size, "center_crop")
    _, height, width = get_dimensions(img)
    if crop_width > width or crop_height > height:
        x, y = max(crop_width - width, 0), max(crop_height - height, 0)
        img = pad(img, (x // 2, y // 2, (x + 1) // 2, (y + 1) // 2))
        _, height, width = get_dimensions(img)
    if (crop_height, crop_width) == (height, width):
        return img
    top, left = round((height - crop_height) / 2.0), round((width - crop_width) / 2.0)
    return crop(img, top, left, crop_height, crop_width)


def resized_crop(
    img, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias=True
):
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img):
    """Left and right exchanged."""
    return _geometry(img, "hflip").hflip(img)


def vflip(img):
    """Top and bottom exchanged."""
    return _geometry(img, "vflip").vflip(img)


def five_crop(img, size):
    """The four corners (top left, top right, bottom left, bottom right) and the middle."""
    h, w = check_size(size, "five_crop")
    _, height, width = get_dimensions(img)
    if h > height or w > width:
        raise ValueError(f"five_crop: size {(h, w)} is larger than the image {(height, width)}")
    corners = [(0, 0), (0, width - w), (height - h, 0), (height - h, width - w)]
    return (*(crop(img, top, left, h, w) for top, left in corners), center_crop(img, [h, w]))


def ten_crop(img, size, vertical_flip=False):
    """`five_crop` of the image and of its mirror image."""
    flipped = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(flipped, size)


def perspective(img, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Warps so that four `startpoints` [x, y] move to `endpoints`."""
    interpolation = check_interpolation(interpolation)
    coeffs = _matrices.perspective(startpoints, endpoints)
    return _geometry(img, "perspective").perspective(img, coeffs, interpolation, fill)


def _check_center(center, name):
    if center is not None and (not isinstance(center, (list, tuple)) or len(center) != 2):
        raise ValueError(f"{name}: expected center as [x, y], got {center!r}")


def _from_middle(center, width, height):
    """Tensors are warped about their middle: `center` relative to it."""
    return [0.0, 0.0] if center is None else [center[0] - 0.5 * width, center[1] - 0.5 * height]


def rotate(
    img, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None
):
    """Rotates counter-clockwise by `angle` degrees about `center` [x, y], the middle if None.

    With `expand` the output holds the whole rotated image; `center` is then of no use.
    """
    interpolation = check_interpolation(interpolation)
    if not isinstance(angle, numbers.Number):
        raise TypeError(f"rotate: expected angle as a number, got {type(angle)}")
    _check_center(center, "rotate")
    backend = _geometry(img, "rotate")
    if backend is _pil:
        return _pil.rotate(img, angle, interpolation, expand, center, fill)
    _, height, width = get_dimensions(img)
    middle = _from_middle(center, width, height)
    matrix = _matrices.inverse_affine(middle, -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    size = _matrices.affine_output_size(matrix, width, height) if expand else None
    return _tensor_geometry.warp_affine(img, matrix, interpolation, fill, size)


def affine(
    img,
    angle,
    translate,
    scale,
    shear,
    interpolation=InterpolationMode.NEAREST,
    fill=None,
    center=None,
):
    """Rotates clockwise, moves, scales and shears about `center`, the middle if None.

    Args:
        angle: degrees.
        translate: pixels [x, y].
        scale: positive factor.
        shear: degrees, one number for x or [x, y].
    """
    interpolation = check_interpolation(interpolation)
    if not isinstance(angle, numbers.Number):
        raise TypeError(f"affine: expected angle as a number, got {type(angle)}")
    if not isinstance(translate, (list, tuple)):
        raise TypeError(f"affine: expected translate as a list or tuple, got {type(translate)}")
    if len(translate) != 2:
        raise ValueError(f"affine: expected translate as [x, y], got {translate!r}")
    if scale <= 0.0:
        raise ValueError(f"affine: expected a positive scale, got {scale}")
    shear = _check_shear(shear)
    _check_center(center, "affine")
    backend = _geometry(img, "affine")
    _, height, width = get_dimensions(img)
    middle = _from_middle(center, width, height)
    if backend is _pil:
        middle = center or [width * 0.5, height * 0.5]
    matrix = _matrices.inverse_affine(middle, angle, translate, scale, shear)
    return backend.warp_affine(img, matrix, interpolation, fill)


def _check_shear(shear):
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError(f"affine: expected shear as a number or [x, y], got {type(shear)}")
    if isinstance(shear, numbers.Number):
        return [shear, 0.0]
    if len(shear) not in (1, 2):
        raise ValueError(f"affine: expected shear as [x, y], got {shear!r}")
    return [shear[0], shear[-1]]


def elastic_transform(img, displacement, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Moves each pixel by `displacement`, shape `(1, H, W, 2)` in units of half the image's size.

    Simard, Steinkraus, Platt: Best practices for convolutional neural networks (2003).
    """
    interpolation = check_interpolation(interpolation)
    if not isinstance(displacement, rl.Tensor):
        raise TypeError(f"elastic_transform: expected a tensor, got {type(displacement)}")
    _geometry(img, "elastic_transform")
    _, height, width = get_dimensions(img)
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(
            f"elastic_transform: expected a displacement of shape {(1, height, width, 2)}, "
            f"got {tuple(displacement.shape)}"
        )
    return _on_tensor(img, lambda t: _tensor_geometry.elastic(t, displacement, interpolation, fill))


def _on_tensor(img, operation):
    """Runs an operation for tensors on a Pillow image as well."""
    if not is_pil(img):
        return operation(img)
    return to_pil_image(operation(pil_to_tensor(img)), mode=img.mode)


def gaussian_blur(img, kernel_size, sigma=None):
    """Smooths with a Gaussian of odd `kernel_size` (x, y) and standard deviation `sigma` (x, y).

    `sigma` is `0.15 * kernel_size + 0.35` if None; the border is reflected.
    """
    kernel_size = _pair(kernel_size, "kernel_size")
    if any(size % 2 == 0 or size < 0 for size in kernel_size):
        raise ValueError(f"gaussian_blur: expected odd positive sizes, got {kernel_size}")
    sigma = [0.15 * k + 0.35 for k in kernel_size] if sigma is None else _pair(sigma, "sigma")
    if any(value <= 0.0 for value in sigma):
        raise ValueError(f"gaussian_blur: expected positive sigma, got {sigma}")
    _geometry(img, "gaussian_blur")
    return _on_tensor(img, lambda t: _tensor_geometry.gaussian_blur(t, kernel_size, sigma))


def _pair(value, name):
    if isinstance(value, numbers.Number):
        return [value, value]
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"gaussian_blur: expected {name} as numbers, got {type(value)}")
    if len(value) not in (1, 2):
        raise ValueError(f"gaussian_blur: expected {name} of one or two numbers, got {value!r}")
    return [value[0], value[-1]]


def erase(img, i, j, h, w, v, inplace=False):
    """Writes `v` over the rectangle of height `h` and width `w` at row `i`, column `j`.

    For tensors and, with `v` a byte tensor that broadcasts, Pillow images.
    """
    _geometry(img, "erase")

    def run(tensor):
        tensor = tensor if inplace else tensor.clone()
        tensor[..., i : i + h, j : j + w] = v
        return tensor

    return _on_tensor(img, run)


def to_grayscale(img, num_output_channels=1):
    """A grey version of a Pillow image, with one or three equal channels."""
    if not is_pil(img):
        raise TypeError(f"to_grayscale: expected a PIL image, got {type(img)}; rgb_to_grayscale")
    return rgb_to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img, num_output_channels=1):
    """Luma by ITU-R BT.601 (0.299 R + 0.587 G + 0.114 B), in one or three equal channels."""
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels: expected 1 or 3, got {num_output_channels}")
    return _color(img, "rgb_to_grayscale").to_grayscale(img, num_output_channels)


def _check_factor(factor, name):
    if factor < 0:
        raise ValueError(f"{name}: expected a factor of at least 0, got {factor}")


def adjust_brightness(img, brightness_factor):
    """Scales brightness: 0 is black, 1 the image."""
    _check_factor(brightness_factor, "adjust_brightness")
    return _color(img, "adjust_brightness").adjust_brightness(img, brightness_factor)


def adjust_contrast(img, contrast_factor):
    """Scales the distance from the mean grey: 0 is grey, 1 the image."""
    _check_factor(contrast_factor, "adjust_contrast")
    return _color(img, "adjust_contrast").adjust_contrast(img, contrast_factor)


def adjust_saturation(img, saturation_factor):
    """Scales the distance from the grey version: 0 is that, 1 the image."""
    _check_factor(saturation_factor, "adjust_saturation")
    return _color(img, "adjust_saturation").adjust_saturation(img, saturation_factor)


def adjust_hue(img, hue_factor):
    """Turns the hue by `hue_factor` of the colour circle, from -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"adjust_hue: expected a factor in [-0.5, 0.5], got {hue_factor}")
    return _color(img, "adjust_hue").adjust_hue(img, hue_factor)


def adjust_gamma(img, gamma, gain=1):
    """`gain * value ** gamma` of values in [0, 1]."""
    _check_factor(gamma, "adjust_gamma")
    return _color(img, "adjust_gamma").adjust_gamma(img, gamma, gain)


def adjust_sharpness(img, sharpness_factor):
    """0 is smoothed, 1 the image, more is sharper."""
    _check_factor(sharpness_factor, "adjust_sharpness")
    return _color(img, "adjust_sharpness").adjust_sharpness(img, sharpness_factor)


def invert(img):
    """The negative."""
    return _color(img, "invert").invert(img)


def posterize(img, bits):
    """Keeps the upper `bits` (0 to 8) of every byte."""
    if not 0 <= bits <= 8:
        raise ValueError(f"posterize: expected bits in [0, 8], got {bits}")
    return _color(img, "posterize").posterize(img, bits)


def solarize(img, threshold):
    """Inverts values from `threshold` up."""
    return _color(img, "solarize").solarize(img, threshold)


def autocontrast(img):
    """Stretches each channel to the full range."""
    return _color(img, "autocontrast").autocontrast(img)


def equalize(img):
    """Flattens the histogram of each channel of bytes."""
    return _color(img, "equalize").equalize(img)
