"""DenseNet: every layer sees all that came before it in its block (Huang et al. 2016)."""

import re

import rushlight as rl
import rushlight.nn.functional as F
from rushlight import nn
from rushlight.utils.checkpoint import checkpoint

from ._registry import define_models

__all__ = ["DenseNet"]


class _DenseLayer(nn.Module):
    """Norm, 1x1 convolution, norm, 3x3 convolution: `growth_rate` channels more."""

    def __init__(self, channels, growth_rate, bn_size, drop_rate, memory_efficient):
        super().__init__()
        width = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, growth_rate, 3, stride=1, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def _narrow(self, *features):
        return self.conv1(self.relu1(self.norm1(rl.cat(features, 1))))

    def forward(self, features):
        if self.memory_efficient and any(f.requires_grad for f in features):
            narrow = checkpoint(self._narrow, *features, use_reentrant=False)
        else:
            narrow = self._narrow(*features)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, self.drop_rate, self.training) if self.drop_rate > 0 else new


class _DenseBlock(nn.ModuleDict):
    def __init__(self, layers, channels, bn_size, growth_rate, drop_rate, memory_efficient):
        super().__init__()
        for i in range(layers):
            self[f"denselayer{i + 1}"] = _DenseLayer(
                channels + i * growth_rate, growth_rate, bn_size, drop_rate, memory_efficient
            )

    def forward(self, first):
        features = [first]
        for layer in self.values():
            features.append(layer(features))
        return rl.cat(features, 1)


class _Transition(nn.Sequential):
    """Halves channels and size between blocks."""

    def __init__(self, channels, out_channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, out_channels, kernel_size=1, stride=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """Dense blocks with transitions between, for images `(N, 3, H, W)`.

    Args:
        growth_rate: channels that each layer adds.
        block_config: layers in each block.
        num_init_features: channels of the first convolution.
        bn_size: width of the 1x1 convolutions in units of the growth rate.
        drop_rate: dropout after each layer.
        memory_efficient: recomputes in backward what it can.
    """

    def __init__(
        self,
        growth_rate=32,
        block_config=(6, 12, 24, 16),
        num_init_features=64,
        bn_size=4,
        drop_rate=0,
        num_classes=1000,
        memory_efficient=False,
    ):
        super().__init__()
        channels = num_init_features
        features = nn.Sequential()
        features.add_module("conv0", nn.Conv2d(3, channels, 7, stride=2, padding=3, bias=False))
        features.add_module("norm0", nn.BatchNorm2d(channels))
        features.add_module("relu0", nn.ReLU(inplace=True))
        features.add_module("pool0", nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        for i, layers in enumerate(block_config, start=1):
            block = _DenseBlock(layers, channels, bn_size, growth_rate, drop_rate, memory_efficient)
            features.add_module(f"denseblock{i}", block)
            channels += layers * growth_rate
            if i < len(block_config):
                features.add_module(f"transition{i}", _Transition(channels, channels // 2))
                channels //= 2
        features.add_module("norm5", nn.BatchNorm2d(channels))
        self.features = features
        self.classifier = nn.Linear(channels, num_classes)
        self._initialize()

    def _initialize(self):
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x):
        features = F.relu(self.features(x), inplace=True)
        return self.classifier(F.adaptive_avg_pool2d(features, (1, 1)).flatten(1))

    def load_state_dict(self, state_dict, *args, **kwargs):
        """Also takes the published files, whose layers are called `norm.1`, `conv.2` and so on."""
        renamed = {
            re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key): value
            for key, value in state_dict.items()
        }
        return super().load_state_dict(renamed, *args, **kwargs)


# Name: growth rate, layers in each block, channels of the first convolution.
_VARIANTS = {
    "densenet121": (32, (6, 12, 24, 16), 64),
    "densenet161": (48, (6, 12, 36, 24), 96),
    "densenet169": (32, (6, 12, 32, 32), 64),
    "densenet201": (32, (6, 12, 48, 32), 64),
}


def _build(name, kwargs):
    return DenseNet(*_VARIANTS[name], **kwargs)


define_models(_VARIANTS, _build, "a DenseNet; keywords go to `DenseNet`", globals())
