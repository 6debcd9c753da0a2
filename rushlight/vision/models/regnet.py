"""RegNet: widths and depths from a few numbers (Radosavovic et al. 2020)."""

import math
from collections import OrderedDict
from functools import partial

from rushlight import nn

from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._init import initialize, make_divisible, normal
from ._registry import define_models

__all__ = ["RegNet"]


class BottleneckTransform(nn.Sequential):
    """1x1, grouped 3x3, squeeze and excitation, 1x1."""

    def __init__(self, width_in, width_out, stride, norm, activation, group, ratio, se_ratio):
        width = round(width_out * ratio)
        shared = {"norm_layer": norm, "activation_layer": activation}
        layers = OrderedDict()
        layers["a"] = Conv2dNormActivation(width_in, width, kernel_size=1, stride=1, **shared)
        layers["b"] = Conv2dNormActivation(
            width, width, kernel_size=3, stride=stride, groups=width // group, **shared
        )
        if se_ratio:
            # The ratio is to the block's input, not to the channels that are squeezed.
            squeezed = round(se_ratio * width_in)
            layers["se"] = SqueezeExcitation(width, squeezed, activation=activation)
        shared["activation_layer"] = None
        layers["c"] = Conv2dNormActivation(width, width_out, kernel_size=1, stride=1, **shared)
        super().__init__(layers)


class ResBottleneckBlock(nn.Module):
    """A bottleneck beside the identity, or beside a projection where shapes differ."""

    def __init__(self, width_in, width_out, stride, norm, activation, group, ratio, se_ratio):
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(
                width_in,
                width_out,
                kernel_size=1,
                stride=stride,
                norm_layer=norm,
                activation_layer=None,
            )
        self.f = BottleneckTransform(
            width_in, width_out, stride, norm, activation, group, ratio, se_ratio
        )
        self.activation = activation(inplace=True)

    def forward(self, x):
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


class BlockParams:
    """Widths, depths and so on of the four stages; `from_init_params` makes them."""

    STRIDE = 2

    def __init__(self, depths, widths, group_widths, bottleneck_multipliers, se_ratio=None):
        self.depths = depths
        self.widths = widths
        self.group_widths = group_widths
        self.bottleneck_multipliers = bottleneck_multipliers
        self.strides = [self.STRIDE] * len(depths)
        self.se_ratio = se_ratio

    @classmethod
    def from_init_params(
        cls, depth, w_0, w_a, w_m, group_width, bottleneck_multiplier=1.0, se_ratio=None
    ):
        """Widths `w_0 + w_a * i`, rounded to powers of `w_m` and to multiples of eight."""
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8 != 0:
            raise ValueError(f"BlockParams: invalid settings {w_0=}, {w_a=}, {w_m=}")
        widths = []
        for i in range(depth):
            power = round(math.log((w_0 + w_a * i) / w_0) / math.log(w_m))
            widths.append(round(w_0 * w_m**power / 8) * 8)
        stages = sorted(set(widths))
        depths = [widths.count(width) for width in stages]
        groups = [min(group_width, round(w * bottleneck_multiplier)) for w in stages]
        # Whole groups of the narrowed channels.
        narrowed = [
            make_divisible(round(w * bottleneck_multiplier), g) for w, g in zip(stages, groups)
        ]
        stages = [round(n / bottleneck_multiplier) for n in narrowed]
        return cls(depths, stages, groups, [bottleneck_multiplier] * len(stages), se_ratio)


class RegNet(nn.Module):
    """Four stages of bottlenecks, for images `(N, 3, H, W)`.

    Args:
        block_params: a `BlockParams`.
        stem_width: channels of the first convolution.
        stem_type, block_type, norm_layer, activation: other classes than the usual ones.
    """

    def __init__(
        self,
        block_params,
        num_classes=1000,
        stem_width=32,
        stem_type=None,
        block_type=None,
        norm_layer=None,
        activation=None,
    ):
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        activation = activation or nn.ReLU
        block_type = block_type or ResBottleneckBlock
        if stem_type is None:
            self.stem = Conv2dNormActivation(
                3,
                stem_width,
                kernel_size=3,
                stride=2,
                norm_layer=norm_layer,
                activation_layer=activation,
            )
        else:
            self.stem = stem_type(3, stem_width, norm_layer, activation)
        width, stages, p = stem_width, OrderedDict(), block_params
        rows = zip(p.widths, p.strides, p.depths, p.group_widths, p.bottleneck_multipliers)
        for i, (out, stride, depth, group, ratio) in enumerate(rows, start=1):
            stage, shared = OrderedDict(), (norm_layer, activation, group, ratio, p.se_ratio)
            for j in range(depth):
                first = j == 0
                stage[f"block{i}-{j}"] = block_type(
                    width if first else out, out, stride if first else 1, *shared
                )
            stages[f"block{i}"] = nn.Sequential(stage)
            width = out
        self.trunk_output = nn.Sequential(stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width, num_classes)
        self._initialize()

    def _initialize(self):
        initialize(self, _he_without_groups, normal(0.01), conv_bias=False)

    def forward(self, x):
        return self.fc(self.avgpool(self.trunk_output(self.stem(x))).flatten(1))


def _he_without_groups(weight):
    """He et al. 2015, with the fan-out of an ungrouped convolution."""
    out_channels, _, height, width = weight.shape
    nn.init.normal_(weight, 0.0, math.sqrt(2.0 / (height * width * out_channels)))


# Name: depth, w_0, w_a, w_m, width of a group. Those called y squeeze and excite.
_VARIANTS = {
    "regnet_y_400mf": (16, 48, 27.89, 2.09, 8),
    "regnet_y_800mf": (14, 56, 38.84, 2.4, 16),
    "regnet_y_1_6gf": (27, 48, 20.71, 2.65, 24),
    "regnet_y_3_2gf": (21, 80, 42.63, 2.66, 24),
    "regnet_y_8gf": (17, 192, 76.82, 2.19, 56),
    "regnet_y_16gf": (18, 200, 106.23, 2.48, 112),
    "regnet_y_32gf": (20, 232, 115.89, 2.53, 232),
    "regnet_y_128gf": (27, 456, 160.83, 2.52, 264),
    "regnet_x_400mf": (22, 24, 24.48, 2.54, 16),
    "regnet_x_800mf": (16, 56, 35.73, 2.28, 16),
    "regnet_x_1_6gf": (18, 80, 34.01, 2.25, 24),
    "regnet_x_3_2gf": (25, 88, 26.31, 2.25, 48),
    "regnet_x_8gf": (23, 80, 49.56, 2.88, 120),
    "regnet_x_16gf": (22, 216, 55.59, 2.1, 128),
    "regnet_x_32gf": (23, 320, 69.86, 2.0, 168),
}


def _build(name, kwargs):
    se_ratio = 0.25 if name.startswith("regnet_y") else None
    params = BlockParams.from_init_params(*_VARIANTS[name], se_ratio=se_ratio)
    kwargs.setdefault("norm_layer", partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1))
    return RegNet(params, **kwargs)


define_models(_VARIANTS, _build, "a RegNet; keywords go to `RegNet`", globals())
