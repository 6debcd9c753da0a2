"""Transforms of colour and sharpness, most of them random."""

import numbers

import rushlight as rl
from rushlight import nn

from . import functional as F
from ._draw import happens, uniform

__all__ = [
    "ColorJitter",
    "GaussianBlur",
    "Grayscale",
    "RandomAdjustSharpness",
    "RandomAutocontrast",
    "RandomEqualize",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
]


def _jitter_range(value, name, center=1.0, bound=(0.0, float("inf")), clip=True):
    """The range [low, high] that `value` stands for; None if it changes nothing."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"ColorJitter: {name} must be at least 0, got {value}")
        low, high = center - float(value), center + float(value)
        low = max(low, 0.0) if clip else low
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"ColorJitter: expected {name} as a number or (min, max), got {value!r}")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"ColorJitter: expected {name} within {bound}, got {(low, high)}")
    return None if low == high == center else (low, high)


class ColorJitter(nn.Module):
    """Changes brightness, contrast, saturation and hue by random factors in random order.

    Args:
        brightness, contrast, saturation: the range (min, max) of the factor, or a number `v` for
            (max(0, 1 - v), 1 + v).
        hue: the range of the turn within [-0.5, 0.5], or a number `v` for (-v, v).
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        super().__init__()
        self.brightness = _jitter_range(brightness, "brightness")
        self.contrast = _jitter_range(contrast, "contrast")
        self.saturation = _jitter_range(saturation, "saturation")
        self.hue = _jitter_range(hue, "hue", center=0, bound=(-0.5, 0.5), clip=False)

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """The order as a permutation of four, and a factor or None for each in turn."""
        order = rl.randperm(4)
        spans = (brightness, contrast, saturation, hue)
        return (order, *(None if span is None else uniform(*span) for span in spans))

    def forward(self, img):
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for index in order.tolist():
            if factors[index] is not None:
                img = steps[index](img, factors[index])
        return img

    def __repr__(self):
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


class Grayscale(nn.Module):
    """The grey version in one or three equal channels."""

    def __init__(self, num_output_channels=1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img):
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self):
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(nn.Module):
    """The grey version with probability `p`, in as many channels as the image has."""

    def __init__(self, p=0.1):
        super().__init__()
        self.p = p

    def forward(self, img):
        channels = F.get_dimensions(img)[0]
        return F.rgb_to_grayscale(img, channels) if happens(self.p) else img

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


class GaussianBlur(nn.Module):
    """Smooths with a Gaussian of random width.

    Args:
        kernel_size: odd, one number or (x, y).
        sigma: standard deviation: the range (min, max), or one number.
    """

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        super().__init__()
        size = (kernel_size,) * 2 if isinstance(kernel_size, numbers.Number) else kernel_size
        if len(size) != 2 or any(k <= 0 or k % 2 == 0 for k in size):
            raise ValueError(f"GaussianBlur: expected odd positive sizes, got {kernel_size!r}")
        span = (sigma, sigma) if isinstance(sigma, numbers.Number) else tuple(sigma)
        if len(span) != 2 or not 0.0 < span[0] <= span[1]:
            raise ValueError(f"GaussianBlur: expected 0 < min <= max for sigma, got {sigma!r}")
        self.kernel_size = tuple(size)
        self.sigma = span

    @staticmethod
    def get_params(sigma_min, sigma_max):
        """A random standard deviation."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img):
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self):
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class _Sometimes(nn.Module):
    """Base of those that do one thing with probability `p`; `_argument` names its argument."""

    _argument = None

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, img):
        return self._change(img) if happens(self.p) else img

    def __repr__(self):
        first = f"{self._argument}={getattr(self, self._argument)}," if self._argument else ""
        return f"{type(self).__name__}({first}p={self.p})"


class RandomInvert(_Sometimes):
    """The negative with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__(p)

    def _change(self, img):
        return F.invert(img)


class RandomPosterize(_Sometimes):
    """Keeps the upper `bits` of every byte with probability `p`."""

    _argument = "bits"

    def __init__(self, bits, p=0.5):
        super().__init__(p)
        self.bits = bits

    def _change(self, img):
        return F.posterize(img, self.bits)


class RandomSolarize(_Sometimes):
    """Inverts values from `threshold` up with probability `p`."""

    _argument = "threshold"

    def __init__(self, threshold, p=0.5):
        super().__init__(p)
        self.threshold = threshold

    def _change(self, img):
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_Sometimes):
    """`F.adjust_sharpness` by `sharpness_factor` with probability `p`."""

    _argument = "sharpness_factor"

    def __init__(self, sharpness_factor, p=0.5):
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _change(self, img):
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(_Sometimes):
    """Stretches each channel to the full range with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__(p)

    def _change(self, img):
        return F.autocontrast(img)


class RandomEqualize(_Sometimes):
    """Flattens the histogram of each channel with probability `p`."""

    def __init__(self, p=0.5):
        super().__init__(p)

    def _change(self, img):
        return F.equalize(img)
