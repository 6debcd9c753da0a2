"""How images are resampled: the names of the methods. `functional.py` makes them public."""

import enum


class InterpolationMode(enum.Enum):
    """How images are resampled; box, hamming and lanczos are for Pillow images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PILLOW_CODES = {
    0: InterpolationMode.NEAREST,
    1: InterpolationMode.LANCZOS,
    2: InterpolationMode.BILINEAR,
    3: InterpolationMode.BICUBIC,
    4: InterpolationMode.BOX,
    5: InterpolationMode.HAMMING,
}


def check_interpolation(interpolation):
    """An `InterpolationMode`, also from Pillow's number; TypeError for anything else."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int) and interpolation in _PILLOW_CODES:
        return _PILLOW_CODES[interpolation]
    raise TypeError(
        f"interpolation: expected an InterpolationMode or a Pillow constant, got {interpolation!r}"
    )
