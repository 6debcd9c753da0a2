"""Batching rules of neural networks' primitives: convolution, pooling, norms, losses, embedding.

Most fold the mapped dimension into one that is a batch already, or into groups or channels.
"""

import rushlight as rl
from rushlight.func.batching import rule, shift


def _fold(x, into):
    """The mapped dimension and dimension `into` of an example as one: (B, ..) -> (.., B*n, ..)."""
    x = x.movedim(0, into)
    return x.reshape(x.shape[:into] + (-1,) + x.shape[into + 2 :])


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


@rule("_max_pool", "_avg_pool", "_adaptive_max_pool", "_adaptive_avg_pool")
def _pool(batch, x, *rest):
    if x.dim() - 2 == len(rest[0]):
        return batch.run(x, *rest)
    out = batch.run(_fold(x, 0), *rest)
    parts = [_unfold(o, batch.size, 0) for o in ((out,) if isinstance(out, rl.Tensor) else out)]
    return parts[0] if isinstance(out, rl.Tensor) else tuple(parts)


@rule("_softmax", "_log_softmax")
def _softmax(batch, x, dim):
    return batch.run(x, shift(dim, batch.rank(0))) if batch.rank(0) else NotImplemented


@rule("_softmax_backward", "_log_softmax_backward")
def _softmax_backward(batch, g, out, dim):
    if batch.rank(0) == 0:
        return NotImplemented
    return batch.run(batch.front(0), batch.front(1), shift(dim, batch.rank(0)))


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
