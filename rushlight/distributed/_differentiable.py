"""Collectives that return their result, and that gradients flow back through: each is the transpose
of another collective. `nn/functional.py` and `_functional_collectives.py` give them their names.
"""

import rushlight as rl

from . import _collectives
from ._collectives import ReduceOp
from ._group import _member


def inside(group, name):
    """The group, which this process must be in."""
    group = _member(group)
    if group is None:
        raise ValueError(f"{name}: this process is not in the group")
    return group


def _empty_like_each(tensor, size):
    return [rl.empty_like(tensor, memory_format=rl.contiguous_format) for _ in range(size)]


class AllReduce(rl.autograd.Function):
    """The sum over all processes; so is the gradient's."""

    @staticmethod
    def forward(ctx, tensor, op, group):
        ctx.op, ctx.group = op, group
        total = tensor.clone()
        _collectives.all_reduce(total, op, group)
        return total

    @staticmethod
    def backward(ctx, grad):
        return AllReduce.apply(grad, ctx.op, ctx.group), None, None


class Broadcast(rl.autograd.Function):
    """The tensor of a rank of the group, where the gradients of all are summed."""

    @staticmethod
    def forward(ctx, tensor, root, group):
        ctx.root, ctx.group = root, group
        copy = tensor.clone()
        _collectives.broadcast(copy, group=group, group_src=root)
        return copy

    @staticmethod
    def backward(ctx, grad):
        total = grad.clone()
        _collectives.reduce(total, group=ctx.group, group_dst=ctx.root)
        return total if ctx.group.rank() == ctx.root else rl.zeros_like(total), None, None


class AllGather(rl.autograd.Function):
    """The tensors of all processes, as a tuple."""

    @staticmethod
    def forward(ctx, tensor, group):
        ctx.group = group
        gathered = _empty_like_each(tensor, group.size())
        _collectives.all_gather(gathered, tensor, group)
        return tuple(gathered)

    @staticmethod
    def backward(ctx, *grads):
        return ReduceScatter.apply(ctx.group, ReduceOp.SUM, *grads), None


class ReduceScatter(rl.autograd.Function):
    """The sum over all processes of this one's entry."""

    @staticmethod
    def forward(ctx, group, op, *tensors):
        ctx.group, ctx.op = group, op
        output = rl.empty_like(tensors[group.rank()], memory_format=rl.contiguous_format)
        _collectives.reduce_scatter(output, list(tensors), op, group)
        return output

    @staticmethod
    def backward(ctx, grad):
        grads = AllGather.apply(grad, ctx.group)
        if ctx.op == ReduceOp.AVG:
            grads = [grad / ctx.group.size() for grad in grads]
        return None, None, *grads


class AllToAll(rl.autograd.Function):
    """Pieces of one tensor to each process, one from each; rows of what goes out and comes in."""

    @staticmethod
    def forward(ctx, tensor, incoming, outgoing, group):
        ctx.incoming, ctx.outgoing, ctx.group = incoming, outgoing, group
        output = tensor.new_empty((sum(incoming), *tensor.shape[1:]))
        _collectives.all_to_all_single(output, tensor, incoming, outgoing, group)
        return output

    @staticmethod
    def backward(ctx, grad):
        return AllToAll.apply(grad, ctx.outgoing, ctx.incoming, ctx.group), None, None, None
