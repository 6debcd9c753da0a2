"""Collectives that return their result and are differentiable; with one process, the identity."""

from ._collectives import ReduceOp  # noqa: F401
from ._group import _member


def wait_tensor(tensor):
    """The tensor: it is already there."""
    return tensor


def all_reduce(self, reduceOp, group, tag=""):
    """The sum over all processes."""
    _member(group)
    return self.clone()


def broadcast(self, src, group, tag=""):
    """The tensor of process ``src``."""
    _member(group)
    return self.clone()


def all_gather_tensor(self, gather_dim, group, tag=""):
    """The tensors of all processes, joined along a dimension."""
    _member(group)
    return self.clone()


def reduce_scatter_tensor(self, reduceOp, scatter_dim, group, tag=""):
    """This process's piece, along a dimension, of the sum over all processes."""
    _member(group)
    return self.clone()


def all_to_all_single(self, output_split_sizes, input_split_sizes, group, tag=""):
    """The pieces that the processes have for this one, joined along the first dimension."""
    _member(group)
    return self.clone()


all_gather_tensor_autograd, reduce_scatter_tensor_autograd, all_to_all_single_autograd = (
    all_gather_tensor,
    reduce_scatter_tensor,
    all_to_all_single,
)
