"""Layers that drop values at random while training and do nothing in evaluation mode."""

from .. import functional as F
from .module import Module

__all__ = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    __constants__ = ["p", "inplace"]
    _function = None

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input):
        return self._function(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Sets each value to zero with probability `p` and scales the others by 1/(1-p).

    Source: Hinton et al. 2012, "Improving neural networks by preventing co-adaptation".

    Example::

        >>> import rushlight as rl
        >>> rl.nn.Dropout(0.2).eval()(rl.ones(2))
        tensor([1., 1.])
    """

    _function = staticmethod(F.dropout)


class Dropout1d(_DropoutNd):
    """Drops whole channels of `(N, C, L)` or `(C, L)` inputs (Tompson et al. 2015)."""

    _function = staticmethod(F.dropout1d)


class Dropout2d(_DropoutNd):
    """Drops whole channels of `(N, C, H, W)` inputs (Tompson et al. 2015)."""

    _function = staticmethod(F.dropout2d)


class Dropout3d(_DropoutNd):
    """Drops whole channels of `(N, C, D, H, W)` inputs (Tompson et al. 2015)."""

    _function = staticmethod(F.dropout3d)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean and variance, to go with `SELU` (Klambauer et al. 2017)."""

    def forward(self, input):
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels."""

    def forward(self, input):
        return F.feature_alpha_dropout(input, self.p, self.training)
