"""Collectives that return their result and are differentiable; with one process, a copy.

The group is a `ProcessGroup`, or a `DeviceMesh` of one dimension.
"""

import rushlight as rl
from rushlight._notes import unsupported

from ._collectives import ReduceOp, _root
from ._differentiable import AllGather, AllReduce, AllToAll, Broadcast, ReduceScatter, inside
from ._group import ProcessGroup


def _group_of(group):
    if group is not None and not isinstance(group, ProcessGroup):
        if not hasattr(group, "get_group"):
            raise unsupported(f"a collective whose group is {group!r}", "pass a ProcessGroup")
        group = group.get_group()
    return inside(group, "a collective")


def _op_of(reduceOp):
    return getattr(ReduceOp, reduceOp.upper())


def wait_tensor(tensor):
    """The tensor: it is already there."""
    return tensor


def all_reduce(self, reduceOp, group, tag=""):
    """The sum over all processes."""
    return AllReduce.apply(self, _op_of(reduceOp), _group_of(group))


def broadcast(self, src, group, tag=""):
    """The tensor of process ``src``."""
    group = _group_of(group)
    return Broadcast.apply(self, _root(group, src, None, "broadcast", "src"), group)


def all_gather_tensor(self, gather_dim, group, tag=""):
    """The tensors of all processes, joined along a dimension."""
    return rl.cat(AllGather.apply(self, _group_of(group)), gather_dim)


def reduce_scatter_tensor(self, reduceOp, scatter_dim, group, tag=""):
    """This process's piece, along a dimension, of the sum over all processes."""
    group = _group_of(group)
    length = self.shape[scatter_dim]
    if length % group.size():
        raise AssertionError(
            f"reduce_scatter_tensor: dimension {scatter_dim} of length {length} does not divide "
            f"into {group.size()} pieces"
        )
    pieces = self.split(length // group.size(), scatter_dim)
    return ReduceScatter.apply(group, _op_of(reduceOp), *pieces)


def all_to_all_single(self, output_split_sizes, input_split_sizes, group, tag=""):
    """The pieces that the processes have for this one, joined along the first dimension."""
    group = _group_of(group)
    equal = [self.shape[0] // group.size()] * group.size()
    return AllToAll.apply(self, output_split_sizes or equal, input_split_sizes or equal, group)


all_gather_tensor_autograd, reduce_scatter_tensor_autograd, all_to_all_single_autograd = (
    all_gather_tensor,
    reduce_scatter_tensor,
    all_to_all_single,
)
