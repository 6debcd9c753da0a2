"""Transformers (Vaswani et al. 2017): encoder and decoder layers, stacks of them, and both.

Attention itself is in `_attention.py`.
"""

import copy
import warnings

import rushlight as rl

from .. import functional as F
from .. import init
from ._attention import MultiheadAttention, _warn_of_kinds
from .activation import GELU, ReLU
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

__all__ = [
    "Transformer",
    "TransformerEncoder",
    "TransformerDecoder",
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
]


def _generate_square_subsequent_mask(sz, device=None, dtype=None):
    return rl.triu(rl.full((sz, sz), float("-inf"), dtype=dtype, device=device), diagonal=1)


def _copies(module, n):
    return ModuleList([copy.deepcopy(module) for _ in range(n)])


def _get_activation_fn(name):
    if not isinstance(name, str):
        return name
    if name not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {name}")
    return getattr(F, name)


def _is_causal(mask, given, length):
    """`given` if it is not None; else whether `mask` is the causal mask of that length."""
    if given is not None or mask is None:
        return given is True
    length = mask.size(-2) if length is None else length
    causal = _generate_square_subsequent_mask(length, device=mask.device, dtype=mask.dtype)
    return mask.shape == causal.shape and bool((mask == causal).all())


def _length(x, batch_first):
    return x.size(0) if x.dim() == 2 or not batch_first else x.size(1)


def _float_mask(mask, dtype, name):
    """A mask to be added to attention scores: boolean masks become 0 and minus infinity."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != rl.bool:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    zeros = rl.zeros(mask.shape, dtype=dtype, device=mask.device)
    return zeros.masked_fill_(mask, float("-inf"))


class _Layer(Module):
    """The feed-forward part that encoder and decoder layers share."""

    __constants__ = ["norm_first"]

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("activation", F.relu)

    def _attend(self, attention, dropout, x, memory, mask, padding, is_causal):
        return dropout(
            attention(
                x,
                memory,
                memory,
                attn_mask=mask,
                key_padding_mask=padding,
                is_causal=is_causal,
                need_weights=False,
            )[0]
        )

    def _feed_forward(self, x, dropout):
        return dropout(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network, each added to its input and normalised.

    Args:
        d_model, nhead: size of the input and number of attention heads.
        dim_feedforward: inner size of the feed-forward network.
        dropout: probability of dropping values.
        activation: 'relu', 'gelu' or a function.
        layer_norm_eps: `eps` of the normalisations.
        batch_first: whether the input is `(N, L, E)` rather than `(L, N, E)`.
        norm_first: normalise the input of each part instead of the sum.
        bias: whether linear layers and normalisations have biases.

    Example::

        >>> import rushlight as rl
        >>> layer = rl.nn.TransformerEncoderLayer(8, 2, 16)
        >>> layer(rl.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])
    """

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        o = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **o
        )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **o)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **o)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **o)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **o)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        activation = _get_activation_fn(activation)
        relu = activation is F.relu or isinstance(activation, ReLU)
        gelu = activation is F.gelu or isinstance(activation, GELU)
        self.activation_relu_or_gelu = 1 if relu else 2 if gelu else 0
        self.activation = activation

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        _warn_of_kinds(src_key_padding_mask, "src_key_padding_mask", src_mask, "src_mask")
        padding = _float_mask(src_key_padding_mask, src.dtype, "src_key_padding_mask")
        mask = _float_mask(src_mask, src.dtype, "src_mask")
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), mask, padding, is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, mask, padding, is_causal))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        return self._attend(
            self.self_attn, self.dropout1, x, x, attn_mask, key_padding_mask, is_causal
        )

    def _ff_block(self, x):
        return self._feed_forward(x, self.dropout2)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output and a feed-forward network.

    Arguments as for `TransformerEncoderLayer`.

    Example::

        >>> import rushlight as rl
        >>> layer = rl.nn.TransformerDecoderLayer(8, 2, 16)
        >>> layer(rl.randn(4, 3, 8), rl.randn(5, 3, 8)).shape
        torch.Size([4, 3, 8])
    """

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        o = {"device": device, "dtype": dtype}
        for name in ("self_attn", "multihead_attn"):
            setattr(
                self,
                name,
                MultiheadAttention(
                    d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **o
                ),
            )
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **o)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **o)
        self.norm_first = norm_first
        for name in ("norm1", "norm2", "norm3"):
            setattr(self, name, LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **o))
        for name in ("dropout1", "dropout2", "dropout3"):
            setattr(self, name, Dropout(dropout))
        self.activation = _get_activation_fn(activation)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        own = (tgt_mask, tgt_key_padding_mask, tgt_is_causal)
        other = (memory_mask, memory_key_padding_mask, memory_is_causal)
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        return self._attend(
            self.self_attn, self.dropout1, x, x, attn_mask, key_padding_mask, is_causal
        )

    def _mha_block(self, x, mem, attn_mask, key_padding_mask, is_causal=False):
        return self._attend(
            self.multihead_attn, self.dropout2, x, mem, attn_mask, key_padding_mask, is_causal
        )

    def _ff_block(self, x):
        return self._feed_forward(x, self.dropout3)


class TransformerEncoder(Module):
    """`num_layers` copies of an encoder layer, one after the other, and a normalisation, if given.

    Args:
        encoder_layer: the layer that is copied.
        num_layers: how many copies.
        norm: applied at the end.
        enable_nested_tensor: where PyTorch would compute on a nested tensor (in evaluation, without
            gradients, of a batch with padding), places of padding are 0 in the result.
        mask_check: expect padding to follow the sequences for that.
    """

    __constants__ = ["norm"]

    def __init__(
        self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True
    ):
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        why_not = _why_not_nested(encoder_layer)
        self.use_nested_tensor = enable_nested_tensor and not why_not
        self.mask_check = mask_check
        if enable_nested_tensor and why_not:
            warnings.warn(
                "enable_nested_tensor is True, but self.use_nested_tensor is False because "
                f"encoder_layer{why_not}",
                stacklevel=2,
            )

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        _warn_of_kinds(src_key_padding_mask, "src_key_padding_mask", mask, "mask")
        padding = _float_mask(src_key_padding_mask, src.dtype, "src_key_padding_mask")
        mask = _float_mask(mask, src.dtype, "mask")
        batch_first = self.layers[0].self_attn.batch_first if len(self.layers) else False
        causal = _is_causal(mask, is_causal, _length(src, batch_first))
        left_out = self._padding_is_left_out(src, mask, padding)
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        if left_out:
            src = src.masked_fill((padding != 0).unsqueeze(-1), 0)
        return src if self.norm is None else self.norm(src)

    def _padding_is_left_out(self, src, mask, padding):
        """Are places of padding, which count for no other place, 0 in the result? In PyTorch they
        are where the layers compute on a nested tensor.
        """
        if not self.use_nested_tensor or padding is None or mask is not None or src.dim() != 3:
            return False
        first = self.layers[0]
        if first.training or rl.is_autocast_enabled() or not rl.backends.mha.get_fastpath_enabled():
            return False
        if rl.is_grad_enabled() and any(t.requires_grad for t in (src, *first.parameters())):
            return False
        left_aligned = not ((padding == 0) & (padding != 0).cummax(1).values).any()
        return not self.mask_check or bool(left_aligned)


def _why_not_nested(layer):
    """What keeps an encoder of such layers from nested tensors; "" if nothing does."""
    if not isinstance(layer, TransformerEncoderLayer):
        return " was not TransformerEncoderLayer"
    attention = layer.self_attn
    if layer.norm_first:
        return ".norm_first was True"
    if not attention.batch_first:
        return (
            ".self_attn.batch_first was not True(use batch_first for better inference performance)"
        )
    if not attention._qkv_same_embed_dim:
        return ".self_attn._qkv_same_embed_dim was not True"
    if attention.in_proj_bias is None:
        return ".self_attn was passed bias=False"
    if not layer.activation_relu_or_gelu:
        return ".activation_relu_or_gelu was not True"
    if layer.norm1.eps != layer.norm2.eps:
        return ".norm1.eps was not equal to encoder_layer.norm2.eps"
    return ".self_attn.num_heads is odd" if attention.num_heads % 2 == 1 else ""


class TransformerDecoder(Module):
    """`num_layers` copies of a decoder layer, one after the other; at the end `norm`, if given."""

    __constants__ = ["norm"]

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        batch_first = self.layers[0].self_attn.batch_first if len(self.layers) else False
        causal = _is_causal(tgt_mask, tgt_is_causal, _length(tgt, batch_first))
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder of `src` and a decoder of `tgt` that attends to it.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias: as for `TransformerEncoderLayer`.
        num_encoder_layers, num_decoder_layers: layers of each stack.
        custom_encoder, custom_decoder: modules to use instead.

    Example::

        >>> import rushlight as rl
        >>> net = rl.nn.Transformer(8, 2, 1, 1, 16)
        >>> net(rl.randn(5, 3, 8), rl.randn(4, 3, 8)).shape
        torch.Size([4, 3, 8])
    """

    def __init__(
        self,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        o = {"device": device, "dtype": dtype}
        layer = (
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
        )

        def norm():
            return LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **o)

        if custom_encoder is None:
            first = TransformerEncoderLayer(*layer, **o)
            custom_encoder = TransformerEncoder(first, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            first = TransformerDecoderLayer(*layer, **o)
            custom_decoder = TransformerDecoder(first, num_decoder_layers, norm())
        self.decoder = custom_decoder
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src,
        tgt,
        src_mask=None,
        tgt_mask=None,
        memory_mask=None,
        src_key_padding_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        src_is_causal=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        batch_dim = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(batch_dim) != tgt.size(batch_dim):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """`(sz, sz)`: minus infinity above the diagonal, zero elsewhere."""
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self):
        for param in self.parameters():
            if param.dim() > 1:
                init.xavier_uniform_(param)
