"""Look-ups in tables of vectors: embedding, bags of them, one-hot vectors."""

import rushlight as rl
from rushlight.ops._decisions import is_wrapped, some, unwrapped, written
from rushlight.ops._record import op
from rushlight.ops._rounding import widen

_NN = ("nn.functional",)


def _renormalize(weight, indices, max_norm, norm_type):
    """Scales the looked-up rows whose norm exceeds max_norm, in place."""
    with rl.no_grad():
        rows = indices.reshape(-1).unique()
        vectors = weight.detach().index_select(0, rows)
        norms = rl.norm(vectors, norm_type, 1, keepdim=True)
        factor = rl.where(norms > max_norm, max_norm / (norms + 1e-7), 1)
        weight.detach().index_copy_(0, rows, vectors * factor)


def _check_indices(name, indices, weight):
    if indices.dtype not in (rl.int64, rl.int32):
        raise RuntimeError(f"{name}: expected indices of dtype int64 or int32, got {indices.dtype}")
    if weight.dim() != 2:
        raise RuntimeError(f"{name}: 'weight' must be 2-D, got shape {tuple(weight.shape)}")


@op(
    "_embedding(Tensor weight, Tensor indices, int padding_idx, bool scale_grad_by_freq) -> Tensor",
    at=("internal",),
    grad_name="EmbeddingBackward0",
    no_float8="float4_e2m1fn_x2",
)
def _embedding(weight, indices, padding_idx, scale_grad_by_freq):
    """weight[indices]."""
    ...


def _embedding_grad(g, weight_meta, indices, padding_idx, scale_grad_by_freq):
    flat, rows = g.reshape(-1, g.shape[-1]), indices.reshape(-1).long()
    if scale_grad_by_freq:
        count = rl.zeros(weight_meta.shape[0], dtype=rl.int64).index_add(
            0, rows, rl.ones_like(rows)
        )
        flat = flat / count.index_select(0, rows).unsqueeze(1)
    if padding_idx >= 0:
        flat = flat.masked_fill((rows == padding_idx).unsqueeze(1), 0)
    return written(rl.zeros(weight_meta.shape, dtype=g.dtype), "index_add", 0, rows, flat)


_embedding.vjp(
    weight=lambda g, weight_meta, indices, padding_idx, scale_grad_by_freq: _embedding_grad(
        g, weight_meta, indices, padding_idx, scale_grad_by_freq
    )
)


@op(
    "_embedding_sparse(Tensor weight, Tensor indices, int padding_idx, bool scale_grad_by_freq)"
    " -> Tensor",
    at=("internal",),
    grad_name="EmbeddingBackward0",
)
def _embedding_sparse(weight, indices, padding_idx, scale_grad_by_freq):
    """weight[indices], with a sparse gradient: one entry for each index."""
    flat = weight.index_select(0, indices.reshape(-1))
    return flat.view(tuple(indices.shape) + (weight.shape[1],))


def _sparse_grad(g, weight_meta, indices, padding_idx, scale_grad_by_freq):
    if scale_grad_by_freq:
        raise RuntimeError(
            "embedding_backward: scale_grad_by_freq not supported with sparse gradients"
        )
    flat, rows = g.reshape(indices.numel(), g.shape[-1]), indices.reshape(-1).long()
    if padding_idx >= 0:
        kept = rows != padding_idx
        flat, rows = flat[kept], rows[kept]
    return rl.sparse_coo_tensor(rows.unsqueeze(0), flat, weight_meta.shape)


_embedding_sparse.vjp(
    weight=lambda g, weight_meta, indices, padding_idx, scale_grad_by_freq: _sparse_grad(
        g, weight_meta, indices, padding_idx, scale_grad_by_freq
    )
)


def _padding(name, padding_idx, weight, error):
    if padding_idx is None:
        return -1
    n = weight.shape[0]
    if not -n <= padding_idx < n:
        raise error(f"{name}: padding_idx must be within the {n} rows of weight, got {padding_idx}")
    return padding_idx % n


@op(
    "embedding(Tensor input, Tensor weight, int? padding_idx=None, float? max_norm=None, "
    "float norm_type=2.0, bool scale_grad_by_freq=False, bool sparse=False) -> Tensor",
    at=_NN,
)
def embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse):
    """The rows of `weight` (n, d) that `input` names: shape input.shape + (d,).

    Rows named padding_idx get no gradient; max_norm first shrinks the used rows of weight in place.

    Example::

        >>> rl.nn.functional.embedding(rl.tensor([1]), rl.tensor([[0.], [5.]])).tolist()
        [[5.0]]
    """
    _check_indices("embedding", input, weight)
    padding = _padding("embedding", padding_idx, weight, AssertionError)
    if max_norm is not None:
        _renormalize(weight, input, max_norm, norm_type)
    rows = _embedding_sparse if sparse else _embedding
    return rows(weight, input, padding, scale_grad_by_freq)


def _bag_ids(input, starts, bags):
    """For each index the number of its bag."""
    if starts is None:
        return rl.arange(bags).repeat_interleave(input.shape[1])
    count, starts = input.shape[0], starts.long()
    marks = starts.new_zeros(count + 1).index_add(0, starts, rl.ones_like(starts))
    return marks.cumsum(0)[:count] - 1


def _check_offsets(input, offsets):
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if offsets.is_meta:
        return
    first, last = unwrapped(offsets)[..., :1], unwrapped(offsets)[..., -1:]
    if some(first != 0):
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {first.tolist()}"
        )
    if some(last > input.shape[0]):
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length ({input.shape[0]}), but got "
            f"{last.tolist()}"
        )


def _pool_bags(vectors, ids, bags, mode, kept):
    if vectors.dtype in (rl.float16, rl.bfloat16):  # sums of many need more digits
        return _pool_bags(vectors.float(), ids, bags, mode, kept).to(vectors.dtype)
    if mode == "max":
        low = vectors.new_full((bags, vectors.shape[1]), float("-inf"))
        index = ids.unsqueeze(1).expand(vectors.shape)
        x = vectors if kept is None else vectors.masked_fill(~kept.unsqueeze(1), float("-inf"))
        out = low.scatter_reduce(0, index, x, "amax")
        return rl.where(out == float("-inf"), 0, out)
    x = vectors if kept is None else vectors * kept.unsqueeze(1).to(vectors.dtype)
    total = vectors.new_zeros((bags, vectors.shape[1])).index_add(0, ids, x)
    if mode == "sum":
        return total
    ones = vectors.new_ones(ids.shape) if kept is None else kept.to(vectors.dtype)
    count = vectors.new_zeros(bags).index_add(0, ids, ones)
    return total / count.clamp_min(1).unsqueeze(1)


@op(
    "_bag_sum(Tensor weight, Tensor indices, Tensor? starts, Tensor? scales, int bags,"
    " int padding, bool mean) -> Tensor",
    at=("internal",),
    grad_name="EmbeddingBagBackward0",
)
def _bag_sum(weight, indices, starts, scales, bags, padding, mean):
    """Sums or means of the rows in each bag, times scales; rows named ``padding`` do not count."""
    ...


@op(
    "_bag_scatter(Tensor grad, Tensor indices, Tensor? starts, Tensor? scales, int rows,"
    " int padding, bool mean) -> Tensor",
    at=("internal",),
)
def _bag_scatter(grad, indices, starts, scales, rows, padding, mean):
    """The gradient of `_bag_sum` for its table."""
    ...


@op(
    "_bag_dot(Tensor grad, Tensor weight, Tensor indices, Tensor? starts, int padding) -> Tensor",
    at=("internal",),
)
def _bag_dot(grad, weight, indices, starts, padding):
    """The gradient of `_bag_sum`, without means, for its scales."""
    ...


_bag_sum.vjp(
    weight=lambda g, weight_meta, indices, starts, scales, padding, mean: _bag_scatter(
        g, indices, starts, scales, weight_meta.shape[0], padding, mean
    ),
    scales=lambda g, weight, indices, starts, padding: _bag_dot(
        g, weight, indices, starts, padding
    ),
)
_bag_scatter.vjp(
    grad=lambda g, grad_meta, indices, starts, scales, padding, mean: _bag_sum(
        g, indices, starts, scales, grad_meta.shape[0], padding, mean
    ),
    scales=lambda g, grad, indices, starts, padding: _bag_dot(grad, g, indices, starts, padding),
)
_bag_dot.vjp(
    grad=lambda g, grad_meta, weight, indices, starts, padding: _bag_sum(
        weight, indices, starts, g, grad_meta.shape[0], padding, False
    ),
    weight=lambda g, grad, weight_meta, indices, starts, padding: _bag_scatter(
        grad, indices, starts, g, weight_meta.shape[0], padding, False
    ),
)


@op(
    "_bag_max(Tensor weight, Tensor indices, Tensor? starts, int bags, int padding)"
    " -> (Tensor largest, Tensor rows)",
    at=("internal",),
    grad_name="EmbeddingBagBackward0",
)
def _bag_max(weight, indices, starts, bags, padding):
    """The largest of each column in each bag, and the first row that it is in, or -1."""
    ...


def _bag_max_grad(given, weight_meta, rows):
    g = given[0].masked_fill(rows < 0, 0)
    zeros = rl.zeros(weight_meta.shape, dtype=g.dtype)
    return written(zeros, "scatter_add", 0, rows.clamp_min(0), g)


_bag_max.vjp(weight=_bag_max_grad)


_BAG_TYPES = (rl.float32, rl.float64, rl.float16, rl.bfloat16)


def _has_bag_kernel(weight, *others):
    given = [t for t in (weight, *others) if t is not None]
    return weight.dtype in _BAG_TYPES and not any(map(is_wrapped, given))


def _check_bag_arguments(input, weight, mode, sparse, per_sample_weights):
    if sparse and mode == "max":
        raise ValueError("embedding_bag: max mode does not support sparse weights")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    _check_indices("embedding_bag", input, weight)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights was not None. per_sample_weights is only "
            f"supported for mode='sum' (got mode='{mode}')."
        )
    if per_sample_weights is not None and per_sample_weights.dtype != weight.dtype:
        raise RuntimeError(
            f"embedding_bag: expected per_sample_weights of weight's dtype {weight.dtype}, got "
            f"{per_sample_weights.dtype}"
        )
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, "
            f"then it must have the same shape as the input ({list(input.shape)})"
        )


def _bags(input, offsets, include_last_offset):
    """(where bags start, None if all have one size; how many there are)."""
    if input.dim() == 1:
        _check_offsets(input, offsets)
        bags = offsets.shape[0] - (1 if include_last_offset else 0)
        return offsets[:bags], bags
    if input.dim() != 2:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
            "of fixed length sequences"
        )
    return None, input.shape[0]


@op(
    "embedding_bag(Tensor input, Tensor weight, Tensor? offsets=None, float? max_norm=None,"
    " float norm_type=2, bool scale_grad_by_freq=False, str mode='mean', bool sparse=False,"
    " Tensor? per_sample_weights=None, bool include_last_offset=False, "
    "int? padding_idx=None) -> Tensor",
    at=_NN,
    grad_name=True,
)
def embedding_bag(
    input,
    weight,
    offsets,
    max_norm,
    norm_type,
    scale_grad_by_freq,
    mode,
    sparse,
    per_sample_weights,
    include_last_offset,
    padding_idx,
):
    """Sums, means or maxima of the rows of `weight` in each bag of indices.

    input is (B, N): B bags of N; or 1-D with `offsets` (B), where each bag starts. Empty
    bags give 0.

    Example::

        >>> rl.nn.functional.embedding_bag(rl.tensor([[0, 1]]), rl.tensor([[1.], [3.]])).tolist()
        [[2.0]]
    """
    _check_bag_arguments(input, weight, mode, sparse, per_sample_weights)
    starts, bags = _bags(input, offsets, include_last_offset)
    flat, scales = input.reshape(-1), per_sample_weights
    padding = _padding("embedding_bag", padding_idx, weight, RuntimeError)
    if max_norm is not None:
        _renormalize(weight, flat, max_norm, norm_type)
    if not (sparse or scale_grad_by_freq) and _has_bag_kernel(weight, input, offsets, scales):
        if mode == "max":
            return _bag_max(weight, flat, starts, bags, padding)[0]
        scales = None if scales is None else scales.reshape(-1)
        return _bag_sum(weight, flat, starts, scales, bags, padding, mode == "mean")
    ids = _bag_ids(input, starts, bags)
    rows = _embedding_sparse if sparse else _embedding
    vectors = rows(weight, flat, padding, scale_grad_by_freq)
    kept = flat != padding if padding >= 0 else None
    if per_sample_weights is None:
        return _pool_bags(vectors, ids, bags, mode, kept)
    terms = widen(vectors) * widen(per_sample_weights.reshape(-1, 1))  # rounded when summed
    return _pool_bags(terms, ids, bags, mode, kept).to(vectors.dtype)


@op("one_hot(Tensor tensor, int num_classes=-1) -> Tensor", at=_NN)
def one_hot(tensor, num_classes):
    """Integer classes (*) as rows with a single 1: shape (*, num_classes), dtype int64.

    Example::

        >>> rl.nn.functional.one_hot(rl.tensor([1, 0])).tolist()
        [[0, 1], [1, 0]]
    """
    if tensor.dtype != rl.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}"
        )
    if tensor.numel() == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if tensor.numel():
        lowest, highest = map(int, unwrapped(tensor).aminmax())
        if lowest < 0:
            raise RuntimeError("Class values must be non-negative.")
        if num_classes == -1:
            num_classes = highest + 1
        elif highest >= num_classes:
            raise RuntimeError(
                f"Class values must be smaller than num_classes, got {highest} with "
                f"num_classes={num_classes}"
            )
    rows = tensor.new_zeros((*tensor.shape, num_classes))
    return rows.scatter_(-1, tensor.unsqueeze(-1), 1)
