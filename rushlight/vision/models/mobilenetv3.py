"""MobileNet V3: searched blocks with squeeze and excitation (Howard et al. 2019)."""

from functools import partial

from rushlight import nn

from ..ops.misc import Conv2dNormActivation, SqueezeExcitation
from ._init import he_fan_out, initialize, make_divisible, normal
from ._registry import define_models

__all__ = ["MobileNetV3"]


class InvertedResidualConfig:
    """One block: channels, kernel size, expanded channels, whether it squeezes, "RE" or "HS"."""

    def __init__(
        self,
        input_channels,
        kernel,
        expanded_channels,
        out_channels,
        use_se,
        activation,
        stride,
        dilation,
        width_mult,
    ):
        self.input_channels = make_divisible(input_channels * width_mult)
        self.kernel = kernel
        self.expanded_channels = make_divisible(expanded_channels * width_mult)
        self.out_channels = make_divisible(out_channels * width_mult)
        self.use_se = use_se
        self.use_hs = activation == "HS"
        self.stride = stride
        self.dilation = dilation


_SQUEEZE = partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, squeeze and excite, project."""

    def __init__(self, cnf, norm_layer, se_layer=_SQUEEZE):
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(f"InvertedResidual: illegal stride value {cnf.stride}")
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        activation = nn.Hardswish if cnf.use_hs else nn.ReLU
        shared = {"norm_layer": norm_layer, "activation_layer": activation}
        width, layers = cnf.expanded_channels, []
        if width != cnf.input_channels:
            layers.append(Conv2dNormActivation(cnf.input_channels, width, kernel_size=1, **shared))
        layers.append(
            Conv2dNormActivation(
                width,
                width,
                kernel_size=cnf.kernel,
                stride=1 if cnf.dilation > 1 else cnf.stride,
                dilation=cnf.dilation,
                groups=width,
                **shared,
            )
        )
        if cnf.use_se:
            layers.append(se_layer(width, make_divisible(width // 4)))
        shared["activation_layer"] = None
        layers.append(Conv2dNormActivation(width, cnf.out_channels, kernel_size=1, **shared))
        self.block = nn.Sequential(*layers)
        self.out_channels = cnf.out_channels

    def forward(self, input):
        return self.block(input) + input if self.use_res_connect else self.block(input)


class MobileNetV3(nn.Module):
    """Blocks between two convolutions and two linear layers, for images `(N, 3, H, W)`.

    Args:
        inverted_residual_setting: list of `InvertedResidualConfig`.
        last_channel: width between the linear layers.
        block, norm_layer: other classes than the usual ones.
        dropout: before the classifier.
    """

    def __init__(
        self,
        inverted_residual_setting,
        last_channel,
        num_classes=1000,
        block=InvertedResidual,
        norm_layer=None,
        dropout=0.2,
    ):
        super().__init__()
        if not inverted_residual_setting:
            raise ValueError("MobileNetV3: inverted_residual_setting should not be empty")
        norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        shared = {"norm_layer": norm_layer, "activation_layer": nn.Hardswish}
        first = inverted_residual_setting[0].input_channels
        last = inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(
            Conv2dNormActivation(3, first, kernel_size=3, stride=2, **shared),
            *(block(cnf, norm_layer) for cnf in inverted_residual_setting),
            Conv2dNormActivation(last, 6 * last, kernel_size=1, **shared),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialize(self, he_fan_out, normal(0.01))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


# Rows of input channels, kernel, expanded and output channels, squeeze, activation, stride; the
# last three rows are those that `reduced_tail` makes narrower and `dilated` dilates.
_LARGE = [
    (16, 3, 16, 16, False, "RE", 1),
    (16, 3, 64, 24, False, "RE", 2),
    (24, 3, 72, 24, False, "RE", 1),
    (24, 5, 72, 40, True, "RE", 2),
    (40, 5, 120, 40, True, "RE", 1),
    (40, 5, 120, 40, True, "RE", 1),
    (40, 3, 240, 80, False, "HS", 2),
    (80, 3, 200, 80, False, "HS", 1),
    (80, 3, 184, 80, False, "HS", 1),
    (80, 3, 184, 80, False, "HS", 1),
    (80, 3, 480, 112, True, "HS", 1),
    (112, 3, 672, 112, True, "HS", 1),
    (112, 5, 672, 160, True, "HS", 2),
    (160, 5, 960, 160, True, "HS", 1),
    (160, 5, 960, 160, True, "HS", 1),
]
_SMALL = [
    (16, 3, 16, 16, True, "RE", 2),
    (16, 3, 72, 24, False, "RE", 2),
    (24, 3, 88, 24, False, "RE", 1),
    (24, 5, 96, 40, True, "HS", 2),
    (40, 5, 240, 40, True, "HS", 1),
    (40, 5, 240, 40, True, "HS", 1),
    (40, 5, 120, 48, True, "HS", 1),
    (48, 5, 144, 48, True, "HS", 1),
    (48, 5, 288, 96, True, "HS", 2),
    (96, 5, 576, 96, True, "HS", 1),
    (96, 5, 576, 96, True, "HS", 1),
]
# Name: rows and width of the last hidden layer.
_VARIANTS = {"mobilenet_v3_large": (_LARGE, 1280), "mobilenet_v3_small": (_SMALL, 1024)}


def _narrower(rows):
    """The last three blocks with half of the output channels, and what follows from that."""
    wide = rows[-1][3]
    tail = []
    for i, (inp, kernel, expanded, _, *rest) in enumerate(rows[-3:]):
        expanded = expanded if i == 0 else expanded // 2
        tail.append((inp if i == 0 else wide // 2, kernel, expanded, wide // 2, *rest))
    return rows[:-3] + tail


def _build(name, kwargs):
    rows, last_channel = _VARIANTS[name]
    width_mult = kwargs.pop("width_mult", 1.0)
    if kwargs.pop("reduced_tail", False):
        rows, last_channel = _narrower(rows), last_channel // 2
    dilated = kwargs.pop("dilated", False)
    blocks = [
        InvertedResidualConfig(*row, 2 if dilated and i >= len(rows) - 3 else 1, width_mult)
        for i, row in enumerate(rows)
    ]
    return MobileNetV3(blocks, make_divisible(last_channel * width_mult), **kwargs)


define_models(
    _VARIANTS,
    _build,
    "a MobileNet V3; width_mult, reduced_tail and dilated change it, other keywords go to "
    "`MobileNetV3`",
    globals(),
)
