"""Random warps: rotation, affine and perspective maps, elastic deformation, erased rectangles."""

import math
import numbers
import warnings

import rushlight as rl
from rushlight import nn

from . import functional as F
from ._draw import check_probability, happens, integer, symmetric_range, uniform
from ._interpolation import check_interpolation
from .functional import InterpolationMode

__all__ = [
    "ElasticTransform",
    "RandomAffine",
    "RandomErasing",
    "RandomPerspective",
    "RandomRotation",
]


def _check_fill(fill, owner):
    fill = 0 if fill is None else fill
    if not isinstance(fill, (list, tuple, numbers.Number)):
        raise TypeError(
            f"{type(owner).__name__}: expected fill as number or sequence, got {fill!r}"
        )
    return fill


class RandomRotation(nn.Module):
    """Rotates by a random angle.

    Args:
        degrees: (min, max), or a number for (-number, number).
        expand: whether the output holds the whole rotated image.
        center: [x, y], the middle by default.
        fill: value outside of the image; one, or one a channel.
    """

    def __init__(
        self,
        degrees,
        interpolation=InterpolationMode.NEAREST,
        expand=False,
        center=None,
        fill=0,
    ):
        super().__init__()
        self.degrees = symmetric_range(degrees, "RandomRotation: degrees")
        self.interpolation = check_interpolation(interpolation)
        self.expand = expand
        self.center = center
        self.fill = _check_fill(fill, self)

    @staticmethod
    def get_params(degrees):
        """A random angle."""
        return uniform(*degrees)

    def forward(self, img):
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self):
        center = "" if self.center is None else f", center={self.center}"
        fill = "" if self.fill is None else f", fill={self.fill}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"interpolation={self.interpolation.value}, expand={self.expand}{center}{fill})"
        )


class RandomAffine(nn.Module):
    """Rotates, moves, scales and shears at random.

    Args:
        degrees: (min, max), or a number for (-number, number).
        translate: greatest shares of width and height, or None.
        scale: (min, max), or None.
        shear: degrees: a number, (min, max) for x, or (x min, x max, y min, y max), or None.
        fill: value outside of the image; one, or one a channel.
        center: [x, y], the middle by default.
    """

    def __init__(
        self,
        degrees,
        translate=None,
        scale=None,
        shear=None,
        interpolation=InterpolationMode.NEAREST,
        fill=0,
        center=None,
    ):
        super().__init__()
        self.degrees = symmetric_range(degrees, "RandomAffine: degrees")
        if translate is not None and not all(0.0 <= t <= 1.0 for t in translate):
            raise ValueError(f"RandomAffine: expected translate in [0, 1], got {translate}")
        if scale is not None and any(s <= 0 for s in scale):
            raise ValueError(f"RandomAffine: expected positive scale, got {scale}")
        self.translate = translate
        self.scale = scale
        self.shear = shear
        if shear is not None:
            self.shear = symmetric_range(shear, "RandomAffine: shear", sizes=(2, 4))
        self.interpolation = check_interpolation(interpolation)
        self.fill = _check_fill(fill, self)
        self.center = center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """`(angle, (x, y), scale, (shear x, shear y))`; `img_size` is [width, height]."""
        angle = uniform(*degrees)
        moves = (0, 0)
        if translate is not None:
            spans = [float(share * size) for share, size in zip(translate, img_size)]
            moves = tuple(round(uniform(-span, span)) for span in spans)
        scale = 1.0 if scale_ranges is None else uniform(*scale_ranges)
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = uniform(*shears[:2])
            shear_y = uniform(*shears[2:]) if len(shears) == 4 else 0.0
        return angle, moves, scale, (shear_x, shear_y)

    def forward(self, img):
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height]
        )
        return F.affine(
            img, *drawn, interpolation=self.interpolation, fill=self.fill, center=self.center
        )

    def __repr__(self):
        parts = [f"degrees={self.degrees}"]
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                parts.append(f"{name}={getattr(self, name)}")
        if self.interpolation != InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RandomPerspective(nn.Module):
    """With probability `p`, moves the four corners inwards at random.

    Args:
        distortion_scale: greatest move, as a share of half the size, in [0, 1].
    """

    def __init__(
        self, distortion_scale=0.5, p=0.5, interpolation=InterpolationMode.BILINEAR, fill=0
    ):
        super().__init__()
        self.p = p
        self.interpolation = check_interpolation(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = _check_fill(fill, self)

    @staticmethod
    def get_params(width, height, distortion_scale):
        """`(startpoints, endpoints)`, clockwise from the top left."""
        x = int(distortion_scale * (width // 2))
        y = int(distortion_scale * (height // 2))
        left, right = (0, x + 1), (width - x - 1, width)
        top, bottom = (0, y + 1), (height - y - 1, height)
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        end = [[integer(*across), integer(*down)] for across, down in corners]
        last_x, last_y = width - 1, height - 1
        return [[0, 0], [last_x, 0], [last_x, last_y], [0, last_y]], end

    def forward(self, img):
        if not happens(self.p):
            return img
        _, height, width = F.get_dimensions(img)
        points = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, *points, self.interpolation, self.fill)

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


def _two_floats(value, name):
    if isinstance(value, numbers.Number):
        return [float(value)] * 2
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"ElasticTransform: expected {name} as numbers, got {type(value)}")
    if len(value) not in (1, 2):
        raise ValueError(f"ElasticTransform: expected one or two numbers {name}, got {value!r}")
    return [float(value[0]), float(value[-1])]


class ElasticTransform(nn.Module):
    """Moves pixels by a random smooth field (Simard, Steinkraus, Platt 2003).

    Args:
        alpha: strength, one number or (x, y).
        sigma: smoothness, the standard deviation of the blur of the field.
    """

    def __init__(self, alpha=50.0, sigma=5.0, interpolation=InterpolationMode.BILINEAR, fill=0):
        super().__init__()
        self.alpha = _two_floats(alpha, "alpha")
        self.sigma = _two_floats(sigma, "sigma")
        self.interpolation = check_interpolation(interpolation)
        self.fill = [float(v) for v in fill] if isinstance(fill, (list, tuple)) else [float(fill)]

    @staticmethod
    def get_params(alpha, sigma, size):
        """A displacement field `(1, H, W, 2)` for `size` [height, width]."""
        fields = []
        for strength, spread, length in zip(alpha, sigma, reversed(size)):
            field = rl.rand(1, 1, *size) * 2 - 1
            if spread > 0.0:
                kernel = int(8 * spread + 1) | 1  # four deviations either way, odd
                field = F.gaussian_blur(field, [kernel, kernel], sigma)
            fields.append(field * strength / length)
        return rl.cat(fields, 1).permute(0, 2, 3, 1)

    def forward(self, tensor):
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self):
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


class RandomErasing(nn.Module):
    """With probability `p`, overwrites a random rectangle of a tensor image (Zhong et al. 2017).

    Args:
        scale: range of the rectangle's share of the area.
        ratio: range of its height over width.
        value: what is written: a number, one a channel, or "random" for normal noise.
        inplace: whether the input itself is changed.
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False):
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError(f"RandomErasing: expected value as number or sequence, got {value!r}")
        if isinstance(value, str) and value != "random":
            raise ValueError(f"RandomErasing: the only text for value is 'random', got {value!r}")
        for name, span in (("scale", scale), ("ratio", ratio)):
            if not isinstance(span, (list, tuple)):
                raise TypeError(f"RandomErasing: expected {name} as (min, max), got {span!r}")
            if span[0] > span[1]:
                warnings.warn(f"RandomErasing: {name} {span} should be (min, max)", stacklevel=2)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError(f"RandomErasing: expected scale in [0, 1], got {scale}")
        self.p = check_probability(p, self)
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(img, scale, ratio, value=None):
        """`(top, left, height, width, v)`; the whole image and itself if ten tries don't fit."""
        channels, height, width = img.shape[-3:]
        log_ratio = rl.log(rl.tensor(ratio)).tolist()
        for _ in range(10):
            area = height * width * uniform(*scale)
            aspect = rl.exp(rl.empty(1).uniform_(*log_ratio)).item()
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (h < height and w < width):
                continue
            if value is None:
                v = rl.empty([channels, h, w], dtype=rl.float32).normal_()
            else:
                v = rl.tensor(value)[:, None, None]
            return integer(0, height - h + 1), integer(0, width - w + 1), h, w, v
        return 0, 0, height, width, img

    def forward(self, img):
        if not happens(self.p):
            return img
        value = self.value
        if isinstance(value, str):
            value = None
        elif isinstance(value, numbers.Number):
            value = [float(value)]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                f"RandomErasing: expected one value or {img.shape[-3]}, got {len(value)}"
            )
        place = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, *place, self.inplace)

    def __repr__(self):
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace})"
        )
