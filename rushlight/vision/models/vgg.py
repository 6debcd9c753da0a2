"""VGG: stacks of 3x3 convolutions (Simonyan, Zisserman 2014)."""

from rushlight import nn

from ._init import he_fan_out, initialize, normal
from ._registry import define_models

__all__ = ["VGG"]

# Widths of the convolutions; M is a pooling. The letters are the paper's.
_PLANS = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "D": [64, 64, "M", 128, 128, "M"] + [*[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    "E": [64, 64, "M", 128, 128, "M"] + [*[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


class VGG(nn.Module):
    """A classifier on `features`, which make 512 channels of images `(N, 3, 224, 224)`."""

    def __init__(self, features, num_classes=1000, init_weights=True, dropout=0.5):
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            initialize(self, he_fan_out, normal(0.01))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def make_layers(cfg, batch_norm=False):
    """The convolutions and poolings of a plan: a list of widths, and of "M" for a pooling."""
    layers, channels = [], 3
    for width in cfg:
        if width == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
        layers += [nn.BatchNorm2d(width)] * batch_norm + [nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers)


# Name: the letter of its plan and whether it normalises.
_VARIANTS = {
    f"vgg{depth}{'_bn' * normed}": (letter, normed)
    for depth, letter in ((11, "A"), (13, "B"), (16, "D"), (19, "E"))
    for normed in (False, True)
}


def _build(name, kwargs):
    letter, normed = _VARIANTS[name]
    return VGG(make_layers(_PLANS[letter], normed), **kwargs)


define_models(_VARIANTS, _build, "a VGG network; keywords go to `VGG`", globals())
