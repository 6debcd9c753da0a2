"""Inception v3: factorised convolutions (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015)."""

from collections import namedtuple

import rushlight as rl
import rushlight.nn.functional as F
from rushlight import nn

from ._registry import register_model
from .googlenet import BasicConv2d, rescale_input

__all__ = ["Inception3", "InceptionOutputs", "inception_v3"]

InceptionOutputs = namedtuple("InceptionOutputs", ["logits", "aux_logits"])


def _pooled(x):
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionA(nn.Module):
    """1x1, 5x5, two 3x3, pooling."""

    def __init__(self, channels, pool_features):
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch5x5_1 = BasicConv2d(channels, 48, kernel_size=1)
        self.branch5x5_2 = BasicConv2d(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, padding=1)
        self.branch_pool = BasicConv2d(channels, pool_features, kernel_size=1)

    def forward(self, x):
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return rl.cat([self.branch1x1(x), five, double, self.branch_pool(_pooled(x))], 1)


class InceptionB(nn.Module):
    """Halves the size: 3x3, two 3x3, pooling."""

    def __init__(self, channels):
        super().__init__()
        self.branch3x3 = BasicConv2d(channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, stride=2)

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return rl.cat([self.branch3x3(x), double, F.max_pool2d(x, kernel_size=3, stride=2)], 1)


def _across(channels, out_channels):
    return BasicConv2d(channels, out_channels, kernel_size=(1, 7), padding=(0, 3))


def _down(channels, out_channels):
    return BasicConv2d(channels, out_channels, kernel_size=(7, 1), padding=(3, 0))


class InceptionC(nn.Module):
    """1x1, a 7x7 as 1x7 and 7x1, two of those, pooling."""

    def __init__(self, channels, width):
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 192, kernel_size=1)
        self.branch7x7_1 = BasicConv2d(channels, width, kernel_size=1)
        self.branch7x7_2 = _across(width, width)
        self.branch7x7_3 = _down(width, 192)
        self.branch7x7dbl_1 = BasicConv2d(channels, width, kernel_size=1)
        self.branch7x7dbl_2 = _down(width, width)
        self.branch7x7dbl_3 = _across(width, width)
        self.branch7x7dbl_4 = _down(width, width)
        self.branch7x7dbl_5 = _across(width, 192)
        self.branch_pool = BasicConv2d(channels, 192, kernel_size=1)

    def forward(self, x):
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return rl.cat([self.branch1x1(x), seven, double, self.branch_pool(_pooled(x))], 1)


class InceptionD(nn.Module):
    """Halves the size: 3x3, a 7x7 and 3x3, pooling."""

    def __init__(self, channels):
        super().__init__()
        self.branch3x3_1 = BasicConv2d(channels, 192, kernel_size=1)
        self.branch3x3_2 = BasicConv2d(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(channels, 192, kernel_size=1)
        self.branch7x7x3_2 = _across(192, 192)
        self.branch7x7x3_3 = _down(192, 192)
        self.branch7x7x3_4 = BasicConv2d(192, 192, kernel_size=3, stride=2)

    def forward(self, x):
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x)))
        seven = self.branch7x7x3_4(seven)
        return rl.cat([three, seven, F.max_pool2d(x, kernel_size=3, stride=2)], 1)


class InceptionE(nn.Module):
    """1x1, 3x3 as 1x3 beside 3x1, 3x3 followed by that, pooling."""

    def __init__(self, channels):
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 320, kernel_size=1)
        self.branch3x3_1 = BasicConv2d(channels, 384, kernel_size=1)
        self.branch3x3_2a = BasicConv2d(384, 384, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(384, 384, kernel_size=(3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(384, 384, kernel_size=(3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(channels, 192, kernel_size=1)

    def forward(self, x):
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = [
            self.branch1x1(x),
            self.branch3x3_2a(three),
            self.branch3x3_2b(three),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(_pooled(x)),
        ]
        return rl.cat(branches, 1)


class InceptionAux(nn.Module):
    """A classifier on features half-way."""

    def __init__(self, channels, num_classes):
        super().__init__()
        self.conv0 = BasicConv2d(channels, 128, kernel_size=1)
        self.conv1 = BasicConv2d(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)
        self.fc.stddev = 0.001

    def forward(self, x):
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        return self.fc(F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))


class Inception3(nn.Module):
    """Inception v3, for images `(N, 3, 299, 299)`; at least 75x75.

    In training with `aux_logits` the result is an `InceptionOutputs`, else the logits.

    Args:
        transform_input: whether images come with ImageNet's normalisation and need another.
        init_weights: whether to draw the weights as published, which takes a while.
    """

    def __init__(
        self,
        num_classes=1000,
        aux_logits=True,
        transform_input=False,
        init_weights=True,
        dropout=0.5,
    ):
        super().__init__()
        self.aux_logits = aux_logits
        self.transform_input = transform_input
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = InceptionA(192, pool_features=32)
        self.Mixed_5c = InceptionA(256, pool_features=64)
        self.Mixed_5d = InceptionA(288, pool_features=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, width=128)
        self.Mixed_6c = InceptionC(768, width=160)
        self.Mixed_6d = InceptionC(768, width=160)
        self.Mixed_6e = InceptionC(768, width=192)
        self.AuxLogits = InceptionAux(768, num_classes) if aux_logits else None
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(p=dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights:
            self._initialize()

    def _initialize(self):
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=getattr(module, "stddev", 0.1))

    def forward(self, x):
        if self.transform_input:
            x = rescale_input(x)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(self.maxpool1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(self.maxpool2(x))))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        half_way = self.Mixed_6e(self.Mixed_6d(x))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(half_way)))
        logits = self.fc(self.dropout(self.avgpool(x)).flatten(1))
        if not (self.training and self.aux_logits):
            return logits
        return InceptionOutputs(logits, self.AuxLogits(half_way))


@register_model()
def inception_v3(**kwargs):
    """Inception v3; keyword arguments go to `Inception3`."""
    return Inception3(**kwargs)
