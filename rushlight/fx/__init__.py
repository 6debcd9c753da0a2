"""Programs as graphs that Python can read, change and run: PyTorch's ``torch.fx``.

`symbolic_trace` runs a module with `Proxy` objects in place of values, and so finds the calls it
makes. They become a `Graph` of `Node`s; a `GraphModule` is a module whose `forward` is code
generated from one. `Interpreter` and `Transformer` walk the graph.
"""

from ._symbolic_trace import Tracer, symbolic_trace, wrap
from .graph import CodeGen, Graph, PythonCode
from .graph_module import GraphModule
from .interpreter import Interpreter, Transformer
from .node import Node, has_side_effect, map_arg
from .proxy import Attribute, Proxy, TraceError
from .subgraph_rewriter import Match, replace_pattern

__all__ = [
    "Attribute", "CodeGen", "Graph", "GraphModule", "Interpreter", "Match", "Node", "Proxy",
    "PythonCode", "TraceError", "Tracer", "Transformer", "has_side_effect", "map_arg",
    "replace_pattern", "symbolic_trace", "wrap",
]  # fmt: skip


class ProxyableClassMeta(type):
    """A metaclass: making an instance from proxies becomes a node of the graph."""

    def __call__(cls, *args, **kwargs):
        found = []

        def note(value):
            if isinstance(value, Proxy):
                found.append(value)

        from rushlight.utils._pytree import tree_map

        tree_map(note, (args, kwargs))
        if found:
            return found[0].tracer.create_proxy("call_function", cls, args, kwargs)
        return super().__call__(*args, **kwargs)


_SUBMODULES = (
    "experimental", "graph", "graph_module", "immutable_collections", "interpreter", "node",
    "passes", "proxy", "subgraph_rewriter", "traceback",
)  # fmt: skip


def __getattr__(name):
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.{name}")
