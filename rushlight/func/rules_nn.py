"""Batching rules of neural networks' primitives: convolution, pooling, norms, losses, embedding.

Most fold the mapped dimension into one that is a batch already, or into groups or channels.
"""

import rushlight as rl
from rushlight.func.batching import rule, shift
from rushlight.ops import distance, upsample


def _fold(x, into):
    """The mapped dimension and dimension `into` of an example as one: (B, ..) -> (.., B*n, ..)."""
    return x.movedim(0, into).flatten(into, into + 1)


def _unfold(x, size, at):
    """The inverse of `_fold`."""
    x = x.reshape(x.shape[:at] + (size, x.shape[at] // size if size else 0) + x.shape[at + 1 :])
    return x.movedim(at, 0)


@rule("_conv_forward")
def _conv_forward(batch, x, weight, bias, *rest):
    if batch.only(0):
        return _unfold(batch.run(_fold(x, 0), weight, bias, *rest), batch.size, 0)
    x, weight = _fold(batch.front(0), 1), _fold(batch.front(1), 0)
    bias = None if bias is None else batch.front(2).reshape(-1)
    out = batch.run(x, weight, bias, *rest[:-1], rest[-1] * batch.size)
    return _unfold(out, batch.size, 1)


@rule("_conv_input")
def _conv_input(batch, g, weight, bias, size, *rest):
    if batch.only(0):
        folded = (size[0] * batch.size, *size[1:]) if len(size) == batch.rank(0) else size
        return _unfold(batch.run(_fold(g, 0), weight, bias, folded, *rest), batch.size, 0)
    g, weight = _fold(batch.front(0), 1), _fold(batch.front(1), 0)
    bias = None if bias is None else batch.front(2).reshape(-1)
    if len(size) == batch.rank(0):
        size = (size[0], size[1] * batch.size, *size[2:])
    out = batch.run(g, weight, bias, size, *rest[:-1], rest[-1] * batch.size)
    return _unfold(out, batch.size, 1)


@rule("_conv_weight")
def _conv_weight(batch, g, x, size, *rest):
    g, x = _fold(batch.front(0), 1), _fold(batch.front(1), 1)
    return _unfold(batch.run(g, x, size, *rest[:-1], rest[-1] * batch.size), batch.size, 0)


@rule("_max_pool", "_max_pool_values", "_avg_pool", "_adaptive_max_pool", "_adaptive_avg_pool")
def _pool(batch, x, *rest):
    if x.dim() - 2 == len(rest[0]):
        return batch.run(x, *rest)
    out = batch.run(_fold(x, 0), *rest)
    parts = [_unfold(o, batch.size, 0) for o in ((out,) if isinstance(out, rl.Tensor) else out)]
    return parts[0] if isinstance(out, rl.Tensor) else tuple(parts)


@rule("_fractional_max")
def _fractional_max(batch, x, samples, kernel, size):
    x, samples = batch.front(0), batch.front(1)
    lead, space = x.shape[: -len(kernel)], x.shape[-len(kernel) :]
    out = batch.run(x.reshape(1, -1, *space), samples.reshape(1, -1, len(kernel)), kernel, size)
    return tuple([o.reshape(*lead, *o.shape[2:]) for o in out])


@rule("_resize_back", "_resize_bytes", *[resize.__name__ for resize in upsample._RESIZERS.values()])
def _resize(batch, x, *rest):
    return _unfold(batch.run(_fold(x, 0), *rest), batch.size, 0)


@rule("_avg_pool_backward", "_adaptive_avg_pool_backward")
def _pool_backward(batch, g, size, *rest):
    """Leading dimensions are batches, of which the kernels take two."""
    lead = g.shape[: -len(size)]
    out = batch.run(g.reshape(1, -1, *g.shape[-len(size) :]), size, *rest)
    return out.reshape(*lead, *out.shape[2:])


@rule("_pool_scatter")
def _pool_scatter(batch, g, indices, size):
    g, indices = batch.front(0), batch.front(1)
    lead, cells = g.shape[: -len(size)], (1, -1, *g.shape[-len(size) :])
    out = batch.run(g.reshape(cells), indices.reshape(cells), size)
    return out.reshape(*lead, *size)


@rule("_grid_sample")
def _grid_sample(batch, x, grid, *rest):
    out = batch.run(_fold(batch.front(0), 0), _fold(batch.front(1), 0), *rest)
    return _unfold(out, batch.size, 0)


@rule("_grid_sample_backward")
def _grid_sample_backward(batch, g, x, grid, *rest):
    slopes = batch.run(*[_fold(batch.front(i), 0) for i in range(3)], *rest)
    return tuple([_unfold(slope, batch.size, 0) for slope in slopes])


@rule("_softmax", "_log_softmax")
def _softmax(batch, x, dim):
    if batch.rank(0) == 0:
        return batch.run(x.unsqueeze(1), shift(dim, 1)).squeeze(1)
    return batch.run(x, shift(dim, batch.rank(0)))


@rule("_softmax_backward", "_log_softmax_backward")
def _softmax_backward(batch, g, out, dim):
    g, out, rank = batch.front(0), batch.front(1), max(batch.rank(0), 1)
    if g.dim() > 1:
        return batch.run(g, out, shift(dim, rank))
    return batch.run(g.unsqueeze(1), out.unsqueeze(1), shift(dim, 1)).squeeze(1)


# ---- norms -------------------------------------------------------------------------------------


@rule("_row_norm", "_group_norm")
def _row_norm(batch, x, weight, bias, rows, groups, inner, eps):
    """More rows; weights that differ between examples are applied after it."""
    x = batch.front(0)
    own = any(batch.flags[1:3])
    affine = (None, None) if own else (weight, bias)
    out, *moments = batch.run(x, *affine, rows * batch.size, groups, inner, eps)
    if own and out.numel():
        cells = out.reshape(
            batch.size, -1, groups, (x.numel() // (batch.size * rows)) // inner, inner
        )
        scale, offset = [
            None if t is None else batch.front(i).reshape(batch.size, 1, groups, -1, 1)
            for i, t in ((1, weight), (2, bias))
        ]
        cells = cells if scale is None else cells * scale
        out = (cells if offset is None else cells + offset).reshape(x.shape)
    return out, *[m.reshape(batch.size, -1) for m in moments]


@rule("_cdist")
def _cdist(batch, x1, x2, p):
    return batch.run(batch.front(0), batch.front(1), p)


@rule("_cdist_backward")
def _cdist_backward(batch, g, x1, x2, result, p, first):
    return batch.run(*[batch.front(i) for i in range(4)], p, first)


@rule("_pdist")
def _pdist(batch, x, p):
    i, j = rl.triu_indices(x.shape[1], x.shape[1], 1)
    return rl.cdist(x, x, p)[:, i, j]


@rule("_pdist_backward")
def _pdist_backward(batch, g, x, result, p):
    x = batch.front(1)
    i, j = rl.triu_indices(x.shape[1], x.shape[1], 1)
    pairs = [x.new_zeros(*x.shape[:2], x.shape[1]) for _ in range(2)]
    for square, values in zip(pairs, (batch.front(0), batch.front(2))):
        square[:, i, j] = square[:, j, i] = values
    return distance._cdist_backward(pairs[0], x, x, pairs[1], p, False)


@rule("_rms_norm")
def _rms_norm(batch, x, weight, rows, eps):
    """More rows; weights that differ between examples are applied after it."""
    x, own = batch.front(0), batch.flags[1]
    out, rstd = batch.run(x, None if own else weight, rows * batch.size, eps)
    if own:
        scale = batch.front(1)
        between = x.dim() - scale.dim()
        out = out * scale.reshape(batch.size, *[1] * between, *scale.shape[1:])
    return out, rstd.reshape(batch.size, -1)


@rule("_row_norm_backward")
def _row_norm_backward(batch, g, x, mean, rstd, weight, rows, groups, inner, eps, affine):
    """Sums for the weights go over the rows of one example. From the input alone, on which the
    statistics depend if this is differentiated again.
    """
    g, x = batch.front(0), batch.front(1)
    kind = (x if weight is None else weight).dtype
    columns = x.shape[1:].numel() // max(rows, 1)
    size = (batch.size, rows // groups, groups, columns // inner, inner)
    wide = x.reshape(batch.size, rows, -1)
    center = wide - wide.mean(2, keepdim=True)
    rstd = (center.square().mean(2, keepdim=True) + eps).rsqrt()
    g, y = g.reshape(size), (center * rstd).reshape(size)
    sums = [t.sum((1, 4)).flatten(1).to(kind) for t in (g * y, g)]
    if weight is not None:
        g = g * batch.front(4).reshape(batch.size, 1, groups, -1, 1)
    g = g - g.mean((3, 4), keepdim=True) - y * (g * y).mean((3, 4), keepdim=True)
    g = g.reshape(batch.size, rows, -1) * rstd
    return g.reshape(x.shape).to(x.dtype), *sums


@rule("_batch_norm_backward")
def _batch_norm_backward(batch, *args):
    """More channels."""
    folded = [_fold(batch.front(i), 1) for i in (0, 1)]
    rest = [None if args[i] is None else batch.front(i).reshape(-1) for i in (2, 3, 4)]
    g, *sums = batch.run(*folded, *rest, *args[5:])
    return _unfold(g, batch.size, 1), *[s.reshape(batch.size, -1) for s in sums]


@rule("_batch_norm")
def _batch_norm(batch, x, weight, bias, mean, var, training, momentum, eps):
    """More channels."""
    if training and mean is not None and not (batch.flags[3] and batch.flags[4]):
        raise RuntimeError(
            "vmap: batch_norm would update running statistics that are not mapped over with values "
            "that differ between examples. Use track_running_stats=False, "
            "func.replace_all_batch_norm_modules_(module), eval(), or map over the statistics too"
        )
    rest = [None if batch.args[i] is None else batch.front(i).reshape(-1) for i in range(1, 5)]
    out, *moments = batch.run(_fold(batch.front(0), 1), *rest, training, momentum, eps)
    return _unfold(out, batch.size, 1), *[m.reshape(batch.size, -1) for m in moments]


# ---- classes -----------------------------------------------------------------------------------

_NONE, _MEAN = 0, 1  # as in ops/loss.py


@rule("_nll")
def _nll(batch, x, target, weight, ignore, reduction):
    """More rows, and then their sums by example."""
    if batch.flags[2]:
        return NotImplemented
    x, target = batch.front(0), batch.front(1)
    each, _ = batch.run(_fold(x, 0), _fold(target, 0), weight, ignore, _NONE)
    each = _unfold(each, batch.size, 0)
    kept = target != ignore
    counted = kept.to(x.dtype)
    if weight is not None:
        counted = weight.take(target.where(kept, 0)) * counted
    total = counted.flatten(1).sum(1)
    if reduction == _NONE:
        return each, total
    out = each.flatten(1).sum(1)
    return out / total if reduction == _MEAN else out, total


@rule("_nll_backward")
def _nll_backward(batch, g, x, target, weight, ignore, reduction, total):
    if batch.flags[3]:
        return NotImplemented
    g, x, target, total = [batch.front(i) for i in (0, 1, 2, 6)]
    if reduction != _NONE:
        g = g / total if reduction == _MEAN else g
        g = g.reshape(-1, *(1,) * (target.dim() - 1)).expand(target.shape)
    rows = [_fold(t, 0) for t in (g, x, target)]
    return _unfold(batch.run(*rows, weight, ignore, _NONE, total.sum()), batch.size, 0)


@rule("_embedding")
def _embedding(batch, weight, indices, padding_idx, scale):
    if not batch.flags[0] and not scale:
        return batch.run(weight, indices, padding_idx, scale)
    if padding_idx >= 0 or scale:
        return NotImplemented
    rows = rl.arange(batch.size) * weight.shape[1]
    indices = batch.front(1)
    indices = indices + rows.reshape((batch.size,) + (1,) * (indices.dim() - 1))
    return batch.run(weight.flatten(0, 1), indices, padding_idx, scale)


@rule("_segments", "_segments_spread")
def _segments(batch, data, offsets, *rest):
    """Examples lie side by side in the last dimension; they have the same segments."""
    if not batch.only(0):
        return NotImplemented
    out = batch.run(data.movedim(0, -1).flatten(2), offsets, *rest)
    return out.unflatten(-1, (data.shape[-1], batch.size)).movedim(-1, 0)
