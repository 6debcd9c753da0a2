"""Scaled dot-product attention and multi-head attention as functions;
the layer is in nn/modules.
"""

import math

import rushlight as rl
from rushlight import _native
from rushlight.ops._attach import through_formula
from rushlight.ops._record import op


# ---- in one pass
@op(
    "_attention(Tensor query, Tensor key, Tensor value, Tensor? bias, bool is_causal, float scale)"
    " -> (Tensor output, Tensor log_sums)",
    at=("internal",),
    grad_name="ScaledDotProductFlashAttentionForCpuBackward0",
)
def _attention(query, key, value, bias, is_causal, scale):
    """Attention of (batch, heads, length, size) without the matrix of weights; see attention.cpp.
    The bias has the shape of that matrix."""
    ...


@op(
    "_attention_backward(Tensor grad, Tensor output, Tensor log_sums, Tensor query, Tensor key, "
    "Tensor value, Tensor? bias, bool is_causal, float scale)"
    " -> (Tensor grad_query, Tensor grad_key, Tensor grad_value)",
    at=("internal",),
)
def _attention_backward(grad, output, log_sums, query, key, value, bias, is_causal, scale):
    """The gradients of `_attention` in one pass."""
    ...


def _attention_in_ops(query, key, value, bias, is_causal, scale):
    """`_attention` in recorded ops: the output."""
    return _weights(query * scale, key, _bias(query, key, bias, is_causal)) @ value


@_attention.vjp_all
def _(given, needs, query, key, value, bias, is_causal, scale, output, log_sums):
    needs = needs[:3]
    if rl.is_grad_enabled() or _native.kind_of(given[0]):
        inputs = (query, key, value)
        return *through_formula(
            _attention_in_ops, given, needs, inputs, bias, is_causal, scale
        ), None
    gradients = _attention_backward(
        given[0], output, log_sums, query, key, value, bias, is_causal, scale
    )
    return *[g if need else None for g, need in zip(gradients, needs)], None


def _in_one_pass(query, key, value, mask, dropout_p):
    """Does `_attention` do this?"""
    tensors = (query, key, value) if mask is None else (query, key, value, mask)
    return (
        query.dim() == key.dim() == value.dim() == 4
        and query.shape[:2] == key.shape[:2] == value.shape[:2]
        and query.dtype in (rl.float32, rl.float64)
        and dropout_p == 0
        and key.shape[2] > 0
        and not any(_native.kind_of(t) for t in tensors)
        and (mask is None or not (mask.requires_grad and rl.is_grad_enabled()))
    )


# ---- the definition


def _bias(query, key, attn_mask, is_causal):
    """What is added to the scores: None, or -inf where attention is not allowed."""
    rows, columns = query.shape[-2], key.shape[-2]
    if is_causal:
        allowed = rl.ones(rows, columns, dtype=rl.bool).tril()
        if attn_mask is None:
            attn_mask = allowed
        elif attn_mask.dtype == rl.bool:
            attn_mask = attn_mask & allowed
        else:
            attn_mask = attn_mask.masked_fill(~allowed, float("-inf"))
    if attn_mask is None or attn_mask.dtype != rl.bool:
        return attn_mask
    return rl.zeros(attn_mask.shape, dtype=query.dtype).masked_fill(~attn_mask, float("-inf"))


@op(
    "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None,"
    " float dropout_p=0.0, bool is_causal=False, *, float? scale=None, "
    "bool enable_gqa=False) -> Tensor",
    at=("nn.functional",),
)
def scaled_dot_product_attention(
    query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
):
    """softmax(query key^T scale + mask) value (Vaswani et al. 2017).

    Shapes: query (*, L, E), key (*, S, E), value (*, S, V); result (*, L, V). scale defaults to
    1 / sqrt(E). attn_mask broadcasts to (*, L, S): False forbids, a float is added. With
    enable_gqa, key and value have fewer heads (dimension -3), each of which serves several heads of
    query.

    Example::

        >>> q = rl.zeros(1, 2, 4)
        >>> rl.nn.functional.scaled_dot_product_attention(q, q, rl.ones(1, 2, 3)).shape
        torch.Size([1, 2, 3])
    """
    _check_attention(query, key, value, attn_mask, dropout_p, is_causal)
    if query.dtype in (rl.float16, rl.bfloat16):  # scores are kept in float and rounded once
        mask = attn_mask if attn_mask is None or attn_mask.dtype == rl.bool else attn_mask.float()
        return scaled_dot_product_attention(
            query.float(),
            key.float(),
            value.float(),
            mask,
            dropout_p,
            is_causal,
            scale=scale,
            enable_gqa=enable_gqa,
        ).to(query.dtype)
    if enable_gqa and _rows_are_alike(query, key, value, attn_mask, dropout_p, is_causal):
        groups, rows = query.unflatten(1, (key.shape[1], -1)), query.shape[2]
        result = scaled_dot_product_attention(
            groups.flatten(2, 3), key, value, attn_mask, scale=scale
        )
        return result.unflatten(2, (-1, rows)).flatten(1, 2)
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if _in_one_pass(query, key, value, attn_mask, dropout_p):
        bias = None if attn_mask is None else _bias(query, key, attn_mask, is_causal)
        bias = bias if bias is None else bias.expand(*query.shape[:3], key.shape[2])
        return _attention(query, key, value, bias, is_causal, factor)[0]
    bias = _bias(query, key, attn_mask, is_causal)
    root = math.sqrt(abs(factor))
    weights = _weights(query * (root if factor >= 0 else -root), key * root, bias)
    if dropout_p > 0:
        weights = rl.nn.functional.dropout(weights, dropout_p)
    return rl.matmul(weights, value)


def _rows_are_alike(query, key, value, attn_mask, dropout_p, is_causal):
    """May the rows of several heads be rows of one, so that the keys they share are read once?"""
    if not query.dim() == key.dim() == 4 or dropout_p > 0 or is_causal:
        return False
    mask = (1, 1, 1) if attn_mask is None else (1, 1, 1, *attn_mask.shape)
    heads = key.shape[1]
    fits = heads > 0 and heads == value.shape[-3] and query.shape[1] % heads == 0
    return fits and mask[-2] == mask[-3] == 1


def _check_attention(query, key, value, attn_mask, dropout_p, is_causal):
    if query.dim() < 2 or key.dim() < 2 or value.dim() < 2:
        raise RuntimeError(
            "scaled_dot_product_attention: expected query, key, value to be at least 2 "
            f"dimensional, got {query.dim()}, {key.dim()}, {value.dim()}"
        )
    if is_causal and attn_mask is not None:
        _check_both_masks(query, attn_mask, dropout_p)
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    if attn_mask is not None and attn_mask.dtype not in (rl.bool, rl.float32, query.dtype):
        raise RuntimeError(
            "scaled_dot_product_attention: Expected attn_mask dtype to be bool or float or to "
            f"match query dtype, but got attn_mask.dtype: {attn_mask.dtype} and query.dtype: "
            f"{query.dtype} instead."
        )


def _check_both_masks(query, attn_mask, dropout_p):
    """PyTorch's way in one pass takes a mask and is_causal together, its other way does not."""
    learned = attn_mask.requires_grad and rl.is_grad_enabled()
    if query.dim() != 4 or dropout_p > 0 or learned:
        raise RuntimeError(
            "scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True, unless query has 4 dimensions, dropout_p is 0 and the mask requires "
            "no gradient"
        )


def _weights(query, key, bias):
    scores = rl.matmul(query, key.transpose(-2, -1))
    return scores.softmax(-1) if bias is None else _safe_softmax(scores + bias)


def _safe_softmax(scores):
    """softmax whose rows of nothing but -inf are 0 instead of NaN."""
    weights = scores.softmax(-1)
    empty = (scores == float("-inf")).all(-1, keepdim=True)
    return weights.masked_fill(empty, 0)


# ---- multi-head attention
def _float_mask(mask, dtype, name):
    """A boolean mask (True forbids) as zeros and -inf."""
    if mask is None:
        return None
    if mask.dtype == rl.bool:
        return rl.zeros(mask.shape, dtype=dtype).masked_fill(mask, float("-inf"))
    if not mask.is_floating_point():
        raise RuntimeError(
            f"only bool and floating types of {name} are supported, got {mask.dtype}"
        )
    return mask


def _float_masks(attn_mask, key_padding_mask, dtype):
    return [
        _float_mask(attn_mask, dtype, "attn_mask"),
        _float_mask(key_padding_mask, dtype, "key_padding_mask"),
    ]


def _projected(query, key, value, in_proj_weight, in_proj_bias, separate):
    linear, size = rl.nn.functional.linear, query.shape[-1]
    weights = in_proj_weight.split(size) if separate is None else separate
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.split(size)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]


def _heads(x, batch, heads):
    """(L, N, E) as (N, heads, L, E / heads)."""
    return x.reshape(x.shape[0], batch, heads, x.shape[-1] // heads).permute(1, 2, 0, 3)


def _in_heads(q, k, v, batch, heads, static_k, static_v):
    """`_heads` of all three; static keys and values (N heads, S, E / heads) stand in for others."""
    width = q.shape[-1] // heads
    given = (None, static_k, static_v)
    return [
        _heads(x, batch, heads) if s is None else s.view(batch, heads, -1, width)
        for x, s in zip((q, k, v), given)
    ]


def _with_bias_keys(k, v, masks, bias_k, bias_v):
    """Appends the learned key and value; masks get a column of 0."""
    if bias_k is None:
        return k, v, masks
    k = rl.cat([k, bias_k.expand(1, k.shape[1], -1)])
    v = rl.cat([v, bias_v.expand(1, v.shape[1], -1)])
    return k, v, [m if m is None else rl.nn.functional.pad(m, (0, 1)) for m in masks]


def _with_zero_key(k, v, masks):
    """Appends a key and value of zeros; masks get a column of 0."""
    pad = rl.nn.functional.pad
    k, v = (pad(x, (0, 0, 0, 1)) for x in (k, v))
    return k, v, [m if m is None else pad(m, (0, 1)) for m in masks]


def _merged(attn_mask, padding, batch, heads, rows, columns):
    """One mask that broadcasts to (N, heads, L, S), or None."""
    if attn_mask is not None:
        attn_mask = (
            attn_mask.view(batch, heads, rows, columns) if attn_mask.dim() == 3 else attn_mask
        )
    if padding is None:
        return attn_mask
    padding = padding.view(batch, 1, 1, columns)  # unbatched: (S)
    return padding if attn_mask is None else attn_mask + padding


def _check_pairs(key, value, bias_k, bias_v):
    if key.shape[: key.dim() - 1] != value.shape[: key.dim() - 1]:
        raise AssertionError(
            f"expected a value for every key, got shapes {tuple(key.shape)} and "
            f"{tuple(value.shape)}"
        )
    if (bias_k is None) != (bias_v is None):
        raise AssertionError("bias_k and bias_v go together: give both or neither")


def _check_heads(query, key, value, embed, heads, attn_mask, is_causal):
    if query.dim() not in (2, 3) or key.dim() != query.dim() or value.dim() != query.dim():
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query "
            f"tensor, with key {key.dim()}-D and value {value.dim()}-D"
        )
    if query.shape[-1] != embed:
        raise AssertionError(
            f"was expecting embedding dimension of {embed}, but got {query.shape[-1]}"
        )
    if embed % heads:
        raise AssertionError(f"embed_dim {embed} not divisible by num_heads {heads}")
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")


def _check_masks(attn_mask, padding, batch, heads, rows, columns):
    """Shapes of masks, `batch` being None without a batch."""
    if attn_mask is not None:
        n = attn_mask.dim()
        if n not in (2, 3):
            raise AssertionError(f"attn_mask: expected 2 or 3 dimensions, got {n}")
        expected = (rows, columns) if n == 2 else ((batch or 1) * heads, rows, columns)
        if tuple(attn_mask.shape) != expected:
            kind = AssertionError if batch is None and n == 3 else RuntimeError
            raise kind(
                f"The shape of the {n}D attn_mask is {attn_mask.shape}, but should be {expected}."
            )
    if padding is not None:
        expected = (columns,) if batch is None else (batch, columns)
        if tuple(padding.shape) != expected:
            raise AssertionError(
                f"Expected key_padding_mask of shape {expected}, but got {tuple(padding.shape)}"
            )


def _check_static(given, name, bias, batch, heads, width):
    """Keys or values that stand in for computed ones: (N heads, S, E / heads), with no others."""
    if given is None:
        return
    if bias is not None:
        raise AssertionError(f"{name}: no learned key and value can be added to given ones")
    if given.dim() != 3 or (given.shape[0], given.shape[2]) != (batch * heads, width):
        raise AssertionError(
            f"{name}: expected shape ({batch * heads}, S, {width}), got {tuple(given.shape)}"
        )


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Attention in several heads, with its projections (Vaswani et al. 2017).

    Shapes: query (L, N, E) or (L, E), key and value (S, N, *), key_padding_mask (N, S), attn_mask
    (L, S) or (N heads, L, S). Returns the output, of query's shape, and the weights (N, L, S),
    (N, heads, L, S) without averaging, or None if not needed.
    """
    _check_heads(query, key, value, embed_dim_to_check, num_heads, attn_mask, is_causal)
    _check_pairs(key, value, bias_k, bias_v)
    single = query.dim() == 2
    if single:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
    rows, batch, size = query.shape
    if hint := is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # a causal mask that is said to be one need not be read
    for given, name, bias in ((static_k, "static_k", bias_k), (static_v, "static_v", bias_v)):
        _check_static(given, name, bias, batch, num_heads, size // num_heads)
    columns = key.shape[0] if static_k is None else static_k.shape[1]
    _check_masks(attn_mask, key_padding_mask, None if single else batch, num_heads, rows, columns)
    masks = _float_masks(attn_mask, key_padding_mask, query.dtype)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected(query, key, value, in_proj_weight, in_proj_bias, separate)
    k, v, masks = _with_bias_keys(k, v, masks, bias_k, bias_v)
    q, k, v = _in_heads(q, k, v, batch, num_heads, static_k, static_v)
    if add_zero_attn:
        k, v, masks = _with_zero_key(k, v, masks)
    bias = None if hint else _merged(*masks, batch, num_heads, rows, k.shape[2])
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        output, weights = _attend(q, k, v, bias, dropout_p)
    else:
        output = scaled_dot_product_attention(q, k, v, bias, dropout_p, hint)
    output = output.permute(2, 0, 1, 3).reshape(rows * batch, size)
    output = rl.nn.functional.linear(output, out_proj_weight, out_proj_bias)
    output = output.view(rows, batch, out_proj_weight.shape[0])
    output = output.squeeze(1) if single else output
    if not need_weights:
        return output, None
    weights = weights.mean(1) if average_attn_weights else weights
    return output, weights.squeeze(0) if single else weights


def _attend(q, k, v, bias, dropout_p):
    scores = rl.matmul(q * math.sqrt(1.0 / q.shape[-1]), k.transpose(-2, -1))
    weights = (scores if bias is None else scores + bias).softmax(-1)
    if dropout_p > 0:
        weights = rl.nn.functional.dropout(weights, dropout_p)
    return rl.matmul(weights, v), weights


def _register():
    """More arguments than a record may have: installed as a plain function."""
    from rushlight.ops import _record

    _record.namespaces.setdefault("nn.functional", {})["multi_head_attention_forward"] = (
        multi_head_attention_forward
    )


_register()
