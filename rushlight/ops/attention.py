"""Scaled dot-product attention. The multi-head layer is in nn/modules."""
import math

import rushlight as rl
from rushlight.ops._record import op


def _bias(query, key, attn_mask, is_causal):
    """What is added to the scores: None, or -inf where attention is not allowed."""
    rows, columns = query.shape[-2], key.shape[-2]
    if is_causal:
        if attn_mask is not None:
            raise RuntimeError("scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
        attn_mask = rl.ones(rows, columns, dtype=rl.bool).tril()
    if attn_mask is None or attn_mask.dtype != rl.bool:
        return attn_mask
    return rl.zeros(attn_mask.shape, dtype=query.dtype).masked_fill(~attn_mask, float("-inf"))


@op("scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None,"
    " float dropout_p=0.0, bool is_causal=False, *, float? scale=None, bool enable_gqa=False) -> Tensor",
    at=("nn.functional",))
def scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa):
    """softmax(query key^T scale + mask) value (Vaswani et al. 2017).

    Shapes: query (*, L, E), key (*, S, E), value (*, S, V); result (*, L, V). scale defaults to
    1 / sqrt(E). attn_mask broadcasts to (*, L, S): False forbids, a float is added. With enable_gqa, key
    and value have fewer heads (dimension -3), each of which serves several heads of query.

    Example::

        >>> q = rl.zeros(1, 2, 4)
        >>> rl.nn.functional.scaled_dot_product_attention(q, q, rl.ones(1, 2, 3)).shape
        torch.Size([1, 2, 3])
    """
    if query.dim() < 2 or key.dim() < 2 or value.dim() < 2:
        raise RuntimeError(f"scaled_dot_product_attention: expected query, key, value to be at least 2 dimensional, got "
                           f"{query.dim()}, {key.dim()}, {value.dim()}")
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(f"Expected query, key, and value to have the same dtype, but got query.dtype: {query.dtype} "
                           f"key.dtype: {key.dtype} and value.dtype: {value.dtype} instead.")
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    root = math.sqrt(abs(factor))  # on both operands, so that half precision does not overflow
    bias = _bias(query, key, attn_mask, is_causal)
    scores = rl.matmul(query * (root if factor >= 0 else -root), (key * root).transpose(-2, -1))
    if bias is not None:
        scores = scores + bias
    weights = _safe_softmax(scores) if bias is not None else scores.softmax(-1)
    if dropout_p > 0:
        weights = rl.nn.functional.dropout(weights, dropout_p)
    return rl.matmul(weights, value)


def _safe_softmax(scores):
    """softmax whose rows of nothing but -inf are 0 instead of NaN."""
    weights = scores.softmax(-1)
    empty = (scores == float("-inf")).all(-1, keepdim=True)
    return weights.masked_fill(empty, 0)
