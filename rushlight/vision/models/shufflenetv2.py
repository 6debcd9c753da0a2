"""ShuffleNet V2: designed for speed rather than few operations (Ma et al. 2018)."""

import rushlight as rl
import rushlight.nn.functional as F
from rushlight import nn

from ._registry import define_models

__all__ = ["ShuffleNetV2"]


def _depthwise(channels, stride):
    return nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)


def _pointwise(channels, out_channels):
    return [
        nn.Conv2d(channels, out_channels, kernel_size=1, stride=1, padding=0, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    ]


class InvertedResidual(nn.Module):
    """Half of the channels pass through (or are halved in size), half are convolved."""

    def __init__(self, channels, out_channels, stride):
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError(f"InvertedResidual: illegal stride {stride}")
        width = out_channels // 2
        if stride == 1 and channels != 2 * width:
            raise ValueError(
                f"InvertedResidual: stride 1 keeps {channels} channels, got {out_channels}"
            )
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                _depthwise(channels, stride),
                nn.BatchNorm2d(channels),
                *_pointwise(channels, width),
            )
        self.branch2 = nn.Sequential(
            *_pointwise(channels if stride > 1 else width, width),
            _depthwise(width, stride),
            nn.BatchNorm2d(width),
            *_pointwise(width, width),
        )

    def forward(self, x):
        if self.stride == 1:
            kept, changed = x.chunk(2, dim=1)
            out = rl.cat([kept, self.branch2(changed)], dim=1)
        else:
            out = rl.cat([self.branch1(x), self.branch2(x)], dim=1)
        return F.channel_shuffle(out, 2)


class ShuffleNetV2(nn.Module):
    """Three stages between convolutions, for images `(N, 3, H, W)`.

    Args:
        stages_repeats: blocks in each of the three stages.
        stages_out_channels: of the first convolution, the stages and the last convolution.
        inverted_residual: the block.
    """

    def __init__(
        self,
        stages_repeats,
        stages_out_channels,
        num_classes=1000,
        inverted_residual=InvertedResidual,
    ):
        super().__init__()
        if len(stages_repeats) != 3 or len(stages_out_channels) != 5:
            raise ValueError("ShuffleNetV2: expected three stages and five numbers of channels")
        first, *widths, last = stages_out_channels
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, first, 3, 2, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = first
        for i, (repeats, width) in enumerate(zip(stages_repeats, widths), start=2):
            blocks = [inverted_residual(channels, width, 2)]
            blocks += [inverted_residual(width, width, 1) for _ in range(repeats - 1)]
            setattr(self, f"stage{i}", nn.Sequential(*blocks))
            channels = width
        self.conv5 = nn.Sequential(*_pointwise(channels, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x):
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean([2, 3]))


# Name: widths; all have 4, 8 and 4 blocks.
_VARIANTS = {
    "shufflenet_v2_x0_5": [24, 48, 96, 192, 1024],
    "shufflenet_v2_x1_0": [24, 116, 232, 464, 1024],
    "shufflenet_v2_x1_5": [24, 176, 352, 704, 1024],
    "shufflenet_v2_x2_0": [24, 244, 488, 976, 2048],
}


def _build(name, kwargs):
    return ShuffleNetV2([4, 8, 4], _VARIANTS[name], **kwargs)


define_models(_VARIANTS, _build, "a ShuffleNet V2; keywords go to `ShuffleNetV2`", globals())
