"""Regularisation that drops whole samples or blocks: stochastic depth and DropBlock."""

import rushlight as rl
import rushlight.nn.functional as F
from rushlight import nn

__all__ = [
    "DropBlock2d",
    "DropBlock3d",
    "StochasticDepth",
    "drop_block2d",
    "drop_block3d",
    "stochastic_depth",
]


def _check_probability(p, name):
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: expected a probability in [0, 1], got {p}")


def stochastic_depth(input, p, mode, training=True):
    """Zeroes samples ("row") or the whole batch ("batch") with probability `p`, scales the rest.

    Huang, Sun, Liu, Sedra, Weinberger: Deep networks with stochastic depth (2016).
    """
    _check_probability(p, "stochastic_depth")
    if mode not in ("batch", "row"):
        raise ValueError(f"stochastic_depth: expected mode 'batch' or 'row', got {mode!r}")
    if not training or p == 0.0:
        return input
    survival = 1.0 - p
    rows = input.shape[0] if mode == "row" else 1
    size = [rows] + [1] * (input.ndim - 1)
    noise = rl.empty(size, dtype=input.dtype, device=input.device).bernoulli_(survival)
    return input * (noise.div_(survival) if survival > 0.0 else noise)


class StochasticDepth(nn.Module):
    """`stochastic_depth` as a layer."""

    def __init__(self, p, mode):
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input):
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p}, mode={self.mode})"


def _drop_block(input, p, block_size, inplace, eps, training, dims, pool):
    name = f"drop_block{dims}d"
    _check_probability(p, name)
    if input.ndim != dims + 2:
        raise ValueError(f"{name}: expected {dims + 2} dimensions, got {input.ndim}")
    if not training or p == 0.0:
        return input
    sizes = input.shape[2:]
    block = min(block_size, *sizes)
    # Seeds are this rare, so that the blocks around them cover the share p.
    gamma = p / block**dims
    for size in sizes:
        gamma *= size / (size - block + 1)
    inner = [size - block + 1 for size in sizes]
    noise = rl.empty([*input.shape[:2], *inner], dtype=input.dtype).bernoulli_(gamma)
    noise = F.pad(noise, [block // 2] * (2 * dims), value=0)
    kept = 1 - pool(noise, stride=1, kernel_size=block, padding=block // 2)
    scale = kept.numel() / (eps + kept.sum())
    return input.mul_(kept).mul_(scale) if inplace else input * kept * scale


def drop_block2d(input, p, block_size, inplace=False, eps=1e-6, training=True):
    """Zeroes blocks of `(N, C, H, W)` that cover the share `p`, scales the rest.

    Ghiasi, Lin, Le: DropBlock (2018).
    """
    return _drop_block(input, p, block_size, inplace, eps, training, 2, F.max_pool2d)


def drop_block3d(input, p, block_size, inplace=False, eps=1e-6, training=True):
    """`drop_block2d` for `(N, C, D, H, W)`."""
    return _drop_block(input, p, block_size, inplace, eps, training, 3, F.max_pool3d)


class DropBlock2d(nn.Module):
    """`drop_block2d` as a layer."""

    _function = staticmethod(drop_block2d)

    def __init__(self, p, block_size, inplace=False, eps=1e-6):
        super().__init__()
        self.p = p
        self.block_size = block_size
        self.inplace = inplace
        self.eps = eps

    def forward(self, input):
        return self._function(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self):
        return (
            f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, "
            f"inplace={self.inplace})"
        )


class DropBlock3d(DropBlock2d):
    """`drop_block3d` as a layer."""

    _function = staticmethod(drop_block3d)
