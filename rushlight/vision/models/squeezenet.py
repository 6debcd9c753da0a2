"""SqueezeNet: AlexNet's accuracy with few parameters (Iandola et al. 2016)."""

import rushlight as rl
from rushlight import nn

from ._registry import define_models

__all__ = ["SqueezeNet"]


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 side by side."""

    def __init__(self, channels, squeeze, expand1x1, expand3x3):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand1x1, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand3x3, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        one = self.expand1x1_activation(self.expand1x1(x))
        return rl.cat([one, self.expand3x3_activation(self.expand3x3(x))], 1)


# First convolution (channels, kernel) and the squeeze widths between poolings ("M").
_VERSIONS = {
    "1_0": ((96, 7), ["M", 16, 16, 32, "M", 32, 48, 48, 64, "M", 64]),
    "1_1": ((64, 3), ["M", 16, 16, "M", 32, 32, "M", 48, 48, 64, 64]),
}


class SqueezeNet(nn.Module):
    """Eight Fire modules and a convolution as classifier, for images `(N, 3, 224, 224)`."""

    def __init__(self, version="1_0", num_classes=1000, dropout=0.5):
        super().__init__()
        if version not in _VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        (channels, kernel), plan = _VERSIONS[version]
        layers = [nn.Conv2d(3, channels, kernel_size=kernel, stride=2), nn.ReLU(inplace=True)]
        for squeeze in plan:
            if squeeze == "M":
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            else:
                layers.append(Fire(channels, squeeze, 4 * squeeze, 4 * squeeze))
                channels = 8 * squeeze
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(512, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        self._initialize(last)

    def _initialize(self, last):
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is last:
                    nn.init.normal_(module.weight, mean=0.0, std=0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(self.features(x)).flatten(1)


def _build(name, kwargs):
    return SqueezeNet(name.removeprefix("squeezenet"), **kwargs)


define_models(
    [f"squeezenet{version}" for version in _VERSIONS],
    _build,
    "a SqueezeNet; keywords go to `SqueezeNet`",
    globals(),
)
