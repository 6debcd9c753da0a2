"""`GraphModule`: a module whose `forward` is generated from a graph."""

import copy
import os

from rushlight._generated_code import execute, keep_lines_while
from rushlight.nn.modules.module import Module

from .graph import Graph, find_attribute

__all__ = ["GraphModule"]


def _compiled(source, names):
    """The function of a text; its lines show in tracebacks."""
    file = execute(source, "fx graph", names)
    keep_lines_while(names["forward"], file)
    return names["forward"]


class GraphModule(Module):
    """A module whose `forward` is the code of a graph.

    Args:
        root: a module, from which what the graph refers to is taken (the same parameters, not
            copies); or a dict from dotted names to modules and tensors.
        graph: the graph. After changing it in place, call `recompile`.
        class_name: what the module is called when it is shown.

    Attributes:
        graph: the graph; setting it generates new code.
        code: the Python text of ``forward``.
    """

    def __new__(cls, *args, **kwargs):
        # Each instance has a class of its own, so that `forward` is an ordinary method.
        base = next(c for c in cls.__mro__ if "_of_instance" not in c.__dict__)
        made = type(base.__name__, (base,), {"_of_instance": True, "__module__": base.__module__})
        return super().__new__(made)

    def __init__(self, root, graph, class_name="GraphModule"):
        super().__init__()
        self.__class__.__name__ = class_name
        if isinstance(root, Module):
            self.training = root.training
        for node in graph.nodes:
            if node.op in ("get_attr", "call_module"):
                self._take(root, node.target)
        self.meta = dict(getattr(root, "meta", {})) if isinstance(root, Module) else {}
        self.graph = graph

    def _take(self, root, target):
        value = root[target] if isinstance(root, dict) else find_attribute(root, target)
        *path, name = target.split(".")
        owner = self
        for part in path:
            inner = owner._modules.get(part)
            if inner is None:
                inner = Module()
                inner.training = self.training
                setattr(owner, part, inner)
            owner = inner
        source = root.get_submodule(".".join(path)) if isinstance(root, Module) else None
        if isinstance(source, Module) and name in source._buffers:
            kept = name not in source._non_persistent_buffers_set
            owner.register_buffer(name, value, persistent=kept)
        else:
            setattr(owner, name, value)

    @property
    def graph(self):
        """The graph."""
        return self.__dict__["_graph"]

    @graph.setter
    def graph(self, graph):
        if not isinstance(graph, Graph):
            raise AssertionError(f"GraphModule.graph: expected a Graph, got {type(graph).__name__}")
        self.__dict__["_graph"] = graph
        graph.owning_module = self
        self.recompile()

    @property
    def code(self):
        """The Python text of ``forward``."""
        return self.__dict__["_code"]

    def recompile(self):
        """Generates the code anew after the graph was changed; returns it."""
        made = self.graph.python_code("self")
        self.__dict__["_code"] = f"\n\n\n{made.src.rstrip()}\n    "  # as PyTorch shows it
        type(self).forward = _compiled(made.src, dict(made.globals))
        return made

    def _replicate_for_data_parallel(self):
        replica = super()._replicate_for_data_parallel()
        type(replica).forward = type(self).forward
        return replica

    def __str__(self):
        hint = "# To see more debug info, please use `graph_module.print_readable()`"
        return f"{super().__str__()}\n{self.code}\n{hint}"

    def print_readable(self, print_output=True):
        """The code within a class, as text; printed as well."""
        body = "\n".join(f"    {line}" for line in self.code.splitlines())
        text = f"class {type(self).__name__}(torch.nn.Module):\n{body}\n"
        if print_output:
            print(text)
        return text

    def to_folder(self, folder, module_name="FxModule"):
        """Writes a Python file with the code, and the parameters beside it."""
        import rushlight as rl

        os.makedirs(folder, exist_ok=True)
        rl.save(self, os.path.join(folder, "module.pt"))
        with open(os.path.join(folder, "__init__.py"), "w") as file:
            file.write(_FOLDER.format(name=module_name))

    # ---- submodules ------------------------------------------------------------------------

    def add_submodule(self, target, m):
        """Adds a module at a dotted path. Was there no attribute in the way?"""
        *path, name = target.split(".")
        owner = self
        for part in path:
            inner = getattr(owner, part, None)
            if inner is None:
                inner = Module()
                setattr(owner, part, inner)
            if not isinstance(inner, Module):
                return False
            owner = inner
        owner.add_module(name, m)
        return True

    def delete_submodule(self, target):
        """Removes the module at a dotted path. Was there one?"""
        path, _, name = target.rpartition(".")
        try:
            owner = self.get_submodule(path)
        except AttributeError:
            return False
        return owner._modules.pop(name, None) is not None

    def delete_all_unused_submodules(self):
        """Removes modules that no node refers to."""
        used = set()
        for node in self.graph.nodes:
            if node.op in ("call_module", "get_attr"):
                parts = node.target.split(".")
                used.update(".".join(parts[:i]) for i in range(1, len(parts) + 1))
            if node.op == "call_module":
                inner = self.get_submodule(node.target).named_modules()
                used.update(f"{node.target}.{name}" for name, _ in inner)
        for name, _ in list(self.named_modules()):
            if name and name not in used:
                self.delete_submodule(name)

    # ---- copies ----------------------------------------------------------------------------

    def __reduce__(self):
        state = {k: v for k, v in self.__dict__.items() if k not in ("_graph", "_code")}
        return _rebuild, (type(self).__name__, self.graph, state)

    def __deepcopy__(self, memo):
        state = {k: v for k, v in self.__dict__.items() if k not in ("_graph", "_code")}
        made = _rebuild(
            type(self).__name__, copy.deepcopy(self.graph, memo), copy.deepcopy(state, memo)
        )
        memo[id(self)] = made
        return made

    def __copy__(self):
        return GraphModule(self, self.graph, type(self).__name__)


def _rebuild(name, graph, state):
    made = GraphModule.__new__(GraphModule)
    made.__class__.__name__ = name
    made.__dict__.update(state)
    made.graph = graph
    return made


_FOLDER = '''"""A module generated from a graph; its parameters are beside this file."""

import os

import torch


def {name}():
    path = os.path.join(os.path.dirname(__file__), "module.pt")
    return torch.load(path, weights_only=False)
'''
