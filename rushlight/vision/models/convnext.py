"""ConvNeXt: a convolutional network in the manner of transformers (Liu et al. 2022)."""

from functools import partial

import rushlight as rl
import rushlight.nn.functional as F
from rushlight import nn

from ..ops.drop import StochasticDepth
from ..ops.misc import Conv2dNormActivation, Permute
from ._registry import define_models

__all__ = ["ConvNeXt"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of `(N, C, H, W)`."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A 7x7 convolution of each channel and a perceptron over channels, beside the identity."""

    def __init__(self, dim, layer_scale, stochastic_depth_prob, norm_layer=None):
        super().__init__()
        norm_layer = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            norm_layer(dim),
            nn.Linear(dim, 4 * dim, bias=True),
            nn.GELU(),
            nn.Linear(4 * dim, dim, bias=True),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(rl.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input):
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class CNBlockConfig:
    """A stage: channels, channels of the next (None for the last), number of blocks."""

    def __init__(self, input_channels, out_channels, num_layers):
        self.input_channels = input_channels
        self.out_channels = out_channels
        self.num_layers = num_layers


class ConvNeXt(nn.Module):
    """Stages of `CNBlock`s with halvings between, for images `(N, 3, H, W)`.

    Args:
        block_setting: list of `CNBlockConfig`.
        stochastic_depth_prob: of the last block; it grows from zero.
        layer_scale: initial factor of the blocks.
        block, norm_layer: other classes than the usual ones.
    """

    def __init__(
        self,
        block_setting,
        stochastic_depth_prob=0.0,
        layer_scale=1e-6,
        num_classes=1000,
        block=None,
        norm_layer=None,
    ):
        super().__init__()
        if not block_setting:
            raise ValueError("ConvNeXt: block_setting should not be empty")
        block = block or CNBlock
        norm_layer = norm_layer or partial(LayerNorm2d, eps=1e-6)
        stem = Conv2dNormActivation(
            3,
            block_setting[0].input_channels,
            kernel_size=4,
            stride=4,
            padding=0,
            norm_layer=norm_layer,
            activation_layer=None,
            bias=True,
        )
        layers, done = [stem], 0
        total = sum(cnf.num_layers for cnf in block_setting)
        for cnf in block_setting:
            stage = []
            for _ in range(cnf.num_layers):
                drop = stochastic_depth_prob * done / (total - 1.0)
                stage.append(block(cnf.input_channels, layer_scale, drop))
                done += 1
            layers.append(nn.Sequential(*stage))
            if cnf.out_channels is not None:
                halve = nn.Conv2d(cnf.input_channels, cnf.out_channels, kernel_size=2, stride=2)
                layers.append(nn.Sequential(norm_layer(cnf.input_channels), halve))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last = block_setting[-1].out_channels or block_setting[-1].input_channels
        self.classifier = nn.Sequential(
            norm_layer(last), nn.Flatten(1), nn.Linear(last, num_classes)
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)))


# Name: width of the first stage, blocks of the third stage, stochastic depth.
_VARIANTS = {
    "convnext_tiny": (96, 9, 0.1),
    "convnext_small": (96, 27, 0.4),
    "convnext_base": (128, 27, 0.5),
    "convnext_large": (192, 27, 0.5),
}


def _build(name, kwargs):
    width, middle, drop = _VARIANTS[name]
    widths = [width, 2 * width, 4 * width, 8 * width, None]
    stages = [CNBlockConfig(*row) for row in zip(widths, widths[1:], (3, 3, middle, 3))]
    return ConvNeXt(stages, kwargs.pop("stochastic_depth_prob", drop), **kwargs)


define_models(_VARIANTS, _build, "a ConvNeXt; keywords go to `ConvNeXt`", globals())
