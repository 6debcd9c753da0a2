"""The feature pyramid: maps of several sizes made equally wide and joined from coarse to fine."""

from collections import OrderedDict

import rushlight.nn.functional as F
from rushlight import nn

from .misc import Conv2dNormActivation

__all__ = ["FeaturePyramidNetwork", "LastLevelMaxPool"]


class LastLevelMaxPool(nn.Module):
    """A further map, every second pixel of the coarsest."""

    def forward(self, x, y, names):
        return [*x, F.max_pool2d(x[-1], kernel_size=1, stride=2, padding=0)], [*names, "pool"]


class FeaturePyramidNetwork(nn.Module):
    """Lateral 1x1 convolutions, sums from the top down, 3x3 convolutions (Lin et al. 2016).

    Args:
        in_channels_list: channels of the maps, from fine to coarse.
        out_channels: of all results.
        extra_blocks: makes further maps from results, inputs and names.
        norm_layer: after the convolutions, or None.

    Takes an ordered dict of maps and returns one with the same names.
    """

    def __init__(self, in_channels_list, out_channels, extra_blocks=None, norm_layer=None):
        super().__init__()
        if 0 in in_channels_list:
            raise ValueError("FeaturePyramidNetwork: in_channels=0 is not supported")
        shared = {"norm_layer": norm_layer, "activation_layer": None}
        self.inner_blocks = nn.ModuleList()
        self.layer_blocks = nn.ModuleList()
        for channels in in_channels_list:
            inner = Conv2dNormActivation(channels, out_channels, kernel_size=1, padding=0, **shared)
            self.inner_blocks.append(inner)
            layer = Conv2dNormActivation(out_channels, out_channels, kernel_size=3, **shared)
            self.layer_blocks.append(layer)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.extra_blocks = extra_blocks

    def forward(self, x):
        names, maps = list(x), list(x.values())
        coarser, results = None, []
        for i in reversed(range(len(maps))):
            lateral = self.inner_blocks[i](maps[i])
            if coarser is not None:
                size = lateral.shape[-2:]
                lateral = lateral + F.interpolate(coarser, size=size, mode="nearest")
            coarser = lateral
            results.insert(0, self.layer_blocks[i](lateral))
        if self.extra_blocks is not None:
            results, names = self.extra_blocks(results, maps, names)
        return OrderedDict(zip(names, results))
