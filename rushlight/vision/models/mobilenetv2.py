"""MobileNet V2: inverted residuals with linear bottlenecks (Sandler et al. 2018)."""

from rushlight import nn

from ..ops.misc import Conv2dNormActivation
from ._init import he_fan_out, initialize, make_divisible, normal
from ._registry import register_model

__all__ = ["MobileNetV2", "mobilenet_v2"]

# Expansion, channels, repeats, stride of the first.
_SETTINGS = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; beside the identity where shapes allow."""

    def __init__(self, inp, oup, stride, expand_ratio, norm_layer=nn.BatchNorm2d):
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"InvertedResidual: stride should be 1 or 2, got {stride}")
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.out_channels = oup
        width = round(inp * expand_ratio)
        shared = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        layers = []
        if expand_ratio != 1:
            layers.append(Conv2dNormActivation(inp, width, kernel_size=1, **shared))
        layers += [
            Conv2dNormActivation(width, width, stride=stride, groups=width, **shared),
            nn.Conv2d(width, oup, 1, 1, 0, bias=False),
            norm_layer(oup),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residuals between two convolutions, for images `(N, 3, H, W)`.

    Args:
        width_mult: factor of the widths.
        inverted_residual_setting: rows (expansion, channels, repeats, stride).
        round_nearest: widths are multiples of it.
        block, norm_layer: other classes than the usual ones.
        dropout: before the classifier.
    """

    def __init__(
        self,
        num_classes=1000,
        width_mult=1.0,
        inverted_residual_setting=None,
        round_nearest=8,
        block=InvertedResidual,
        norm_layer=nn.BatchNorm2d,
        dropout=0.2,
    ):
        super().__init__()
        settings = _SETTINGS if inverted_residual_setting is None else inverted_residual_setting
        if not settings or any(len(row) != 4 for row in settings):
            raise ValueError(
                f"MobileNetV2: inverted_residual_setting should have rows of four, got {settings}"
            )
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        shared = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        features = [Conv2dNormActivation(3, channels, stride=2, **shared)]
        for expansion, width, repeats, first_stride in settings:
            out = make_divisible(width * width_mult, round_nearest)
            for i in range(repeats):
                stride = first_stride if i == 0 else 1
                features.append(block(channels, out, stride, expansion, norm_layer))
                channels = out
        features.append(Conv2dNormActivation(channels, self.last_channel, kernel_size=1, **shared))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        initialize(self, he_fan_out, normal(0.01))

    def forward(self, x):
        pooled = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(pooled.flatten(1))


@register_model()
def mobilenet_v2(**kwargs):
    """MobileNet V2; keyword arguments go to `MobileNetV2`."""
    return MobileNetV2(**kwargs)
