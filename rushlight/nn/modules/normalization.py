"""Normalisation over features: layer, RMS, group and local response normalisation.

Normalisation over the batch is in `batchnorm.py`, over one channel in `instancenorm.py`.
"""

import rushlight as rl

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["LocalResponseNorm", "CrossMapLRN2d", "LayerNorm", "GroupNorm", "RMSNorm"]


class LocalResponseNorm(Module):
    """Divides by a power of the mean square over `size` neighbouring channels (Krizhevsky 2012)."""

    __constants__ = ["size", "alpha", "beta", "k"]

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """Local response normalisation of `(N, C, H, W)`; windows are centred, and cut at the ends."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1):
        super().__init__(size, alpha, beta, k)

    def forward(self, input):
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        pad = (self.size - 1) // 2 + 1  # so the window has 2 * pad - 1 channels
        squares = F.pad(input.square(), (0, 0, 0, 0, pad - 1, pad - 1))
        total = squares.unfold(1, 2 * pad - 1, 1).sum(-1)
        first = input[:, :1].square()  # never leaves PyTorch's running sum
        total = rl.cat([total[:, :pad], total[:, pad:] + first], dim=1)
        return input * (total * (self.alpha / self.size) + self.k) ** -self.beta


class _OverLastDims(Module):
    """Normalisation over the trailing dimensions `normalized_shape`."""

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(self, normalized_shape, eps, elementwise_affine):
        super().__init__()
        whole = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if whole else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine

    def _add_parameter(self, name, wanted, device, dtype):
        shape = self.normalized_shape
        value = Parameter(rl.empty(shape, device=device, dtype=dtype)) if wanted else None
        self.register_parameter(name, value)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LayerNorm(_OverLastDims):
    """Normalises over the last dimensions of each sample, then scales and shifts (Ba et al. 2016).

    Args:
        normalized_shape: sizes of the trailing dimensions, or one size.
        eps: added to the variance.
        elementwise_affine: whether scale and shift are learned; `bias=False` leaves out the shift.

    Example::

        >>> import rushlight as rl
        >>> rl.nn.LayerNorm(4)(rl.randn(3, 4)).shape
        torch.Size([3, 4])
    """

    def __init__(
        self,
        normalized_shape,
        eps=1e-5,
        elementwise_affine=True,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__(normalized_shape, eps, elementwise_affine)
        self._add_parameter("weight", elementwise_affine, device, dtype)
        self._add_parameter("bias", elementwise_affine and bias, device, dtype)
        self.reset_parameters()

    def reset_parameters(self):
        """Scale 1, shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return f"{super().extra_repr()}, bias={self.bias is not None}"


class RMSNorm(_OverLastDims):
    """Divides by the root mean square over the last dimensions (Zhang & Sennrich 2019).

    `eps` None means the machine epsilon of the input's dtype.
    """

    def __init__(
        self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None
    ):
        super().__init__(normalized_shape, eps, elementwise_affine)
        self._add_parameter("weight", elementwise_affine, device, dtype)
        self.reset_parameters()

    def reset_parameters(self):
        """Scale 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Normalises over groups of channels of each sample (Wu & He 2018).

    Args:
        num_groups: divides `num_channels`.
        num_channels: size of dimension 1.
        affine: whether a scale and a shift per channel are learned; `bias=False` leaves out the
            shift.
    """

    __constants__ = ["num_groups", "num_channels", "eps", "affine"]

    def __init__(
        self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True
    ):
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            value = rl.empty(num_channels, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if value is None else Parameter(value))
        self.reset_parameters()

    def reset_parameters(self):
        """Scale 1, shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
