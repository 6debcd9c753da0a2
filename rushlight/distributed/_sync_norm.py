"""Batch normalisation by the statistics of all processes' batches, for `nn.SyncBatchNorm`."""

import rushlight as rl

from ._collectives import ReduceOp
from ._differentiable import AllReduce


def batch_norm(input, running, weight, bias, factor, eps, group):  # noqa: A002
    """Normalises by mean and variance over the batches of a group.

    Args:
        running: the running mean and variance, which move by ``factor``; or (None, None).
    """
    dims = [d for d in range(input.dim()) if d != 1]
    shape = [1, -1] + [1] * (input.dim() - 2)

    def total(values):
        return AllReduce.apply(values, ReduceOp.SUM, group)

    own = rl.full((1,), input.numel() // max(input.shape[1], 1), dtype=input.dtype)
    sums = total(rl.cat([input.sum(dims), own]))
    count = sums[-1].detach()
    if count <= 1:
        raise ValueError("SyncBatchNorm: expected more than 1 value per channel when training")
    mean = sums[:-1] / count
    centred = input - mean.view(shape)
    var = total((centred * centred).sum(dims)) / count
    with rl.no_grad():
        for kept, new in zip(running, (mean, var * count / (count - 1))):
            if kept is not None:
                kept.mul_(1 - factor).add_(new.to(kept.dtype), alpha=factor)
    output = centred * rl.rsqrt(var + eps).view(shape)
    output = output if weight is None else output * weight.view(shape)
    return output if bias is None else output + bias.view(shape)
