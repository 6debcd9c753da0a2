"""MNASNet: mobile networks found by search (Tan et al. 2018)."""

from rushlight import nn

from ._init import he_fan_out, initialize, make_divisible
from ._registry import define_models

__all__ = ["MNASNet"]

# The paper gives TensorFlow's momentum.
_BN_MOMENTUM = 1 - 0.9997


def _norm(channels):
    return nn.BatchNorm2d(channels, momentum=_BN_MOMENTUM)


class _InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; beside the identity where shapes allow."""

    def __init__(self, channels, out_channels, kernel_size, stride, expansion):
        super().__init__()
        width = channels * expansion
        self.apply_residual = channels == out_channels and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False),
            _norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(
                width, width, kernel_size, stride, kernel_size // 2, groups=width, bias=False
            ),
            _norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, out_channels, 1, bias=False),
            _norm(out_channels),
        )

    def forward(self, input):
        return self.layers(input) + input if self.apply_residual else self.layers(input)


def _stack(channels, out_channels, kernel_size, stride, expansion, repeats):
    blocks = [_InvertedResidual(channels, out_channels, kernel_size, stride, expansion)]
    blocks += [
        _InvertedResidual(out_channels, out_channels, kernel_size, 1, expansion)
        for _ in range(repeats - 1)
    ]
    return nn.Sequential(*blocks)


class MNASNet(nn.Module):
    """MNASNet-B1, for images `(N, 3, H, W)`.

    Args:
        alpha: factor of the widths.
        dropout: before the classifier.
    """

    _version = 2  # of the state dict, as in torchvision's files

    # Kernel size, stride, expansion and repeats of the six stacks.
    _STACKS = [(3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1)]

    def __init__(self, alpha, num_classes=1000, dropout=0.2):
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"MNASNet: alpha should be greater than 0.0, got {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes
        widths = [make_divisible(w * alpha) for w in (32, 16, 24, 40, 80, 96, 192, 320)]
        first, second = widths[:2]
        layers = [
            nn.Conv2d(3, first, 3, padding=1, stride=2, bias=False),
            _norm(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, first, 3, padding=1, stride=1, groups=first, bias=False),
            _norm(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 1, padding=0, stride=1, bias=False),
            _norm(second),
        ]
        for before, after, stack in zip(widths[1:], widths[2:], self._STACKS):
            layers.append(_stack(before, after, *stack))
        layers += [
            nn.Conv2d(widths[7], 1280, 1, padding=0, stride=1, bias=False),
            _norm(1280),
            nn.ReLU(inplace=True),
        ]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes)
        )
        initialize(self, he_fan_out, _sigmoid_fan_out)

    def forward(self, x):
        return self.classifier(self.layers(x).mean([2, 3]))


def _sigmoid_fan_out(weight):
    nn.init.kaiming_uniform_(weight, mode="fan_out", nonlinearity="sigmoid")


# Name: factor of the widths.
_VARIANTS = {"mnasnet0_5": 0.5, "mnasnet0_75": 0.75, "mnasnet1_0": 1.0, "mnasnet1_3": 1.3}


def _build(name, kwargs):
    return MNASNet(_VARIANTS[name], **kwargs)


define_models(_VARIANTS, _build, "an MNASNet; keywords go to `MNASNet`", globals())
