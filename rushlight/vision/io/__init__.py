"""Image files: bytes to tensors `(C, H, W)` and back, through Pillow.

Videos are not here. A new format is a pair of functions here.
"""

import enum
import io as _io

import rushlight as rl

from .._pillow import pillow
from ..transforms.functional import pil_to_tensor, to_pil_image

__all__ = [
    "ImageReadMode",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(enum.Enum):
    """Into which colours a file is converted; UNCHANGED keeps those that it has."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_PIL_MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}


def read_file(path):
    """The bytes of a file, uint8 of one dimension."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    return rl.frombuffer(data, dtype=rl.uint8) if data else rl.empty(0, dtype=rl.uint8)


def write_file(filename, data):
    """Writes uint8 of one dimension to a file."""
    _check_bytes(data, "write_file")
    with open(filename, "wb") as file:
        file.write(data.numpy().tobytes())


def _check_bytes(data, name):
    if not isinstance(data, rl.Tensor) or data.dtype != rl.uint8 or data.ndim != 1:
        raise RuntimeError(f"{name}: expected a uint8 tensor of one dimension")


def _read_mode(mode):
    if isinstance(mode, str):
        return ImageReadMode[mode.upper()]
    return ImageReadMode(mode) if isinstance(mode, int) else mode


def decode_image(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """The image in the bytes or file `input` as uint8 `(C, H, W)`.

    Args:
        input: uint8 tensor of one dimension, or a path.
        mode: an `ImageReadMode` or its name.
        apply_exif_orientation: whether to turn the picture as its metadata says.

    Raises RuntimeError if the bytes are no image that Pillow knows.
    """
    return _decode(input, mode, apply_exif_orientation, None, "decode_image")


def decode_png(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """`decode_image` of PNG only."""
    return _decode(input, mode, apply_exif_orientation, ["PNG"], "decode_png")


def decode_jpeg(input, mode=ImageReadMode.UNCHANGED, device="cpu", apply_exif_orientation=False):
    """`decode_image` of JPEG only, on the CPU."""
    if rl.device(device).type != "cpu":
        raise NotImplementedError(f"decode_jpeg: only the CPU decodes, got {device}")
    return _decode(input, mode, apply_exif_orientation, ["JPEG"], "decode_jpeg")


def _decode(input, mode, turn, formats, name):
    data = input if isinstance(input, rl.Tensor) else read_file(input)
    _check_bytes(data, name)
    try:
        image = pillow("Image").open(_io.BytesIO(data.numpy().tobytes()), formats=formats)
        image.load()
    except (pillow("Image").UnidentifiedImageError, OSError, SyntaxError) as error:
        raise RuntimeError(f"{name}: the bytes can't be decoded: {error}") from error
    if turn:
        image = pillow("ImageOps").exif_transpose(image)
    mode = _read_mode(mode)
    if mode is not ImageReadMode.UNCHANGED:
        image = image.convert(_PIL_MODES[mode.name])
    elif image.mode in ("P", "1"):
        image = image.convert("RGB" if image.mode == "P" else "L")
    return pil_to_tensor(image).contiguous()


def read_image(path, mode=ImageReadMode.UNCHANGED, apply_exif_orientation=False):
    """The image in a file as uint8 `(C, H, W)`; arguments are those of `decode_image`."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def _encode(input, name, format, **options):
    if not isinstance(input, rl.Tensor) or input.dtype != rl.uint8 or input.ndim != 3:
        raise RuntimeError(f"{name}: expected a uint8 tensor (C, H, W)")
    if input.shape[0] not in (1, 3):
        raise RuntimeError(f"{name}: expected 1 or 3 channels, got {input.shape[0]}")
    buffer = _io.BytesIO()
    to_pil_image(input).save(buffer, format, **options)
    return rl.frombuffer(bytearray(buffer.getvalue()), dtype=rl.uint8)


def encode_png(input, compression_level=6):
    """The bytes of a PNG of `(C, H, W)`, uint8 of 1 or 3 channels."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError(f"encode_png: compression level {compression_level} is not in [0, 9]")
    return _encode(input, "encode_png", "PNG", compress_level=compression_level)


def encode_jpeg(input, quality=75):
    """The bytes of a JPEG of `(C, H, W)`, uint8 of 1 or 3 channels; `quality` is 1 to 100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"encode_jpeg: quality {quality} is not in [1, 100]")
    return _encode(input, "encode_jpeg", "JPEG", quality=quality)


def write_png(input, filename, compression_level=6):
    """`encode_png` into a file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input, filename, quality=75):
    """`encode_jpeg` into a file."""
    write_file(filename, encode_jpeg(input, quality))
