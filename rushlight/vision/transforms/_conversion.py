"""Conversions between Pillow images, NumPy arrays and tensors; public through `functional.py`."""

import sys

import rushlight as rl

from .._pillow import is_pil, pillow
from . import _tensor_color

# Modes of Pillow whose pixels are no bytes, and their NumPy types.
_WIDE_MODES = {"I": "int32", "F": "float32"}
_WIDE_MODES["I;16" if sys.byteorder == "little" else "I;16B"] = "int16"
# NumPy types of one channel, and the mode that they make.
_MODES_BY_TYPE = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}
_MODES_BY_CHANNELS = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}


def _is_array(value):
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _from_pil(pic, dtype=None):
    """The pixels `(C, H, W)`, without a copy of the permuted data."""
    import numpy as np

    array = np.array(pic, dtype, copy=True)
    height, width = array.shape[:2]
    return rl.as_tensor(array).view(height, width, len(pic.getbands())).permute(2, 0, 1)


def to_tensor(pic):
    """A Pillow image or array `(H, W)` or `(H, W, C)` as a tensor `(C, H, W)`.

    Bytes become floating numbers in [0, 1]; other types are kept.

    Example::

        >>> import numpy as np
        >>> from rushlight.vision.transforms import functional as F
        >>> F.to_tensor(np.array([[0, 255]], np.uint8))
        tensor([[[0., 1.]]])
    """
    if _is_array(pic):
        if pic.ndim not in (2, 3):
            raise ValueError(f"to_tensor: expected an array of 2 or 3 dimensions, got {pic.ndim}")
        planes = rl.from_numpy(pic[:, :, None] if pic.ndim == 2 else pic).permute(2, 0, 1)
    elif is_pil(pic):
        planes = _from_pil(pic, _WIDE_MODES.get(pic.mode, "uint8"))
        planes = planes * 255 if pic.mode == "1" else planes
    else:
        raise TypeError(f"to_tensor: expected a PIL image or an ndarray, got {type(pic)}")
    planes = planes.contiguous()
    return planes.to(rl.get_default_dtype()).div(255) if planes.dtype == rl.uint8 else planes


def pil_to_tensor(pic):
    """A Pillow image as a tensor `(C, H, W)` of the same type, values unscaled."""
    if not is_pil(pic):
        raise TypeError(f"pil_to_tensor: expected a PIL image, got {type(pic)}")
    return _from_pil(pic, _WIDE_MODES.get(pic.mode))


def convert_image_dtype(image, dtype=rl.float32):
    """A tensor image in another dtype, scaled so that black and white stay black and white.

    Raises RuntimeError where the floating type can't hold the integer's range.
    """
    if not isinstance(image, rl.Tensor):
        raise TypeError(f"convert_image_dtype: expected a tensor, got {type(image)}")
    return _tensor_color.convert_dtype(image, dtype)


def to_pil_image(pic, mode=None):
    """A tensor `(C, H, W)` or `(H, W)`, or an array `(H, W, C)` or `(H, W)`, as a Pillow image.

    Floating tensors are taken to lie in [0, 1], unless `mode` is "F".

    Raises TypeError for other types, ValueError for other numbers of channels and unfit modes.
    """
    if isinstance(pic, rl.Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"to_pil_image: expected 2 or 3 dimensions, got {pic.ndim}")
        pic = pic.unsqueeze(0) if pic.ndim == 2 else pic
        if pic.is_floating_point() and mode != "F":
            pic = pic.mul(255).byte()
        array = pic.detach().permute(1, 2, 0).numpy()
    elif _is_array(pic):
        if pic.ndim not in (2, 3):
            raise ValueError(f"to_pil_image: expected 2 or 3 dimensions, got {pic.ndim}")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"to_pil_image: expected a tensor or an ndarray, got {type(pic)}")
    mode = _mode(array, mode)
    height, width = array.shape[:2]
    return pillow("Image").frombytes(mode, (width, height), array.tobytes())


def _mode(array, mode):
    """The Pillow mode of an array `(H, W, C)`, which must be `mode` unless that is None."""
    channels, kind = array.shape[2], str(array.dtype)
    if channels == 1:
        if kind not in _MODES_BY_TYPE:
            raise TypeError(f"to_pil_image: no image mode has elements of type {kind}")
        fitting = (_MODES_BY_TYPE[kind],)
    elif channels not in _MODES_BY_CHANNELS:
        raise ValueError(f"to_pil_image: expected 1 to 4 channels, got {channels}")
    elif kind != "uint8":
        raise TypeError(f"to_pil_image: {channels} channels must be uint8, got {kind}")
    else:
        fitting = _MODES_BY_CHANNELS[channels]
    if mode is not None and mode not in fitting:
        raise ValueError(
            f"to_pil_image: mode {mode!r} does not fit {channels} channel(s) of {kind}; "
            f"expected {' or '.join(fitting)}"
        )
    return mode or fitting[0]
