"""`Interpreter` runs a graph node by node; `Transformer` makes a new graph the same way."""

from contextlib import contextmanager

from .graph import Graph, find_attribute
from .graph_module import GraphModule
from .node import map_aggregate, map_arg
from .proxy import GraphAppendingTracer, Proxy

__all__ = ["Interpreter", "Transformer"]


class Interpreter:
    """Runs a graph node by node. Override the methods named after ops to do something else.

    Args:
        module: a `GraphModule`, or any module together with ``graph``.
        garbage_collect_values: forget values after their last use.
        graph: the graph, if it is not the module's.

    Example::

        >>> class Counting(rl.fx.Interpreter):
        ...     calls = 0
        ...     def call_function(self, target, args, kwargs):
        ...         self.calls += 1
        ...         return super().call_function(target, args, kwargs)
        >>> runner = Counting(rl.fx.symbolic_trace(lambda x: rl.relu(x) + 1))
        >>> runner.run(rl.ones(1)), runner.calls
        (tensor([2.]), 2)
    """

    def __init__(self, module, garbage_collect_values=True, graph=None):
        self.module, self.graph = module, graph if graph is not None else module.graph
        self.submodules = dict(module.named_modules())
        self.env, self.name = {}, "Interpreter"
        self.garbage_collect_values, self.extra_traceback = garbage_collect_values, True

    def run(self, *args, initial_env=None, enable_io_processing=True):
        """The result of the graph for these arguments."""
        self.env = dict(initial_env or {})
        self.args_iter = iter(args)
        last_uses = self._last_uses() if self.garbage_collect_values else {}
        for node in self.graph.nodes:
            if node in self.env:
                continue
            try:
                self.env[node] = self.run_node(node)
            except Exception as error:
                if self.extra_traceback and hasattr(error, "add_note"):  # from Python 3.11 on
                    error.add_note(f"While executing {node.format_node()}")
                raise
            for used in last_uses.get(node, ()):
                del self.env[used]
            if node.op == "output":
                return self.env[node]
        return None

    def _last_uses(self):
        last = {}
        for node in self.graph.nodes:
            for used in node.all_input_nodes:
                last[used] = node
        grouped = {}
        for used, node in last.items():
            grouped.setdefault(node, []).append(used)
        return grouped

    def boxed_run(self, args_list):
        """`run` with the arguments of a list, which is emptied."""
        args = list(args_list)
        args_list.clear()
        return self.run(*args)

    @contextmanager
    def _set_current_node(self, node):
        from . import traceback

        with traceback.set_current_meta(node):
            yield

    def run_node(self, n):
        """The value of a node."""
        with self._set_current_node(n):
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            return getattr(self, n.op)(n.target, args, kwargs)

    def fetch_args_kwargs_from_env(self, n):
        """A node's arguments as values."""
        return self.map_nodes_to_values(n.args, n), self.map_nodes_to_values(n.kwargs, n)

    def map_nodes_to_values(self, args, n):
        """Nodes in an argument as values."""

        def load(node):
            if node not in self.env:
                raise RuntimeError(
                    f"Node {n} referenced nonexistent value {node}! Run graph.lint()"
                )
            return self.env[node]

        return map_arg(args, load)

    def fetch_attr(self, target):
        """The attribute of the module at a dotted path."""
        return find_attribute(self.module, target)

    # ---- what to override --------------------------------------------------------------------

    def placeholder(self, target, args, kwargs):
        """The next argument, or its default."""
        if target.startswith("*"):
            return list(self.args_iter)
        try:
            return next(self.args_iter)
        except StopIteration:
            if args:
                return args[0]
            raise RuntimeError(
                f"Expected positional argument for parameter {target}, but one was not passed in!"
            ) from None

    def get_attr(self, target, args, kwargs):
        """An attribute of the module."""
        return self.fetch_attr(target)

    def call_function(self, target, args, kwargs):
        """The result of a function."""
        return target(*args, **kwargs)

    def call_method(self, target, args, kwargs):
        """The result of a method of the first argument."""
        return getattr(args[0], target)(*args[1:], **kwargs)

    def call_module(self, target, args, kwargs):
        """The result of a submodule."""
        return self.fetch_attr(target)(*args, **kwargs)

    def output(self, target, args, kwargs):
        """What is returned."""
        return args[0]


class _TransformerTracer(GraphAppendingTracer):
    def __init__(self, graph, root):
        super().__init__(graph)
        self.root, self.tensor_attrs = root, {}

    def is_leaf_module(self, m, module_qualified_name):
        return True


class Transformer(Interpreter):
    """Makes a new `GraphModule`: the methods of `Interpreter` get proxies and return proxies.

    Example::

        >>> class Swap(rl.fx.Transformer):
        ...     def call_function(self, target, args, kwargs):
        ...         target = rl.sigmoid if target is rl.relu else target
        ...         return super().call_function(target, args, kwargs)
        >>> Swap(rl.fx.symbolic_trace(lambda x: rl.relu(x))).transform()(rl.zeros(1))
        tensor([0.5000])
    """

    def __init__(self, module):
        super().__init__(module)
        self.new_graph = Graph()
        self.tracer = _TransformerTracer(self.new_graph, module)

    def placeholder(self, target, args, kwargs):
        """An argument of the new graph."""
        default = args[0] if args else ...
        return Proxy(self.new_graph.placeholder(target, default_value=default), self.tracer)

    def get_attr(self, target, args, kwargs):
        """An attribute in the new graph."""
        return self.tracer.create_proxy("get_attr", target, args, kwargs)

    def call_module(self, target, args, kwargs):
        """A call of a submodule in the new graph."""
        return self.tracer.create_proxy("call_module", target, args, kwargs)

    def call_function(self, target, args, kwargs):
        """A call of a function in the new graph."""
        return self.tracer.create_proxy("call_function", target, args, kwargs)

    def transform(self):
        """The new module."""
        result = super().run()
        if result is not None:
            self.new_graph.output(
                map_aggregate(result, lambda x: x.node if isinstance(x, Proxy) else x)
            )
        return GraphModule(self.module, self.new_graph)

    def run(self, *args, **kwargs):
        """Use `transform`."""
        raise RuntimeError("Transformer: call transform()")
