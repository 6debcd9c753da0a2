"""Padding layers: by zeros, a constant, reflection, repetition or wrapping around.

The paddings are given as (left, right, top, bottom, front, back), or one number for all.
"""

from .. import functional as F
from .module import Module
from .utils import _ntuple

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    __constants__ = ["padding"]
    _dims = None
    _mode = None

    def __init__(self, padding):
        super().__init__()
        self.padding = _ntuple(2 * self._dims)(padding)

    def forward(self, input):
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    __constants__ = ["padding", "value"]
    _mode = "constant"

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with `value`."""

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with `value`."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with `value`."""

    _dims = 3


class _ZeroPad:
    """`ConstantPad` by zeros."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pads the last dimension with zeros."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pads the last two dimensions with zeros."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pads the last three dimensions with zeros."""


class _CircularPadNd(_Pad):
    _mode = "circular"

    def forward(self, input):
        n = self._dims
        if input.dim() not in (n + 1, n + 2):
            raise ValueError(f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPadNd):
    """Pads the last dimension with its other end."""

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Pads the last two dimensions with their other ends."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Pads the last three dimensions with their other ends."""

    _dims = 3


class ReflectionPad1d(_Pad):
    """Pads the last dimension with its reflection; the edge itself is not repeated."""

    _dims = 1
    _mode = "reflect"


class ReflectionPad2d(_Pad):
    """Pads the last two dimensions with their reflections."""

    _dims = 2
    _mode = "reflect"


class ReflectionPad3d(_Pad):
    """Pads the last three dimensions with their reflections."""

    _dims = 3
    _mode = "reflect"


class ReplicationPad1d(_Pad):
    """Pads the last dimension by repeating its edge."""

    _dims = 1
    _mode = "replicate"


class ReplicationPad2d(_Pad):
    """Pads the last two dimensions by repeating their edges."""

    _dims = 2
    _mode = "replicate"


class ReplicationPad3d(_Pad):
    """Pads the last three dimensions by repeating their edges."""

    _dims = 3
    _mode = "replicate"
