"""`flex_attention`: attention whose scores a function changes, and whose mask a function decides.

Computed with whole score matrices: a `BlockMask` says which scores count, and saves no work.
"""

import math
from typing import NamedTuple

import rushlight as rl

__all__ = [
    "AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask",
    "flex_attention", "noop_mask", "or_masks",
]  # fmt: skip

_DEFAULT_SPARSE_BLOCK_SIZE = 128


class AuxRequest(NamedTuple):
    """What `flex_attention` is to return besides."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What `flex_attention` returns besides: logarithms of sums, largest scores."""

    lse: object = None
    max_scores: object = None


def noop_mask(batch, head, token_q, token_kv):
    """A mask that takes everything."""
    return rl.ones((), dtype=rl.bool)


def and_masks(*mask_mods):
    """The mask of what all of the masks take."""

    def both(b, h, q, kv):
        result = rl.ones((), dtype=rl.bool)
        for mask in mask_mods:
            result = result & mask(b, h, q, kv)
        return result

    return both


def or_masks(*mask_mods):
    """The mask of what any of the masks takes."""

    def either(b, h, q, kv):
        result = rl.zeros((), dtype=rl.bool)
        for mask in mask_mods:
            result = result | mask(b, h, q, kv)
        return result

    return either


def _places(sizes, device):
    """For each dimension its numbers, shaped to broadcast against the others."""
    return [
        rl.arange(n, device=device).view([-1 if i == d else 1 for i in range(len(sizes))])
        for d, n in enumerate(sizes)
    ]


def create_mask(mod_fn, B, H, Q_LEN, KV_LEN, device="cpu"):
    """The mask of a function of batch, head, query and key numbers, as a bool tensor.

    The function must work on tensors that broadcast: use ``&``, ``|`` and ``rl.where``.
    """
    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    return mod_fn(*_places(sizes, device)).expand(sizes)


class BlockMask:
    """Which scores count: a function of batch, head, query and key numbers, and its sizes."""

    def __init__(self, seq_lengths, mask_mod, block_size, batch, heads, device):
        self.seq_lengths, self.mask_mod = tuple(seq_lengths), mask_mod
        self.BLOCK_SIZE = block_size
        self._batch, self._heads, self._device = batch, heads, device

    @property
    def shape(self):
        """Batch, heads, queries, keys."""
        return (self._batch, self._heads, *self.seq_lengths)

    def to_dense(self):
        """1 for each block with scores that count, else 0."""
        mask = create_mask(self.mask_mod, *self.shape, device=self._device)
        rows, columns = self.BLOCK_SIZE
        pad = (-mask.shape[-1] % columns, -mask.shape[-2] % rows)
        mask = rl.nn.functional.pad(mask, (0, pad[0], 0, pad[1]))
        blocks = mask.unflatten(-1, (-1, columns)).unflatten(-3, (-1, rows))
        return blocks.any(-1).any(-2).int()

    def sparsity(self):
        """How many of 100 blocks have no score that counts."""
        dense = self.to_dense()
        return 100 * (1 - dense.sum().item() / dense.numel())

    def to(self, device):
        """The mask for another device."""
        return BlockMask(
            self.seq_lengths, self.mask_mod, self.BLOCK_SIZE, self._batch, self._heads, device
        )

    def __repr__(self):
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%)"


def create_block_mask(
    mask_mod,
    B,
    H,
    Q_LEN,
    KV_LEN,
    device="cpu",
    BLOCK_SIZE=_DEFAULT_SPARSE_BLOCK_SIZE,
    _compile=False,
):
    """A `BlockMask` of a function; ``B`` and ``H`` may be None if it does not depend on them.

    Example::

        >>> from rushlight.nn.attention.flex_attention import create_block_mask, flex_attention
        >>> mask = create_block_mask(lambda b, h, q, kv: q >= kv, None, None, 4, 4)
        >>> x = rl.ones(1, 1, 4, 2)
        >>> flex_attention(x, x, x, block_mask=mask).shape
        torch.Size([1, 1, 4, 2])
    """
    size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
    return BlockMask((Q_LEN, KV_LEN), mask_mod, size, B or 1, H or 1, device)


def flex_attention(
    query,
    key,
    value,
    score_mod=None,
    block_mask=None,
    scale=None,
    enable_gqa=False,
    return_lse=False,
    kernel_options=None,
    *,
    return_aux=None,
):
    """Attention with a function of the scores.

    Args:
        query, key, value: (batch, heads, length, size); keys and values may have fewer heads, if
            ``enable_gqa``.
        score_mod: ``f(score, batch, head, query number, key number)``, of tensors that broadcast.
        block_mask: which scores count.
        scale: factor of the scores; by default one over the square root of the size.
        return_lse: return also the logarithm of the sum of the scores' exponentials.
        kernel_options: for kernels on a GPU; there are none.
        return_aux: an `AuxRequest`; return also an `AuxOutput`.
    """
    if enable_gqa:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query @ key.transpose(-2, -1)) * scale
    places = _places(scores.shape, query.device)
    if score_mod is not None:
        scores = score_mod(scores, *places)
    if block_mask is not None:
        scores = scores.masked_fill(~block_mask.mask_mod(*places), -math.inf)
    lse = scores.logsumexp(-1)
    weights = (scores - lse.unsqueeze(-1)).exp().nan_to_num(0.0, 0.0, 0.0)
    output = weights.to(value.dtype) @ value
    if return_aux is not None:
        largest = scores.amax(-1) if return_aux.max_scores else None
        return output, AuxOutput(lse if return_aux.lse else None, largest)
    return (output, lse) if return_lse else output
