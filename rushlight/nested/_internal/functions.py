"""What functions do along the dimensions of nested tensors, with their shapes, in products and in
layers: rules of `nested_tensor.rules`.
"""

import rushlight as rl
from rushlight.nested._internal.kept import Listed, NestedInt, Packed, keep
from rushlight.nested._internal.nested_tensor import (
    NestedTensor,
    _dim,
    _elementwise,
    _is_jagged,
    _len,
    _made,
    _need_sizes,
    _numel,
    _on,
    _rebuilt,
    _rule,
    rules,
)
from rushlight.nn import functional as F

# ---- along dimensions


def _inner(x, dim):
    """A dimension of the components."""
    dim = _dim(x, dim)
    if dim == 0:
        raise RuntimeError("nested tensors: the batch dimension is not supported here")
    return dim - 1


def _along(function, x, dim, *args, **kwargs):
    """A function that treats the components' dimension `dim` and keeps its place."""
    inner = _inner(x, dim)
    if isinstance(x._kept, Packed) and inner != x._kept.at:
        return _made(_on(x._kept, function(x._kept.values, inner, *args, **kwargs)), x)
    return _rebuilt([function(p, inner, *args, **kwargs) for p in x._kept.parts()], x)


@_rule("softmax")
def _softmax(x, dim=None, _stacklevel=3, dtype=None):
    return _along(lambda t, d: rl.softmax(t, d, dtype=dtype), x, dim)


@_rule("log_softmax")
def _log_softmax(x, dim=None, _stacklevel=3, dtype=None):
    return _along(lambda t, d: rl.log_softmax(t, d, dtype=dtype), x, dim)


def _reduction(name):
    function = getattr(rl, name)

    def reduce(x, dim=None, keepdim=False, **options):
        if not _is_jagged(x):
            _strided_reduction(name, x, dim, keepdim)
        if dim is None:
            return function(x._kept.values, **options)
        dims = sorted(_dim(x, d) for d in ([dim] if isinstance(dim, int) else dim))
        at = x._kept.at
        if 0 in dims and at + 1 not in dims:
            raise RuntimeError(
                f"{name}(): reducing along the batch dimension but not the ragged dimension is "
                "not supported for nested tensors"
            )
        inner = [d - 1 for d in dims if d]
        inner = inner[0] if name in ("argmax", "argmin", "prod") else inner  # they take one
        if 0 in dims:
            result = function(x._kept.values, inner, keepdim=keepdim, **options)
            return result.unsqueeze(0) if keepdim else result
        if at + 1 in dims:
            return rl.stack(
                [function(p, inner, keepdim=keepdim, **options) for p in x._kept.parts()]
            )
        values = function(x._kept.values, inner, keepdim=keepdim, **options)
        place = at if keepdim else at - sum(d - 1 < at for d in dims)
        return _made(Packed(values, x._kept.lengths, place, x._kept.size), x)

    return reduce


def _strided_reduction(name, x, dim, keepdim):
    if name != "sum" or dim is None:
        raise NotImplementedError(f"{name}(): not implemented for nested tensors of strided layout")
    dims = [dim] if isinstance(dim, int) else list(dim)
    last = len(x._kept.shapes()[0])
    for d in dims:
        if _dim(x, d) != last:
            raise RuntimeError(
                f"{name}(): nested tensors of strided layout are reduced along their last "
                f"dimension, got {d}"
            )
    if not keepdim:
        raise RuntimeError(f"{name}(): nested tensors of strided layout need keepdim=True")


for _reducing in "sum mean amax amin prod any all argmax argmin".split():
    rules[_reducing] = _reduction(_reducing)


def _strided_sum(x, dim=None, keepdim=False, **options):
    if _is_jagged(x):
        return _reduction("sum")(x, dim, keepdim, **options)
    _strided_reduction("sum", x, dim, keepdim)
    return _rebuilt([p.sum(-1, keepdim=True, **options) for p in x._kept.parts()], x)


rules["sum"] = _strided_sum


def _extremum(name):
    function = getattr(rl, name)

    def extremum(x, other=None, *args, **kwargs):
        if isinstance(other, rl.Tensor):
            return _elementwise(function, name, (x, other), kwargs)
        if other is None and not kwargs and _is_jagged(x):
            return function(x._kept.values)
        raise NotImplementedError(
            f"{name}(): not implemented for nested tensors and a dimension; use a{name}()"
        )

    return extremum


for _name_of in ("max", "min"):
    rules[_name_of] = _extremum(_name_of)


@_rule("cat", "concat")
def _cat(tensors, dim=0):
    first = next(t for t in tensors if isinstance(t, NestedTensor))
    if not all(isinstance(t, NestedTensor) for t in tensors):
        raise RuntimeError("cat(): expected all of the tensors to be nested")
    if _dim(first, dim) == 0:
        if _is_jagged(first):
            raise RuntimeError("cat(): not supported for NestedTensor on dim=0")
        return _made(keep([p for t in tensors for p in t._kept.parts()]), first)
    inner = _inner(first, dim)
    joined = [rl.cat(list(parts), inner) for parts in zip(*[t._kept.parts() for t in tensors])]
    return _rebuilt(joined, first)


def _cutting(name):
    method = getattr(rl.Tensor, name)

    def cut(x, sizes, dim=0):
        inner = _inner(x, dim)
        pieces = zip(*[method(p, sizes, inner) for p in x._kept.parts()])
        return tuple(_rebuilt(list(p), x) for p in pieces)

    return cut


for _cut in ("chunk", "split"):
    rules[_cut] = _cutting(_cut)


# ---- shapes


@_rule("transpose")
def _transpose(x, dim0, dim1):
    a, b = _inner(x, dim0), _inner(x, dim1)
    kept = x._kept
    if not isinstance(kept, Packed):
        return _made(Listed([p.transpose(a, b) for p in kept.parts()]), x)
    at = {a: b, b: a}.get(kept.at, kept.at)
    return _made(Packed(kept.values.transpose(a, b), kept.lengths, at, kept.size), x)


@_rule("unsqueeze")
def _unsqueeze(x, dim):
    inner = dim % (len(x._kept.shapes()[0]) + 2) - 1
    if inner < 0:
        raise RuntimeError("nested tensors: the batch dimension is not supported here")
    return _rebuilt_at([p.unsqueeze(inner) for p in x._kept.parts()], x, inner, 1)


@_rule("squeeze")
def _squeeze(x, dim=None):
    if dim is None:
        raise RuntimeError("For nested tensors, squeeze without the dim argument is not supported.")
    inner = _inner(x, dim)
    if any(s[inner] != 1 for s in x._kept.shapes()):
        return x
    return _rebuilt_at([p.squeeze(inner) for p in x._kept.parts()], x, inner, -1)


def _rebuilt_at(parts, like, inner, moved):
    kept = like._kept
    if not isinstance(kept, Packed):
        return _made(Listed(parts), like)
    at = kept.at + (moved if inner <= kept.at else 0)
    return _made(Packed(rl.cat(parts, at), kept.lengths, at, kept.size), like)


@_rule("unflatten")
def _unflatten(x, dim, sizes):
    _need_sizes(x)
    return _along(lambda t, d: t.unflatten(d, sizes), x, dim)


@_rule("flatten")
def _flatten(x, start_dim=0, end_dim=-1):
    a, b = _inner(x, start_dim), _inner(x, end_dim)
    return _rebuilt([p.flatten(a, b) for p in x._kept.parts()], x)


@_rule("view", "reshape")
def _view(x, *size):
    size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
    if len(size) < 2:
        raise RuntimeError(f"view: {list(size)} does not keep the batch apart from the rest")
    if size[0] not in (-1, len(x._kept.shapes())):
        raise RuntimeError(f"view: expected the batch of {_len(x)} to be kept, got size {size[0]}")
    kept = x._kept
    place = next((i for i, n in enumerate(size[1:]) if isinstance(n, NestedInt)), None)
    place = kept.at if place is None and isinstance(kept, Packed) else place
    parts = []
    for part, shape in zip(kept.parts(), kept.shapes()):
        wanted = list(size[1:])
        if (
            isinstance(kept, Packed)
            and wanted[place] == -1
            or place is not None
            and isinstance(wanted[place], NestedInt)
        ):
            wanted[place] = shape[kept.at]
        parts.append(part.reshape(wanted))
    if not isinstance(kept, Packed):
        return _rebuilt(parts, x)
    return _made(Packed(rl.cat(parts, place), kept.lengths, place, kept.size), x)


@_rule("narrow")
def _narrow(x, dim, start, length):
    return _along(lambda t, d: t.narrow(d, start, length), x, dim)


# ---- products and layers


@_rule("linear")
def _linear(x, weight, bias=None):
    if isinstance(x._kept, Packed) and x._kept.at != x._kept.values.dim() - 1:
        return _made(_on(x._kept, F.linear(x._kept.values, weight, bias)), x)
    return _rebuilt([F.linear(p, weight, bias) for p in x._kept.parts()], x)


@_rule("matmul", "__matmul__", "bmm")
def _matmul(a, b):
    nested = isinstance(a, NestedTensor) and isinstance(b, NestedTensor)
    if nested:
        return _rebuilt([p @ q for p, q in zip(a._kept.parts(), b._kept.parts())], a)
    if not isinstance(a, NestedTensor) or not _is_jagged(a):
        raise RuntimeError(
            "matmul(): nested tensors of strided layout go with nested ones, got "
            f"{type(a).__name__} and {type(b).__name__}"
        )
    if b.dim() == 2:
        return _rebuilt([p @ b for p in a._kept.parts()], a)
    return _rebuilt([p @ q for p, q in zip(a._kept.parts(), b.unbind())], a)


@_rule("layer_norm")
def _layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    if not _is_jagged(x) and (weight is None or bias is None):
        raise ValueError("NestedTensor layer_norm requires weight and bias")
    parts = [F.layer_norm(t, normalized_shape, weight, bias, eps) for t in x._kept.tensors()]
    return _made(_on(x._kept, parts[0]) if isinstance(x._kept, Packed) else Listed(parts), x)


@_rule("rms_norm")
def _rms_norm(x, normalized_shape, weight=None, eps=None):
    _need_sizes(x)
    return _made(_on(x._kept, F.rms_norm(x._kept.values, normalized_shape, weight, eps)), x)


@_rule("embedding")
def _embedding(indices, weight, *args, **kwargs):
    return _made(indices._kept.map(lambda t: F.embedding(t, weight, *args, **kwargs)), indices)


@_rule("scaled_dot_product_attention")
def _attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, **options):
    if attn_mask is not None:
        raise RuntimeError("Masks are not yet supported in nested attention")
    if not all(isinstance(t, NestedTensor) for t in (query, key, value)):
        raise NotImplementedError(
            "scaled_dot_product_attention: expected query, key and value to be nested, or none"
        )
    results = [
        F.scaled_dot_product_attention(
            *[t.unsqueeze(0) for t in three], None, dropout_p, is_causal, **options
        ).squeeze(0)
        for three in zip(*[t._kept.parts() for t in (query, key, value)])
    ]
    return _rebuilt(results, query)


@_rule("item")
def _item(x):
    raise RuntimeError(f"a Tensor with {_numel(x)} elements cannot be converted to Scalar")
