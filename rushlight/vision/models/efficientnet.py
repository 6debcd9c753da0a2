"""EfficientNet (Tan, Le 2019) and EfficientNet V2 (2021): widths and depths scaled together."""

import copy
import math
from functools import partial

from rushlight import nn

from ..ops.drop import StochasticDepth
from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._init import he_fan_out, initialize, make_divisible
from ._registry import define_models

__all__ = ["EfficientNet"]


class _Config:
    """A stage: how its blocks expand, their kernel, stride of the first, channels, repeats."""

    def __init__(self, expand_ratio, kernel, stride, channels, out_channels, layers, scale):
        width, depth = scale
        self.expand_ratio = expand_ratio
        self.kernel = kernel
        self.stride = stride
        self.input_channels = make_divisible(channels * width)
        self.out_channels = make_divisible(out_channels * width)
        self.num_layers = math.ceil(layers * depth)

    @property
    def expanded_channels(self):
        return make_divisible(self.input_channels * self.expand_ratio)


class MBConvConfig(_Config):
    """A stage of `MBConv` blocks; depth and width scale its layers and channels."""

    def __init__(
        self,
        expand_ratio,
        kernel,
        stride,
        input_channels,
        out_channels,
        num_layers,
        width_mult=1.0,
        depth_mult=1.0,
    ):
        scale = (width_mult, depth_mult)
        super().__init__(
            expand_ratio, kernel, stride, input_channels, out_channels, num_layers, scale
        )
        self.block = MBConv


class FusedMBConvConfig(_Config):
    """A stage of `FusedMBConv` blocks."""

    def __init__(self, expand_ratio, kernel, stride, input_channels, out_channels, num_layers):
        scale = (1.0, 1.0)
        super().__init__(
            expand_ratio, kernel, stride, input_channels, out_channels, num_layers, scale
        )
        self.block = FusedMBConv


class _Block(nn.Module):
    """Base: the identity beside `self.block`, where shapes allow."""

    def __init__(self, cnf, stochastic_depth_prob):
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(f"{type(self).__name__}: illegal stride value {cnf.stride}")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        self.out_channels = cnf.out_channels
        self._drop = stochastic_depth_prob

    def _finish(self, layers):
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(self._drop, "row")

    def forward(self, input):
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Block):
    """Expand, convolve each channel, squeeze and excite, project."""

    def __init__(self, cnf, stochastic_depth_prob, norm_layer, se_layer=SqueezeExcitation):
        super().__init__(cnf, stochastic_depth_prob)
        shared = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        width, layers = cnf.expanded_channels, []
        if width != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, width, kernel_size=1, **shared))
        layers.append(
            Conv2dNormActivation(
                width, width, kernel_size=cnf.kernel, stride=cnf.stride, groups=width, **shared
            )
        )
        squeezed = max(1, cnf.input_channels // 4)
        layers.append(se_layer(width, squeezed, activation=partial(nn.SiLU, inplace=True)))
        shared["activation_layer"] = None
        layers.append(Conv2dNormActivation(width, cnf.out_channels, kernel_size=1, **shared))
        self._finish(layers)


class FusedMBConv(_Block):
    """Like `MBConv`, with one whole convolution in place of the first two and no squeezing."""

    def __init__(self, cnf, stochastic_depth_prob, norm_layer):
        super().__init__(cnf, stochastic_depth_prob)
        shared = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        width = cnf.expanded_channels
        first = {"kernel_size": cnf.kernel, "stride": cnf.stride, **shared}
        if width == cnf.input_channels:
            self._finish([Conv2dNormActivation(width, cnf.out_channels, **first)])
            return
        shared["activation_layer"] = None
        self._finish(
            [
                Conv2dNormActivation(cnf.input_channels, width, **first),
                Conv2dNormActivation(width, cnf.out_channels, kernel_size=1, **shared),
            ]
        )


class EfficientNet(nn.Module):
    """Stages of blocks between two convolutions, for images `(N, 3, H, W)`.

    Args:
        inverted_residual_setting: list of `MBConvConfig` and `FusedMBConvConfig`.
        dropout: before the classifier.
        stochastic_depth_prob: of the last block; it grows from zero.
        norm_layer: BatchNorm2d by default.
        last_channel: of the last convolution; four times what it gets by default.
    """

    def __init__(
        self,
        inverted_residual_setting,
        dropout,
        stochastic_depth_prob=0.2,
        num_classes=1000,
        norm_layer=None,
        last_channel=None,
    ):
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("EfficientNet: inverted_residual_setting should not be empty")
        norm_layer = norm_layer or nn.BatchNorm2d
        shared = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        first = inverted_residual_setting[0].input_channels
        layers = [Conv2dNormActivation(3, first, kernel_size=3, stride=2, **shared)]
        total = sum(cnf.num_layers for cnf in inverted_residual_setting)
        done = 0
        for cnf in inverted_residual_setting:
            stage = []
            for i in range(cnf.num_layers):
                block = copy.copy(cnf)
                if i > 0:
                    block.input_channels, block.stride = cnf.out_channels, 1
                stage.append(cnf.block(block, stochastic_depth_prob * done / total, norm_layer))
                done += 1
            layers.append(nn.Sequential(*stage))
        last_input = inverted_residual_setting[-1].out_channels
        last = 4 * last_input if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(last_input, last, kernel_size=1, **shared))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(last, num_classes)
        )
        initialize(self, he_fan_out, _uniform_fan_out)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def _uniform_fan_out(weight):
    bound = 1.0 / math.sqrt(weight.shape[0])
    nn.init.uniform_(weight, -bound, bound)


# Expansion, kernel, stride, input and output channels, layers.
_V1 = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]
# Name: factors of width and depth, dropout.
_V1_VARIANTS = {
    "efficientnet_b0": (1.0, 1.0, 0.2),
    "efficientnet_b1": (1.0, 1.1, 0.2),
    "efficientnet_b2": (1.1, 1.2, 0.3),
    "efficientnet_b3": (1.2, 1.4, 0.3),
    "efficientnet_b4": (1.4, 1.8, 0.4),
    "efficientnet_b5": (1.6, 2.2, 0.4),
    "efficientnet_b6": (1.8, 2.6, 0.5),
    "efficientnet_b7": (2.0, 3.1, 0.5),
}
_SHARP_NORM = ("efficientnet_b5", "efficientnet_b6", "efficientnet_b7")
# Name: fused stages, other stages, dropout.
_V2_VARIANTS = {
    "efficientnet_v2_s": (
        [(1, 3, 1, 24, 24, 2), (4, 3, 2, 24, 48, 4), (4, 3, 2, 48, 64, 4)],
        [(4, 3, 2, 64, 128, 6), (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)],
        0.2,
    ),
    "efficientnet_v2_m": (
        [(1, 3, 1, 24, 24, 3), (4, 3, 2, 24, 48, 5), (4, 3, 2, 48, 80, 5)],
        [
            (4, 3, 2, 80, 160, 7),
            (6, 3, 1, 160, 176, 14),
            (6, 3, 2, 176, 304, 18),
            (6, 3, 1, 304, 512, 5),
        ],
        0.3,
    ),
    "efficientnet_v2_l": (
        [(1, 3, 1, 32, 32, 4), (4, 3, 2, 32, 64, 7), (4, 3, 2, 64, 96, 7)],
        [
            (4, 3, 2, 96, 192, 10),
            (6, 3, 1, 192, 224, 19),
            (6, 3, 2, 224, 384, 25),
            (6, 3, 1, 384, 640, 7),
        ],
        0.4,
    ),
}


def _build_v1(name, kwargs):
    width, depth, dropout = _V1_VARIANTS[name]
    if name in _SHARP_NORM:
        kwargs.setdefault("norm_layer", partial(nn.BatchNorm2d, eps=0.001, momentum=0.01))
    stages = [MBConvConfig(*row, width, depth) for row in _V1]
    return EfficientNet(stages, kwargs.pop("dropout", dropout), **kwargs)


def _build_v2(name, kwargs):
    fused, others, dropout = _V2_VARIANTS[name]
    kwargs.setdefault("norm_layer", partial(nn.BatchNorm2d, eps=1e-3))
    stages = [FusedMBConvConfig(*row) for row in fused] + [MBConvConfig(*row) for row in others]
    dropout = kwargs.pop("dropout", dropout)
    return EfficientNet(stages, dropout, last_channel=1280, **kwargs)


_WHAT = "an EfficientNet; keywords go to `EfficientNet`"
define_models(_V1_VARIANTS, _build_v1, _WHAT, globals())
define_models(_V2_VARIANTS, _build_v2, _WHAT, globals())
