"""Transforms that change size, without randomness but for the place of a crop or a mirror.

Random warps are in `random_geometry.py`, colours in `color.py`.
"""

import math
import warnings

import rushlight as rl
from rushlight import nn

from . import functional as F
from ._draw import happens, integer, uniform
from .functional import InterpolationMode
from ._interpolation import check_interpolation

__all__ = [
    "CenterCrop",
    "FiveCrop",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
]


def _size_pair(size):
    height, width = F.check_size(size)
    return (height, width)


class Resize(nn.Module):
    """Resizes to `size`: (height, width), or the length of the shorter edge.

    Args:
        interpolation: an `InterpolationMode` or Pillow's number.
        max_size: with a single number, the greatest length of the longer edge.
        antialias: whether tensors are smoothed when made smaller; Pillow always does.
    """

    def __init__(
        self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True
    ):
        super().__init__()
        if size is not None and not isinstance(size, (int, list, tuple)):
            raise TypeError(f"Resize: expected size as int or sequence, got {type(size)}")
        if isinstance(size, (list, tuple)) and len(size) not in (1, 2):
            raise ValueError(f"Resize: expected size of one or two numbers, got {size!r}")
        self.size = size
        self.max_size = max_size
        self.interpolation = check_interpolation(interpolation)
        self.antialias = antialias

    def forward(self, img):
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self):
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class CenterCrop(nn.Module):
    """The middle of the image, padded with zeros where the image is smaller than `size`."""

    def __init__(self, size):
        super().__init__()
        self.size = _size_pair(size)

    def forward(self, img):
        return F.center_crop(img, self.size)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size})"


class Pad(nn.Module):
    """Pads by one number, (x, y) or (left, top, right, bottom), in one of `F.pad`'s modes."""

    def __init__(self, padding, fill=0, padding_mode="constant"):
        super().__init__()
        F.check_padding(padding)
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                f"Pad: expected constant, edge, reflect or symmetric, got {padding_mode!r}"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img):
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self):
        return (
            f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, "
            f"padding_mode={self.padding_mode})"
        )


class FiveCrop(nn.Module):
    """The four corners and the middle, as a tuple."""

    def __init__(self, size):
        super().__init__()
        self.size = _size_pair(size)

    def forward(self, img):
        return F.five_crop(img, self.size)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(nn.Module):
    """`FiveCrop` of the image and of its mirror image, as a tuple."""

    def __init__(self, size, vertical_flip=False):
        super().__init__()
        self.size = _size_pair(size)
        self.vertical_flip = vertical_flip

    def forward(self, img):
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"


class RandomHorizontalFlip(nn.Module):
    """Exchanges left and right with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        return F.hflip(img) if happens(self.p) else img

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(nn.Module):
    """Exchanges top and bottom with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        return F.vflip(img) if happens(self.p) else img

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


class RandomCrop(nn.Module):
    """A rectangle of `size` at a random place, after optional padding.

    Args:
        size: (height, width) or one number.
        padding: as in `Pad`, or None.
        pad_if_needed: whether smaller images are padded to `size`; else they raise ValueError.
        fill, padding_mode: as in `Pad`.
    """

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = _size_pair(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img, output_size):
        """`(top, left, height, width)` of a random crop."""
        _, height, width = F.get_dimensions(img)
        h, w = output_size
        if height < h or width < w:
            raise ValueError(f"RandomCrop: size {(h, w)} is larger than image {(height, width)}")
        if (height, width) == (h, w):
            return 0, 0, height, width
        return integer(0, height - h + 1), integer(0, width - w + 1), h, w

    def forward(self, img):
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        for size, wanted, axis in ((width, self.size[1], 0), (height, self.size[0], 1)):
            if self.pad_if_needed and size < wanted:
                padding = [0, 0]
                padding[axis] = wanted - size
                img = F.pad(img, padding, self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomResizedCrop(nn.Module):
    """A random part of random area and aspect ratio, resized to `size`.

    Szegedy et al.: Going deeper with convolutions (2014).

    Args:
        size: (height, width) or one number.
        scale: range of the part's share of the area.
        ratio: range of width over height.
    """

    def __init__(
        self,
        size,
        scale=(0.08, 1.0),
        ratio=(3.0 / 4.0, 4.0 / 3.0),
        interpolation=InterpolationMode.BILINEAR,
        antialias=True,
    ):
        super().__init__()
        for name, span in (("scale", scale), ("ratio", ratio)):
            if not isinstance(span, (list, tuple)):
                raise TypeError(f"RandomResizedCrop: expected {name} as (min, max), got {span!r}")
            if span[0] > span[1]:
                warnings.warn(
                    f"RandomResizedCrop: {name} {span} should be (min, max)", stacklevel=2
                )
        self.size = _size_pair(size)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = check_interpolation(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(img, scale, ratio):
        """`(top, left, height, width)` of a random part; the middle if ten tries don't fit."""
        _, height, width = F.get_dimensions(img)
        # The logarithm is taken in float32, as the draws are.
        log_ratio = rl.log(rl.tensor(ratio)).tolist()
        for _ in range(10):
            target = height * width * uniform(*scale)
            aspect = rl.exp(rl.empty(1).uniform_(*log_ratio)).item()
            w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
            if 0 < w <= width and 0 < h <= height:
                return integer(0, height - h + 1), integer(0, width - w + 1), h, w
        return _largest_middle(height, width, ratio)

    def forward(self, img):
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self):
        scale, ratio = (tuple(round(v, 4) for v in span) for span in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def _largest_middle(height, width, ratio):
    """The largest central part whose aspect ratio lies in `ratio`."""
    w, h = width, height
    if width / height < min(ratio):
        h = round(w / min(ratio))
    elif width / height > max(ratio):
        w = round(h * max(ratio))
    return (height - h) // 2, (width - w) // 2, h, w
