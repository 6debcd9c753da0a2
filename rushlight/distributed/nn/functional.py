"""Collectives that gradients flow back through; with one process, each returns what it is given."""

from rushlight.distributed._collectives import ReduceOp, _root
from rushlight.distributed._differentiable import AllGather, AllReduce, Broadcast, inside


def all_reduce(tensor, op=ReduceOp.SUM, group=None):
    """The sum over all processes."""
    return AllReduce.apply(tensor, op, inside(group, "all_reduce"))


def all_gather(tensor, group=None):
    """A tuple of the tensors of all processes."""
    return AllGather.apply(tensor, inside(group, "all_gather"))


def broadcast(tensor, src, group=None):
    """The tensor of process ``src``."""
    group = inside(group, "broadcast")
    return Broadcast.apply(tensor, _root(group, src, None, "broadcast", "src"), group)
