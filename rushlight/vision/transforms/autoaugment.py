"""Augmentation by sequences of random operations: AutoAugment, RandAugment, TrivialAugment, AugMix.

All choose from spaces of `(magnitudes, signed)` by the operation's name; `_OPERATIONS` says what a
name means. The policies are in `_policies.py`.
"""

import math

import rushlight as rl
from rushlight import nn

from .._pillow import is_pil
from . import functional as F
from ._draw import integer
from ._policies import POLICIES, AutoAugmentPolicy
from .functional import InterpolationMode

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


def _shear(along_x):
    def run(img, magnitude, how):
        angle = math.degrees(math.atan(magnitude))
        shear = [angle, 0.0] if along_x else [0.0, angle]
        return F.affine(img, 0.0, [0, 0], 1.0, shear, center=[0, 0], **how)

    return run


def _translate(along_x):
    def run(img, magnitude, how):
        move = [int(magnitude), 0] if along_x else [0, int(magnitude)]
        return F.affine(img, 0.0, move, 1.0, [0.0, 0.0], **how)

    return run


_OPERATIONS = {
    "Identity": lambda img, m, how: img,
    "ShearX": _shear(True),
    "ShearY": _shear(False),
    "TranslateX": _translate(True),
    "TranslateY": _translate(False),
    "Rotate": lambda img, m, how: F.rotate(img, m, **how),
    "Brightness": lambda img, m, how: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda img, m, how: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda img, m, how: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda img, m, how: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda img, m, how: F.posterize(img, int(m)),
    "Solarize": lambda img, m, how: F.solarize(img, m),
    "AutoContrast": lambda img, m, how: F.autocontrast(img),
    "Equalize": lambda img, m, how: F.equalize(img),
    "Invert": lambda img, m, how: F.invert(img),
}
_PLAIN = (rl.tensor(0.0), False)
_ENHANCE = ("Brightness", "Color", "Contrast", "Sharpness")


def _space(bins, shear, move, angle, enhance, lost_bits, bits=8, first=(), last=()):
    """Magnitudes by operation, in the order in which they are numbered.

    `move` is the greatest translation (x, y), `lost_bits` how many bits posterizing may remove.
    """
    space = {name: _PLAIN for name in first}
    spans = [("ShearX", shear), ("ShearY", shear), ("TranslateX", move[0]), ("TranslateY", move[1])]
    spans += [("Rotate", angle), *((name, enhance) for name in _ENHANCE if enhance is not None)]
    for name, most in spans:
        space[name] = (rl.linspace(0.0, most, bins), True)
    steps = (rl.arange(bins) / ((bins - 1) / lost_bits)).round().int()
    space["Posterize"] = (bits - steps, False)
    space["Solarize"] = (rl.linspace(255.0, 0.0, bins), False)
    for name in ("AutoContrast", "Equalize", *last):
        space[name] = _PLAIN
    return space


class _Augment(nn.Module):
    """Base: how operations are applied, how signs are drawn."""

    def __init__(self, interpolation, fill):
        super().__init__()
        self.interpolation = interpolation
        self.fill = fill

    def _run(self, img, name, magnitude):
        how = {"interpolation": self.interpolation, "fill": self.fill}
        return _OPERATIONS[name](img, magnitude, how)

    @staticmethod
    def _signed(magnitude, signed):
        return -magnitude if signed and integer(0, 2) else magnitude

    def _described(self, *names):
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"{type(self).__name__}({shown})"


class AutoAugment(_Augment):
    """One of the 25 pairs of operations learned for a dataset (Cubuk et al. 2018).

    Args:
        policy: an `AutoAugmentPolicy`.
        interpolation, fill: for the operations that move pixels.
    """

    def __init__(
        self,
        policy=AutoAugmentPolicy.IMAGENET,
        interpolation=InterpolationMode.NEAREST,
        fill=None,
    ):
        super().__init__(interpolation, fill)
        if policy not in POLICIES:
            raise ValueError(f"AutoAugment: expected an AutoAugmentPolicy, got {policy!r}")
        self.policy = policy
        self.policies = POLICIES[policy]

    @staticmethod
    def get_params(transform_num):
        """`(index of the pair, two probabilities, two signs)`."""
        return integer(0, transform_num), rl.rand(2), rl.randint(2, (2,))

    def forward(self, img):
        _, height, width = F.get_dimensions(img)
        move = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
        space = _space(10, 0.3, move, 30.0, 0.9, 4, last=("Invert",))
        index, probabilities, signs = self.get_params(len(self.policies))
        steps = zip(self.policies[index], probabilities.tolist(), signs.tolist())
        for (name, limit, level), drawn, sign in steps:
            if drawn <= limit:
                magnitudes, signed = space[name]
                magnitude = 0.0 if level is None else float(magnitudes[level])
                img = self._run(img, name, -magnitude if signed and sign == 0 else magnitude)
        return img

    def __repr__(self):
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(_Augment):
    """`num_ops` random operations of one strength (Cubuk et al. 2019).

    Args:
        magnitude: the strength, from 0 up to but not including `num_magnitude_bins`.
    """

    def __init__(
        self,
        num_ops=2,
        magnitude=9,
        num_magnitude_bins=31,
        interpolation=InterpolationMode.NEAREST,
        fill=None,
    ):
        super().__init__(interpolation, fill)
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img):
        _, height, width = F.get_dimensions(img)
        move = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
        space = _space(self.num_magnitude_bins, 0.3, move, 30.0, 0.9, 4, first=("Identity",))
        for _ in range(self.num_ops):
            name = list(space)[integer(0, len(space))]
            magnitudes, signed = space[name]
            magnitude = float(magnitudes[self.magnitude]) if magnitudes.ndim > 0 else 0.0
            img = self._run(img, name, self._signed(magnitude, signed))
        return img

    def __repr__(self):
        return self._described(
            "num_ops", "magnitude", "num_magnitude_bins", "interpolation", "fill"
        )


class TrivialAugmentWide(_Augment):
    """One random operation of random strength (Müller, Hutter 2021)."""

    def __init__(self, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None):
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img):
        space = _space(
            self.num_magnitude_bins, 0.99, (32.0, 32.0), 135.0, 0.99, 6, first=("Identity",)
        )
        name = list(space)[integer(0, len(space))]
        magnitudes, signed = space[name]
        magnitude = 0.0
        if magnitudes.ndim > 0:
            magnitude = float(magnitudes[integer(0, len(magnitudes))])
        return self._run(img, name, self._signed(magnitude, signed))

    def __repr__(self):
        return self._described("num_magnitude_bins", "interpolation", "fill")


class AugMix(_Augment):
    """A random mixture of the image with chains of operations on it (Hendrycks et al. 2019).

    Args:
        severity: operations have strengths below it, from 1 to 10.
        mixture_width: number of chains.
        chain_depth: operations a chain; random from 1 to 3 if not positive.
        alpha: of the Dirichlet distributions that the weights come from.
        all_ops: whether brightness, colour, contrast and sharpness are changed too.
    """

    _BINS = 10

    def __init__(
        self,
        severity=3,
        mixture_width=3,
        chain_depth=-1,
        alpha=1.0,
        all_ops=True,
        interpolation=InterpolationMode.BILINEAR,
        fill=None,
    ):
        super().__init__(interpolation, fill)
        if not 1 <= severity <= self._BINS:
            raise ValueError(f"AugMix: expected severity in [1, {self._BINS}], got {severity}")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _augmentation_space(self, height, width):
        space = _space(self._BINS, 0.3, (width / 3.0, height / 3.0), 30.0, None, 4, bits=4)
        if self.all_ops:
            for name in _ENHANCE:
                space[name] = (rl.linspace(0.0, 0.9, self._BINS), True)
        return space

    def _dirichlet(self, count, parameters):
        return rl._sample_dirichlet(rl.tensor([self.alpha] * parameters).expand(count, -1))

    def forward(self, orig_img):
        _, height, width = F.get_dimensions(orig_img)
        img = F.pil_to_tensor(orig_img) if is_pil(orig_img) else orig_img
        space = self._augmentation_space(height, width)
        batch = img.view([1] * max(4 - img.ndim, 0) + list(img.shape))
        count = batch.size(0)
        shape = [count] + [1] * (batch.ndim - 1)
        shares = self._dirichlet(count, 2)
        weights = self._dirichlet(count, self.mixture_width) * shares[:, 1].reshape(count, -1)
        mixed = shares[:, 0].reshape(shape) * batch
        for chain in range(self.mixture_width):
            mixed = mixed + weights[:, chain].reshape(shape) * self._chain(batch, space)
        mixed = mixed.view(img.shape).to(img.dtype)
        return F.to_pil_image(mixed, orig_img.mode) if is_pil(orig_img) else mixed

    def _chain(self, img, space):
        depth = self.chain_depth if self.chain_depth > 0 else integer(1, 4)
        for _ in range(depth):
            name = list(space)[integer(0, len(space))]
            magnitudes, signed = space[name]
            magnitude = 0.0
            if magnitudes.ndim > 0:
                magnitude = float(magnitudes[integer(0, self.severity)])
            img = self._run(img, name, self._signed(magnitude, signed))
        return img

    def __repr__(self):
        return self._described(
            "severity",
            "mixture_width",
            "chain_depth",
            "alpha",
            "all_ops",
            "interpolation",
            "fill",
        )
