"""Swin transformer: attention in shifted windows (Liu et al. 2021), in two versions."""

import math
from functools import partial

import rushlight as rl
import rushlight.nn.functional as F
from rushlight import nn

from ..ops.drop import StochasticDepth
from ..ops.misc import MLP, Permute
from ._registry import define_models

__all__ = ["SwinTransformer"]


def _quarters(x):
    """`(..., H, W, C)` to `(..., H/2, W/2, 4C)`: the four pixels of each square side by side."""
    x = F.pad(x, (0, 0, 0, x.shape[-2] % 2, 0, x.shape[-3] % 2))
    parts = [x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
    return rl.cat(parts, -1)


class PatchMerging(nn.Module):
    """Halves the size and doubles the channels, normalising first."""

    def __init__(self, dim, norm_layer=nn.LayerNorm):
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x):
        return self.reduction(self.norm(_quarters(x)))


class PatchMergingV2(nn.Module):
    """Halves the size and doubles the channels, normalising last."""

    def __init__(self, dim, norm_layer=nn.LayerNorm):
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x):
        return self.norm(self.reduction(_quarters(x)))


def _windows(x, window):
    """`(N, H, W, C)` to `(N * windows, positions, C)`."""
    count, height, width, channels = x.shape
    rows, cols = height // window[0], width // window[1]
    x = x.view(count, rows, window[0], cols, window[1], channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(count * rows * cols, window[0] * window[1], channels)


def _unwindowed(x, window, count, height, width):
    rows, cols = height // window[0], width // window[1]
    x = x.view(count, rows, cols, window[0], window[1], -1).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(count, height, width, -1)


def _shift_mask(height, width, window, shift, dtype):
    """`(windows, positions, positions)`: minus a hundred between pixels that were no neighbours."""
    regions = rl.zeros(height, width, dtype=dtype)
    number = 0
    for top in _bands(window[0], shift[0]):
        for left in _bands(window[1], shift[1]):
            regions[top, left] = number
            number += 1
    flat = _windows(regions[None, :, :, None], window).squeeze(-1)
    apart = flat.unsqueeze(1) != flat.unsqueeze(2)
    return rl.zeros(apart.shape, dtype=dtype).masked_fill(apart, -100.0)


def _bands(window, shift):
    """All but the last window, the last window's unshifted part, its shifted part."""
    return (slice(0, -window), slice(-window, -shift), slice(-shift, None))


class ShiftedWindowAttention(nn.Module):
    """Self-attention within windows `(height, width)` of `(N, H, W, C)`, moved by `shift_size`.

    A bias for each relative position is learned.
    """

    def __init__(
        self,
        dim,
        window_size,
        shift_size,
        num_heads,
        qkv_bias=True,
        proj_bias=True,
        attention_dropout=0.0,
        dropout=0.0,
    ):
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size = window_size
        self.shift_size = shift_size
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self._define_bias_table()
        self._define_bias_index()

    def _define_bias_table(self):
        positions = math.prod(2 * w - 1 for w in self.window_size)
        table = nn.Parameter(rl.zeros(positions, self.num_heads))
        self.relative_position_bias_table = table
        nn.init.trunc_normal_(table, std=0.02)

    def _define_bias_index(self):
        height, width = self.window_size
        y, x = (
            c.flatten() for c in rl.meshgrid(rl.arange(height), rl.arange(width), indexing="ij")
        )
        rows = y[:, None] - y[None, :] + height - 1
        cols = x[:, None] - x[None, :] + width - 1
        self.register_buffer("relative_position_index", (rows * (2 * width - 1) + cols).flatten())

    def relative_position_bias(self):
        """`(1, heads, positions, positions)`."""
        return self._biases(self.relative_position_bias_table)

    def _biases(self, table):
        count = math.prod(self.window_size)
        bias = table[self.relative_position_index].view(count, count, -1)
        return bias.permute(2, 0, 1).unsqueeze(0)

    def _projected(self, x):
        return self.qkv(x)

    def _scores(self, query, key):
        return (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)

    def _shift(self, height, width):
        """No shift along an axis on which the window covers everything."""
        return [
            0 if window >= size else shift
            for window, size, shift in zip(self.window_size, (height, width), self.shift_size)
        ]

    def forward(self, x):
        count, height, width, channels = x.shape
        window = self.window_size
        x = F.pad(x, (0, 0, 0, -width % window[1], 0, -height % window[0]))
        full_height, full_width = x.shape[1:3]
        shift = self._shift(full_height, full_width)
        if any(shift):
            x = rl.roll(x, (-shift[0], -shift[1]), (1, 2))
        mask = None
        if any(shift):
            mask = self._mask(full_height, full_width, shift, x.dtype)
        out = self._attend(_windows(x, window), mask)
        out = _unwindowed(out, window, count, full_height, full_width)
        if any(shift):
            out = rl.roll(out, tuple(shift), (1, 2))
        return out[:, :height, :width, :].contiguous()

    def _mask(self, height, width, shift, dtype):
        # A zero shift leaves one band that is everything.
        bands = [w if s == 0 else s for s, w in zip(shift, (height, width))]
        return _shift_mask(height, width, self.window_size, bands, dtype)

    def _attend(self, x, mask):
        count, positions, channels = x.shape
        qkv = self._projected(x).reshape(count, positions, 3, self.num_heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        scores = self._scores(query, key) + self.relative_position_bias()
        if mask is not None:
            shape = (count // len(mask), len(mask), self.num_heads, positions, positions)
            scores = (scores.view(shape) + mask[None, :, None]).view(-1, *shape[2:])
        weights = F.dropout(scores.softmax(-1), self.attention_dropout, self.training)
        out = (weights @ value).transpose(1, 2).reshape(count, positions, channels)
        return F.dropout(self.proj(out), self.dropout, self.training)


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """Cosine attention with a learned scale and biases from a perceptron on log distances."""

    def __init__(self, dim, window_size, shift_size, num_heads, *args, **kwargs):
        super().__init__(dim, window_size, shift_size, num_heads, *args, **kwargs)
        self.logit_scale = nn.Parameter(rl.log(10 * rl.ones(num_heads, 1, 1)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512, bias=True),
            nn.ReLU(inplace=True),
            nn.Linear(512, num_heads, bias=False),
        )
        if self.qkv.bias is not None:
            length = self.qkv.bias.numel() // 3
            self.qkv.bias[length : 2 * length].data.zero_()

    def _define_bias_table(self):
        height, width = self.window_size
        y = rl.arange(-(height - 1), height, dtype=rl.float32)
        x = rl.arange(-(width - 1), width, dtype=rl.float32)
        table = rl.stack(rl.meshgrid(y, x, indexing="ij"), dim=-1).unsqueeze(0)
        table = table / rl.tensor([height - 1, width - 1]) * 8  # to [-8, 8]
        table = table.sign() * (table.abs() + 1.0).log2() / 3.0
        self.register_buffer("relative_coords_table", table)

    def relative_position_bias(self):
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads)
        return 16 * self._biases(table).sigmoid()

    def _projected(self, x):
        if self.qkv.bias is None:
            return self.qkv(x)
        bias = self.qkv.bias.clone()
        length = bias.numel() // 3
        bias[length : 2 * length].zero_()  # keys have none
        return F.linear(x, self.qkv.weight, bias)

    def _scores(self, query, key):
        cosine = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        return cosine * self.logit_scale.clamp(max=math.log(100.0)).exp()


class SwinTransformerBlock(nn.Module):
    """Attention and a perceptron, each normalised before and beside the identity."""

    _attention = ShiftedWindowAttention

    def __init__(
        self,
        dim,
        num_heads,
        window_size,
        shift_size,
        mlp_ratio=4.0,
        dropout=0.0,
        attention_dropout=0.0,
        stochastic_depth_prob=0.0,
        norm_layer=nn.LayerNorm,
    ):
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = self._attention(
            dim,
            window_size,
            shift_size,
            num_heads,
            attention_dropout=attention_dropout,
            dropout=dropout,
        )
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(
            dim,
            [int(dim * mlp_ratio), dim],
            activation_layer=nn.GELU,
            inplace=None,
            dropout=dropout,
        )
        for module in self.mlp.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def forward(self, x):
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """The same with `ShiftedWindowAttentionV2`, normalised after."""

    _attention = ShiftedWindowAttentionV2

    def forward(self, x):
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """Stages of blocks in windows with merging between, for images `(N, 3, H, W)`.

    Args:
        patch_size: of the first convolution, (height, width).
        embed_dim: channels of the first stage.
        depths, num_heads: blocks and heads of each stage.
        window_size: (height, width).
        stochastic_depth_prob: of the last block; it grows from zero.
        block, downsample_layer, norm_layer: other classes than those of the first version.
    """

    def __init__(
        self,
        patch_size,
        embed_dim,
        depths,
        num_heads,
        window_size,
        mlp_ratio=4.0,
        dropout=0.0,
        attention_dropout=0.0,
        stochastic_depth_prob=0.1,
        num_classes=1000,
        norm_layer=None,
        block=None,
        downsample_layer=PatchMerging,
    ):
        super().__init__()
        block = block or SwinTransformerBlock
        norm_layer = norm_layer or partial(nn.LayerNorm, eps=1e-5)
        patches = nn.Sequential(
            nn.Conv2d(3, embed_dim, tuple(patch_size), tuple(patch_size)),
            Permute([0, 2, 3, 1]),
            norm_layer(embed_dim),
        )
        layers, done, total = [patches], 0, sum(depths)
        for stage, depth in enumerate(depths):
            dim, blocks = embed_dim * 2**stage, []
            for i in range(depth):
                shift = [0 if i % 2 == 0 else w // 2 for w in window_size]
                blocks.append(
                    block(
                        dim,
                        num_heads[stage],
                        window_size=window_size,
                        shift_size=shift,
                        mlp_ratio=mlp_ratio,
                        dropout=dropout,
                        attention_dropout=attention_dropout,
                        stochastic_depth_prob=stochastic_depth_prob * done / (total - 1),
                        norm_layer=norm_layer,
                    )
                )
                done += 1
            layers.append(nn.Sequential(*blocks))
            if stage < len(depths) - 1:
                layers.append(downsample_layer(dim, norm_layer))
        self.features = nn.Sequential(*layers)
        last = embed_dim * 2 ** (len(depths) - 1)
        self.norm = norm_layer(last)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(last, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x):
        x = self.permute(self.norm(self.features(x)))
        return self.head(self.flatten(self.avgpool(x)))


# Name: width, blocks of the third stage, heads of the first stage, stochastic depth.
_VARIANTS = {
    "swin_t": (96, 6, 3, 0.2),
    "swin_s": (96, 18, 3, 0.3),
    "swin_b": (128, 18, 4, 0.5),
    "swin_v2_t": (96, 6, 3, 0.2),
    "swin_v2_s": (96, 18, 3, 0.3),
    "swin_v2_b": (128, 18, 4, 0.5),
}


def _build(name, kwargs):
    width, middle, heads, drop = _VARIANTS[name]
    second = name.startswith("swin_v2")
    options = {
        "patch_size": [4, 4],
        "embed_dim": width,
        "depths": [2, 2, middle, 2],
        "num_heads": [heads * 2**i for i in range(4)],
        "window_size": [8, 8] if second else [7, 7],
        "stochastic_depth_prob": drop,
    }
    if second:
        options |= {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}
    return SwinTransformer(**{**options, **kwargs})


define_models(_VARIANTS, _build, "a Swin transformer; keywords go to `SwinTransformer`", globals())
