"""`MultiheadAttention` (Vaswani et al. 2017); `nn.functional` computes."""

import rushlight as rl

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module


def _warn_of_kinds(mask, name, other, other_name):
    """A boolean mask beside a mask of floats is taken, but no longer wanted."""
    if mask is None or other is None or mask.dtype == other.dtype:
        return
    import warnings

    warnings.warn(
        f"Support for mismatched {name} and {other_name} is deprecated: give both as bool, or "
        "both as floats",
        stacklevel=3,
    )


class MultiheadAttention(Module):
    """Several attentions side by side, each over its own projection of query, key and value.

    Args:
        embed_dim, num_heads: size of query and output, and into how many heads it is split.
        dropout: probability of dropping an attention weight.
        bias: whether the projections have biases.
        add_bias_kv, add_zero_attn: append a learned, and a zero, key and value.
        kdim, vdim: sizes of key and value; `embed_dim` if None.
        batch_first: whether inputs are `(N, L, E)` rather than `(L, N, E)`.

    Returns (output, weights); weights are None unless `need_weights`, and averaged over heads
    unless `average_attn_weights=False`. Boolean masks are True where attention is forbidden.

    Example::

        >>> import rushlight as rl
        >>> layer, x = rl.nn.MultiheadAttention(8, 2), rl.randn(5, 1, 8)
        >>> out, weights = layer(x, x, x)
        >>> out.shape, weights.shape
        (torch.Size([5, 1, 8]), torch.Size([1, 5, 5]))
    """

    __constants__ = ["batch_first"]

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self._make_projections(bias, {"device": device, "dtype": dtype})
        self._make_extra_key(add_bias_kv, {"device": device, "dtype": dtype})
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _make_projections(self, bias, options):
        size = self.embed_dim
        separate = {"q_proj_weight": size, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        if self._qkv_same_embed_dim:
            self.in_proj_weight = Parameter(rl.empty((3 * size, size), **options))
            for name in separate:
                self.register_parameter(name, None)
        else:
            for name, columns in separate.items():
                setattr(self, name, Parameter(rl.empty((size, columns), **options)))
            self.register_parameter("in_proj_weight", None)
        if bias:
            self.in_proj_bias = Parameter(rl.empty(3 * size, **options))
        else:
            self.register_parameter("in_proj_bias", None)
        self.out_proj = NonDynamicallyQuantizableLinear(size, size, bias=bias, **options)

    def _make_extra_key(self, wanted, options):
        for name in ("bias_k", "bias_v"):
            value = rl.empty((1, 1, self.embed_dim), **options) if wanted else None
            setattr(self, name, None if value is None else Parameter(value))

    def _reset_parameters(self):
        if self._qkv_same_embed_dim:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            init.xavier_uniform_(self.q_proj_weight)
            init.xavier_uniform_(self.k_proj_weight)
            init.xavier_uniform_(self.v_proj_weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def __setstate__(self, state):
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def _of_components(self, query, key, value, key_padding_mask, need_weights, attn_mask):
        """Of nested tensors: attention within each component."""
        if need_weights or key_padding_mask is not None or attn_mask is not None:
            raise NotImplementedError(
                "MultiheadAttention: need_weights=True and masks are not supported for nested "
                "tensors"
            )
        if not self.batch_first:
            raise NotImplementedError("MultiheadAttention: nested tensors need batch_first=True")
        parts = [
            self(*[t.unsqueeze(0) for t in three], need_weights=False)[0].squeeze(0)
            for three in zip(query.unbind(), key.unbind(), value.unbind(), strict=True)
        ]
        return rl.nested.as_nested_tensor(parts, layout=query.layout), None

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        if query.is_nested:
            return self._of_components(query, key, value, key_padding_mask, need_weights, attn_mask)
        _warn_of_kinds(key_padding_mask, "key_padding_mask", attn_mask, "attn_mask")
        swap = self.batch_first and query.dim() == 3
        if swap:
            query, key, value = _swap_batch(query, key, value)
        separate = not self._qkv_same_embed_dim
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=separate,
            q_proj_weight=self.q_proj_weight if separate else None,
            k_proj_weight=self.k_proj_weight if separate else None,
            v_proj_weight=self.v_proj_weight if separate else None,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(1, 0) if swap else output), weights

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """(one mask for every head, its kind): 0 attention, 1 padding, 2 both; (None, None)."""
        if key_padding_mask is None:
            return attn_mask, None if attn_mask is None else 0
        if attn_mask is None:
            return key_padding_mask, 1
        batch, length, _ = query.shape
        if attn_mask.dim() == 3:
            wide = attn_mask.view(batch, -1, length, length)
        else:
            wide = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        padding = key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return wide + padding, 2


def _swap_batch(query, key, value):
    """Batch and sequence exchanged; tensors that were the same object stay so."""
    same_kv, same_qk = key is value, query is key
    query, old_key = query.transpose(1, 0), key
    key = query if same_qk else old_key.transpose(1, 0)
    return query, key, key if same_kv else value.transpose(1, 0)
