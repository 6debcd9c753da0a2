"""Products of matrices, linear layers and attention."""

import math

import rushlight as rl

from .._table import translates


@translates("matmul", "mm", "bmm", "mv", "dot")
def _(g, self, other):
    return g.op("MatMul", self, other)


@translates("linear")
def _(g, self, weight, bias=None):
    if self.dim() == 2 and weight.dim() == 2:
        return g.op("Gemm", self, weight, bias, transB=1)
    if g.tracks(weight):
        turned = g.op("Transpose", weight, perm=[1, 0]) if weight.dim() == 2 else weight
    else:
        turned = weight.detach().t().contiguous()
    product = g.op("MatMul", self, turned)
    return product if bias is None else g.op("Add", product, bias)


@translates("addmm")
def _(g, self, mat1, mat2, *, beta=1, alpha=1):
    return g.op("Gemm", mat1, mat2, self, alpha=float(alpha), beta=float(beta))


@translates("baddbmm")
def _(g, self, batch1, batch2, *, beta=1, alpha=1):
    product = _times(g, g.op("MatMul", batch1, batch2), alpha, self.dtype)
    return product if beta == 0 else g.op("Add", product, _times(g, self, beta, self.dtype))


def _times(g, x, factor, dtype):
    return g.value(x) if factor == 1 else g.op("Mul", x, g.constant(factor, dtype))


@translates("outer", "ger")
def _(g, self, vec2):
    column = g.op("Reshape", self, g.ints([-1, 1]))
    return g.op("Mul", column, g.op("Reshape", vec2, g.ints([1, -1])))


@translates("einsum")
def _(g, equation, *operands):
    operands = operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) \
        else operands  # fmt: skip
    if not isinstance(equation, str):
        raise g.unsupported("einsum", "indices as lists")
    return g.op("Einsum", *operands, equation=equation)


@translates("tensordot")
def _(g, a, b, dims=2):
    from rushlight.ops.einsum import _tensordot_dims

    left, right = _tensordot_dims(a, b, dims)
    letters = "abcdefghijklmnopqrstuvwxyz"
    first, second = list(letters[: a.dim()]), list(letters[a.dim() : a.dim() + b.dim()])
    for i, j in zip(left, right):
        second[j] = first[i]
    free = [x for i, x in enumerate(first) if i not in left]
    free += [x for j, x in enumerate(second) if j not in right]
    equation = f"{''.join(first)},{''.join(second)}->{''.join(free)}"
    return g.op("Einsum", a, b, equation=equation)


@translates("scaled_dot_product_attention")
def _(g, query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None,
      enable_gqa=False):  # fmt: skip
    if dropout_p:
        raise g.unsupported("scaled_dot_product_attention", "dropout")
    if enable_gqa and query.shape[-3] != key.shape[-3]:
        key, value = (_repeated_heads(g, x, query.shape[-3]) for x in (key, value))
        turned = _swapped(g, key, query.dim())
    else:
        turned = _swapped(g, key, key.dim())
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = g.op("MatMul", _times(g, query, factor, query.dtype), turned)
    if is_causal:
        attn_mask = _causal(g, query, key)
        scores = g.op("Add", scores, attn_mask)
    elif attn_mask is not None:
        scores = g.op("Add", scores, _bias(g, attn_mask, query.dtype))
    return g.op("MatMul", g.op("Softmax", scores, axis=-1), value)


def _swapped(g, x, rank):
    return g.op("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2])


def _bias(g, mask, dtype):
    if mask.dtype is not rl.bool:
        return g.value(mask, dtype)
    return g.op("Where", mask, g.constant(0.0, dtype), g.constant(-math.inf, dtype))


def _causal(g, query, key):
    rows, columns = g.length(query, -2), g.length(key, -2) if isinstance(key, rl.Tensor) else None
    columns = rows if columns is None else columns
    full = g.op("Expand", g.constant(-math.inf, query.dtype), g.ints([rows, columns]))
    return g.op("Trilu", full, g.constant(1, rl.int64), upper=1)


def _repeated_heads(g, x, heads):
    shared = heads // x.shape[-3]
    wide = g.op("Unsqueeze", x, g.ints([x.dim() - 2]))
    sizes = [*g.lengths(x)[:-2], shared, *g.lengths(x)[-2:]]
    wide = g.op("Expand", wide, g.ints(sizes))
    return g.op("Reshape", wide, g.ints([*g.lengths(x)[:-3], heads, *g.lengths(x)[-2:]]))


@translates("det", "linalg.det")
def _(g, A):
    return g.op("Det", A)
