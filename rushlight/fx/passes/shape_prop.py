"""`ShapeProp`: runs a graph, and notes shape and dtype at each node."""

from typing import NamedTuple

import rushlight as rl

from ..interpreter import Interpreter
from ..node import map_aggregate

__all__ = ["ShapeProp", "TensorMetadata"]


class TensorMetadata(NamedTuple):
    """What is known of a tensor without its values."""

    shape: object
    dtype: object
    requires_grad: bool
    stride: tuple
    memory_format: object
    is_quantized: bool
    qparams: dict


def _described(tensor):
    memory_format = rl.contiguous_format if tensor.is_contiguous() else None
    return TensorMetadata(
        tensor.shape, tensor.dtype, tensor.requires_grad, tensor.stride(), memory_format, False, {}
    )


class ShapeProp(Interpreter):
    """Runs a graph and puts a `TensorMetadata` into ``node.meta["tensor_meta"]``."""

    def run_node(self, n):
        """The value of a node, which is noted."""
        result = super().run_node(n)
        found = []

        def describe(value):
            if not isinstance(value, rl.Tensor):
                return value
            found.append(value)
            return _described(value)

        meta = map_aggregate(result, describe)
        if found:
            n.meta["tensor_meta"] = meta
        n.meta["type"] = type(result)
        return result

    def propagate(self, *args):
        """Runs the graph for these arguments."""
        return self.run(*args)
