"""`Graph`: nodes in the order in which they run, and the ways to add, move and drop them.

Their Python text is made in _code.py.
"""

import copy
from dataclasses import dataclass


from . import _code
from .node import Node, map_arg

__all__ = ["CodeGen", "Graph", "PythonCode"]


@dataclass
class PythonCode:
    """The text of a graph's function, and the objects that it refers to by name."""

    src: str
    globals: dict  # noqa: A003


class CodeGen:
    """How a graph becomes text: the plain way, which is the only one."""


class _Nodes:
    """The nodes from first to last; removing one while walking is allowed."""

    def __init__(self, graph, direction="_next"):
        self._graph, self._direction = graph, direction

    def __iter__(self):
        root = self._graph._root
        node = getattr(root, self._direction)
        while node is not root:
            following = getattr(node, self._direction)
            if not node._erased:
                yield node
            node = getattr(node, self._direction) if not node._erased else following

    def __len__(self):
        return sum(1 for _ in self)

    def __reversed__(self):
        return _Nodes(self._graph, "_prev" if self._direction == "_next" else "_next")


class _Place:
    """Where a graph puts new nodes, as of now; at the end of a ``with`` as before again."""

    def __init__(self, graph, insert):
        self._graph, self._before = graph, graph._insert
        graph._insert = insert

    def __enter__(self):
        return None

    def __exit__(self, *exception):
        self._graph._insert = self._before


class Graph:
    """A program: nodes in the order in which they run.

    Example::

        >>> graph = rl.fx.Graph()
        >>> x = graph.placeholder("x")
        >>> y = graph.call_function(rl.relu, (x,))
        >>> _ = graph.output(y)
        >>> rl.fx.GraphModule(rl.nn.Module(), graph)(rl.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """

    def __init__(self, owning_module=None, tracer_cls=None, tracer_extras=None):
        self._root = Node(self, "", "root", "", (), {})
        self._insert = self._root.prepend
        self._names = _code.Namespace()
        self._owning_module, self._tracer_cls = owning_module, tracer_cls

    @property
    def nodes(self):
        """The nodes, in order."""
        return _Nodes(self)

    @property
    def owning_module(self):
        """The `GraphModule` that runs it."""
        return self._owning_module

    @owning_module.setter
    def owning_module(self, module):
        self._owning_module = module

    # ---- adding nodes ----------------------------------------------------------------------

    def create_node(self, op, target, args=None, kwargs=None, name=None, type_expr=None):
        """A new node at the place of insertion."""
        args, kwargs = args or (), kwargs or {}
        for n in _nodes_in((args, kwargs)):
            if n.graph is not self:
                raise RuntimeError(f"create_node: argument {n} is of another graph")
        name = self._names.new(name or _suggested(op, target))
        node = Node(self, name, op, target, args, kwargs, type_expr)
        self._insert(node)
        return node

    def placeholder(self, name, type_expr=None, default_value=...):
        """An argument of the graph."""
        args = () if default_value is ... else (default_value,)
        return self.create_node("placeholder", name, args, type_expr=type_expr)

    def get_attr(self, qualified_name, type_expr=None):
        """A parameter, buffer or other attribute of the module."""
        return self.create_node("get_attr", qualified_name, type_expr=type_expr)

    def call_module(self, module_name, args=None, kwargs=None, type_expr=None):
        """A call of a submodule."""
        return self.create_node("call_module", module_name, args, kwargs, type_expr=type_expr)

    def call_method(self, method_name, args=None, kwargs=None, type_expr=None):
        """A call of a method of the first argument."""
        return self.create_node("call_method", method_name, args, kwargs, type_expr=type_expr)

    def call_function(self, the_function, args=None, kwargs=None, type_expr=None, name=None):
        """A call of a function."""
        return self.create_node("call_function", the_function, args, kwargs, name, type_expr)

    def output(self, result, type_expr=None):
        """What the graph returns."""
        return self.create_node("output", "output", (result,), type_expr=type_expr)

    def inserting_before(self, n=None):
        """From now on, or in a ``with``, each new node comes before a node; first by default."""
        return _Place(self, self._root.append if n is None else self._own(n).prepend)

    def inserting_after(self, n=None):
        """From now on, or in a ``with``, each new node comes right after a node; last by default.

        What is added by two calls in a ``with`` is thus in the opposite order.
        """
        return _Place(self, self._root.prepend if n is None else self._own(n).append)

    def _own(self, node):
        if node.graph is not self:
            raise AssertionError(f"inserting: node {node} is of another graph")
        return node

    def node_copy(self, node, arg_transform=lambda x: x):
        """A copy of a node of another graph; `arg_transform` says what its arguments become."""
        args = map_arg(node.args, arg_transform)
        kwargs = map_arg(node.kwargs, arg_transform)
        made = self.create_node(node.op, node.target, args, kwargs, node.name, node.type)
        made.meta = copy.copy(node.meta)
        return made

    def graph_copy(self, g, val_map, return_output_node=False):
        """Copies of all nodes of a graph; returns what the output becomes."""
        for node in g.nodes:
            if node in val_map:
                continue
            if node.op == "output":
                result = map_arg(node.args[0], lambda n: val_map[n])
                return (result, node) if return_output_node else result
            val_map[node] = self.node_copy(node, lambda n: val_map[n])
        return None

    # ---- dropping and finding nodes --------------------------------------------------------

    def erase_node(self, to_erase):
        """Removes a node that nothing uses."""
        if to_erase.users:
            raise RuntimeError(
                f"Tried to erase Node {to_erase} but it still had {len(to_erase.users)} users in "
                f"the graph: {to_erase.users}!"
            )
        to_erase._set_inputs((), {})
        to_erase._prev._next, to_erase._next._prev = to_erase._next, to_erase._prev
        to_erase._erased = True

    def eliminate_dead_code(self, is_impure_node=None):
        """Removes nodes whose results nothing uses. Were there any?"""
        impure, before = is_impure_node or (lambda n: n.is_impure()), len(self.nodes)
        for node in list(reversed(self.nodes)):
            if not node.users and not impure(node):
                self.erase_node(node)
        return len(self.nodes) < before

    def find_nodes(self, *, op, target=None, sort=True):
        """The nodes of an op and, if given, a target."""
        return [n for n in self.nodes if n.op == op and target in (None, n.target)]

    def output_node(self):
        """The node that returns."""
        return next(iter(reversed(self.nodes)))

    def lint(self):
        """RuntimeError if a node takes one that comes later, or what the module does not have."""
        seen = set()
        for node in self.nodes:
            for used in node.all_input_nodes:
                if used not in seen:
                    raise RuntimeError(
                        f"Argument {used!r} of Node {node!r} was used before it has been defined! "
                        f"Please check that Nodes in the graph are topologically ordered\n{self}"
                    )
            seen.add(node)
            if self._owning_module is not None and node.op in ("get_attr", "call_module"):
                find_attribute(self._owning_module, node.target)

    # ---- text ------------------------------------------------------------------------------

    def python_code(self, root_module, *, verbose=False):
        """The text of the function, and the objects it refers to."""
        names = _code.Namespace()
        return PythonCode(_code.write(self, names), names.objects)

    def set_codegen(self, codegen):
        """Raises NotImplementedError unless it is the plain way to make text."""
        if type(codegen) is not CodeGen:
            raise NotImplementedError("Graph.set_codegen: only the plain CodeGen is supported")

    def print_tabular(self):
        """Prints the nodes as a table."""
        rows = [("opcode", "name", "target", "args", "kwargs")]
        rows += [
            (n.op, n.name, _code.target_name(n), str(n.args), str(dict(n.kwargs)))
            for n in self.nodes
        ]
        widths = [max(map(len, column)) for column in zip(*rows)]
        rows.insert(1, tuple("-" * width for width in widths))
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())

    def __str__(self):
        lines = [node.format_node() for node in self.nodes]
        return "graph():\n    " + "\n    ".join(lines)

    # ---- copies ----------------------------------------------------------------------------

    def __deepcopy__(self, memo):
        made = Graph(tracer_cls=self._tracer_cls)
        copies = {}
        result = made.graph_copy(self, copies)
        if any(node.op == "output" for node in self.nodes):
            made.output(result)
        memo[id(self)] = made
        return made

    def __reduce__(self):
        names = {node: i for i, node in enumerate(self.nodes)}
        rows = [
            (
                *(n.op, n.name, n.target, n.type),
                *map_arg((n.args, n.kwargs), lambda x: _Reference(names[x])),
            )
            for n in self.nodes
        ]
        return _rebuild, (rows,)


@dataclass
class _Reference:
    """Stands in a pickle for the node of that number."""

    number: int


def _rebuild(rows):
    from .node import map_aggregate

    graph, made = Graph(), []
    for op, name, target, kind, args, kwargs in rows:
        args, kwargs = map_aggregate(
            (args, kwargs), lambda x: made[x.number] if isinstance(x, _Reference) else x
        )
        made.append(graph.create_node(op, target, args, kwargs, name, kind))
    return graph


def _nodes_in(value):
    found = []
    map_arg(value, lambda n: found.append(n) or n)
    return found


def _suggested(op, target):
    """A name for a node's value."""
    text = getattr(target, "__name__", None) or (target if isinstance(target, str) else "value")
    text = "_" + text.lstrip("*") if text.startswith("*") else text
    text = text.replace(".", "_")
    if text.startswith("__") and text.endswith("__"):
        text = text[2:-2]
    text = text.lower() if op == "call_function" else text
    return text.rstrip("_") + "_" if text.endswith("_") and op == "call_method" else text


def find_attribute(module, target):
    """The attribute at a dotted path; RuntimeError names what is missing."""
    value = module
    for part in target.split("."):
        if not hasattr(value, part):
            raise RuntimeError(f"the graph refers to {target!r}, which the module does not have")
        value = getattr(value, part)
    return value
