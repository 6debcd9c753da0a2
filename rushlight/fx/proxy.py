"""`Proxy`: stands for a value while a program is traced; each use of it becomes a node.

What is traced and how is decided by the tracer, in _symbolic_trace.py.
"""

import dis
import operator
import sys

import rushlight as rl

from .node import map_aggregate

__all__ = ["Attribute", "Proxy", "TraceError", "TracerBase"]


class TraceError(ValueError):
    """The program asks for a value, which is not there while it is traced."""


class TracerBase:
    """What makes nodes and proxies; `Tracer` finds the calls."""

    def create_node(self, kind, target, args, kwargs, name=None, type_expr=None):
        """A node in the graph."""
        return self.graph.create_node(kind, target, args, kwargs, name, type_expr)

    def proxy(self, node):
        """The proxy for a node."""
        return Proxy(node, self)

    def create_proxy(
        self, kind, target, args, kwargs, name=None, type_expr=None, proxy_factory_fn=None
    ):
        """A node for a call with proxies and plain values, and the proxy for its result."""
        args, kwargs = self.create_arg(tuple(args)), self.create_arg(dict(kwargs))
        node = self.create_node(kind, target, args, kwargs, name, type_expr)
        return proxy_factory_fn(node) if proxy_factory_fn else self.proxy(node)

    def create_arg(self, a):
        """An argument as the graph keeps it: nodes for proxies."""
        return map_aggregate(a, self._leaf)

    def _leaf(self, value):
        if isinstance(value, Proxy):
            return value.node
        if hasattr(value, "__fx_create_arg__"):
            return value.__fx_create_arg__(self)
        return value

    def to_bool(self, obj):
        """The truth of a proxy. TraceError."""
        raise TraceError(
            "symbolically traced variables cannot be used as inputs to control flow: the value of "
            f"{obj.node} is not known while tracing"
        )

    def iter(self, obj):  # noqa: A003
        """The entries of a proxy that is unpacked into a fixed number of names; else TraceError."""
        frame = sys._getframe(2)  # that of `a, b = proxy`
        found = [i for i in dis.get_instructions(frame.f_code) if i.offset == frame.f_lasti]
        if found and found[0].opname == "UNPACK_SEQUENCE":
            return (obj[i] for i in range(found[0].argval))
        raise TraceError(
            f"Proxy object cannot be iterated: how many entries {obj.node} has is not known while "
            "tracing. This can happen with for loops over it and with *arguments"
        )

    def keys(self, obj):
        """The keys of a proxy, for ``**``; a node."""
        return Attribute(obj, "keys")()


class GraphAppendingTracer(TracerBase):
    """A tracer that only adds to a graph: its proxies are used by hand."""

    def __init__(self, graph):
        self.graph = graph


class Proxy:
    """Stands for the value of a node; what is done with it is recorded."""

    def __init__(self, node, tracer=None):
        self.tracer = tracer or GraphAppendingTracer(node.graph)
        self.node = node

    def __repr__(self):
        return f"Proxy({self.node.name})"

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Attribute(self, name)

    def __call__(self, *args, **kwargs):
        return self.tracer.create_proxy("call_method", "__call__", (self, *args), kwargs)

    def __iter__(self):
        return self.tracer.iter(self)

    def __bool__(self):
        return self.tracer.to_bool(self)

    def __len__(self):
        raise RuntimeError(
            "'len' is not supported in symbolic tracing by default. If you want this call to be "
            "recorded, please call torch.fx.wrap('len') at module scope"
        )

    def __setitem__(self, key, value):
        raise TypeError(
            "'Proxy' object does not support item assignment: use functions that return a new "
            "tensor, such as torch.index_put or torch.where"
        )

    def keys(self):
        """The keys, for ``**``."""
        return self.tracer.keys(self)

    def __deepcopy__(self, memo):
        made = Proxy.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    @classmethod
    def __torch_function__(cls, orig_method, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        found = []
        map_aggregate((tuple(args), dict(kwargs)), lambda x: found.append(x) or x)
        tracer = next(x.tracer for x in found if isinstance(x, Proxy))
        if rl.overrides.is_tensor_method_or_property(orig_method):
            name = getattr(orig_method, "__name__", "")
            if name == "__get__":
                attribute = orig_method.__self__.__name__
                return tracer.create_proxy("call_function", getattr, (args[0], attribute), kwargs)
            return tracer.create_proxy("call_method", name, args, kwargs)
        return tracer.create_proxy("call_function", orig_method, args, kwargs)


class Attribute(Proxy):
    """An attribute of a proxy: calling it records a method, using it otherwise a ``getattr``."""

    def __init__(self, root, attr):
        self.root, self.attr, self.tracer = root, attr, root.tracer
        self._node = None

    @property
    def node(self):
        """The node of ``getattr``, made when it is first needed."""
        if self._node is None:
            made = self.tracer.create_proxy("call_function", getattr, (self.root, self.attr), {})
            self._node = made.node
        return self._node

    def __call__(self, *args, **kwargs):
        return self.tracer.create_proxy("call_method", self.attr, (self.root, *args), kwargs)


def _operator(function):
    def recorded(*args):
        return args[0].tracer.create_proxy("call_function", function, args, {})

    return recorded


def _reflected(function):
    def recorded(self, other):
        return self.tracer.create_proxy("call_function", function, (other, self), {})

    return recorded


_BINARY = "add sub mul truediv floordiv mod pow matmul lshift rshift and_ or_ xor".split()
for _name in _BINARY:
    _dunder = _name.rstrip("_")
    setattr(Proxy, f"__{_dunder}__", _operator(getattr(operator, _name)))
    setattr(Proxy, f"__r{_dunder}__", _reflected(getattr(operator, _name)))
for _name in "eq ne lt gt le ge getitem neg pos invert".split():
    setattr(Proxy, f"__{_name}__", _operator(getattr(operator, _name)))
Proxy.__hash__ = object.__hash__
Proxy.__abs__ = lambda self: self.tracer.create_proxy("call_function", abs, (self,), {})
