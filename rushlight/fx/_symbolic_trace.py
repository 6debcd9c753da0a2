"""`Tracer` and `symbolic_trace`: running a module with proxies to find the calls it makes.

Which functions are seen: ops and methods of tensors (they ask ``__torch_function__``, which proxies
have), submodules, and functions named with `wrap`.
"""

import functools
import inspect
import operator
import sys
import types
import warnings

import rushlight as rl
from rushlight.nn.modules.module import Module

from .graph import Graph
from .graph_module import GraphModule
from .proxy import Proxy, TracerBase
from .node import base_types, map_aggregate

__all__ = ["Tracer", "symbolic_trace", "wrap"]

_wrapped = []  # (the globals of a module, the name of a function there)


def wrap(fn_or_name):
    """Says that a function is not to be looked into: a call of it becomes one node.

    Args:
        fn_or_name: a function of the calling module, or its name; or as a decorator.
    """
    name = fn_or_name if isinstance(fn_or_name, str) else fn_or_name.__name__
    frame = sys._getframe(1)
    if frame.f_code.co_name != "<module>":
        raise NotImplementedError("wrap must be called at the top level of a module")
    _wrapped.append((frame.f_globals, name))
    return fn_or_name


def _assert_is_none(value, msg):
    assert value is None, msg


class _Patches:
    """Attributes and names that are replaced while a program is traced."""

    def __init__(self):
        self._undo = []

    def attribute(self, obj, name, value):
        before = obj.__dict__[name]
        setattr(obj, name, value)
        self._undo.append(lambda: setattr(obj, name, before))

    def name(self, namespace, name, value):
        missing = object()
        before = namespace.get(name, missing)
        namespace[name] = value
        self._undo.append(
            lambda: namespace.pop(name) if before is missing else namespace.update({name: before})
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for undo in reversed(self._undo):
            undo()


def _found_proxy(args, kwargs):
    found = []
    map_aggregate((tuple(args), dict(kwargs)), lambda x: found.append(x) or x)
    return next((x for x in found if isinstance(x, Proxy)), None)


def _recording(function):
    """The function, or a node where a proxy is among the arguments."""

    @functools.wraps(function)
    def recorded(*args, **kwargs):
        proxy = _found_proxy(args, kwargs)
        if proxy is None:
            return function(*args, **kwargs)
        return proxy.tracer.create_proxy("call_function", function, args, kwargs)

    return recorded


_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def _without_stars(function):
    """The function with a parameter for each of ``*args`` and ``**kwargs``, the last ones."""
    code = getattr(function, "__code__", None)
    if code is None or inspect.ismethod(function) or hasattr(function, "__wrapped__"):
        raise NotImplementedError(
            "Tracer.trace: *args and **kwargs of what is no plain function; wrap it in a function "
            "of fixed arguments"
        )
    stars = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
    count = code.co_argcount + code.co_kwonlyargcount + (code.co_flags & stars).bit_count()
    plain = code.replace(
        co_flags=code.co_flags & ~stars,
        co_argcount=count,
        co_posonlyargcount=0,
        co_kwonlyargcount=0,
    )
    return types.FunctionType(
        plain, function.__globals__, function.__name__, None, function.__closure__
    )


class Tracer(TracerBase):
    """Finds the calls of a module or function.

    Override `is_leaf_module` to look into other modules than usual, and `create_arg`, `proxy`,
    `call_module` for more.

    Args:
        autowrap_modules: modules whose functions become nodes where a proxy is passed.
        autowrap_functions: functions that do.
        param_shapes_constant: accepted; shapes of parameters are always constants.
    """

    def __init__(self, autowrap_modules=(), autowrap_functions=(), param_shapes_constant=False):
        import math

        modules = (math, *autowrap_modules)
        self._autowrapped = {
            id(value): value
            for module in modules
            for name, value in vars(module).items()
            if not name.startswith("_") and callable(value)
        }
        self._autowrapped.update({id(function): function for function in autowrap_functions})
        self._modules_wrapped = modules
        self.module_stack = {}

    # ---- what to override ------------------------------------------------------------------

    traced_func_name = "forward"  # the method of a module that is traced

    def is_leaf_module(self, m, module_qualified_name):
        """Is a submodule one node? By default, those of `nn` are, except containers."""
        own = m.__module__.startswith(("rushlight.nn", "torch.nn"))  # see _as_torch
        return own and not isinstance(m, rl.nn.Sequential)

    def path_of_module(self, mod):
        """The name of a submodule; NameError if it is none."""
        path = self._paths.get(id(mod))
        if path is None:
            raise NameError(f"module {type(mod).__name__} is not installed as a submodule")
        return path

    def call_module(self, m, forward, args, kwargs):
        """What a call of a submodule returns: a node, or the result of looking into it."""
        name = self.path_of_module(m)
        if self.is_leaf_module(m, name):
            return self.create_proxy("call_module", name, args, kwargs)
        return forward(*args, **kwargs)

    def getattr(self, attr, attr_val, parameter_proxy_cache):
        """What reading a parameter or buffer gives: a proxy."""
        if not isinstance(attr_val, rl.Tensor):
            return attr_val
        path = self._tensor_paths.get(id(attr_val))
        if path is None:
            return attr_val
        if path not in parameter_proxy_cache:
            parameter_proxy_cache[path] = self.create_proxy("get_attr", path, (), {})
        return parameter_proxy_cache[path]

    def create_arg(self, a):
        """An argument as the graph keeps it; tensors become attributes of the module."""
        return map_aggregate(a, self._arg)

    def _arg(self, value):
        if isinstance(value, rl.Tensor):
            path = self._tensor_paths.get(id(value)) or self._keep_constant(value)
            return self.create_node("get_attr", path, (), {})
        if isinstance(value, Module):
            return self.create_node("get_attr", self.path_of_module(value), (), {})
        return self._leaf(value)

    def _keep_constant(self, tensor):
        number = 0
        while hasattr(self.root, f"_tensor_constant{number}"):
            number += 1
        name = f"_tensor_constant{number}"
        setattr(self.root, name, tensor)
        self._tensor_paths[id(tensor)] = name
        return name

    # ---- tracing ---------------------------------------------------------------------------

    def trace(self, root, concrete_args=None):
        """The graph of a module or function.

        Args:
            concrete_args: {name of an argument: its value}; such arguments are no proxies. The
                graph still takes them, and asserts that they have that value.
        """
        if isinstance(root, Module):
            self.root, function = root, getattr(type(root), self.traced_func_name)
            arguments = [root]
        else:
            self.root, function, arguments = Module(), root, []
        self.graph = Graph(tracer_cls=type(self))
        self._paths = {id(m): name for name, m in reversed(list(self.root.named_modules()))}
        self._tensor_paths = {
            id(t): name
            for walk in (self.root.named_buffers, self.root.named_parameters)
            for name, t in walk()
        }
        self._collect_plain_tensors()
        called, arguments, keywords = self._arguments(function, arguments, concrete_args or {})
        with _Patches() as patches:
            self._patch(patches, function)
            result = called(*arguments, **keywords)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _collect_plain_tensors(self):
        for prefix, module in self.root.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, rl.Tensor):
                    path = f"{prefix}.{name}" if prefix else name
                    self._tensor_paths.setdefault(id(value), path)

    def _arguments(self, function, arguments, concrete):
        """The function to be called, and proxies for its parameters, or the values given for them.

        Where it takes ``*args`` or ``**kwargs``, they are proxies too, and all are positional.
        """
        arguments, keywords = list(arguments), {}
        parameters = list(inspect.signature(inspect.unwrap(function)).parameters.values())
        parameters = parameters[len(arguments) :]
        starred = [p for p in parameters if p.kind in _STARS]
        if starred:
            parameters = sorted(parameters, key=lambda p: (p.kind in _STARS, p.kind))
            function = _without_stars(function)
        for parameter in parameters:
            if parameter.name in concrete:
                value = self._specialized(parameter, concrete[parameter.name])
            else:
                value = self._placeholder(parameter)
            if parameter.kind is parameter.KEYWORD_ONLY and not starred:
                keywords[parameter.name] = value
            else:
                arguments.append(value)
        return function, arguments, keywords

    def _placeholder(self, parameter):
        default = () if parameter.default is parameter.empty else (parameter.default,)
        kind = None if parameter.annotation is parameter.empty else parameter.annotation
        target = _STARS.get(parameter.kind, "") + parameter.name
        return self.create_proxy("placeholder", target, default, {}, type_expr=kind)

    def _specialized(self, parameter, value):
        """`value` itself, of a parameter that stays one and is asserted to be given that value."""
        name = parameter.name
        if parameter.kind in _STARS:
            raise NotImplementedError(f"Tracer.trace: concrete_args for {parameter}")
        default = () if parameter.default is parameter.empty else (parameter.default,)
        given = self.create_proxy("placeholder", f"{name}_1", default, {})
        wrong = f"{name} has been specialized to have value {value} but got another value"
        if value is None:
            self.create_proxy("call_function", _assert_is_none, (given, wrong), {})
        elif isinstance(value, base_types) and not isinstance(value, rl.Tensor):
            equal = self.create_proxy("call_function", operator.eq, (given, value), {})
            self.create_proxy("call_function", rl._assert, (equal, wrong), {})
        else:
            warnings.warn(
                f"Was not able to add assertion to guarantee correct input {name} to specialized "
                "function. It is up to the user to make sure that your inputs match the inputs you "
                "specialized the function with.",
                stacklevel=2,
            )
        return value

    def _patch(self, patches, function):
        call, read, cache = Module.__call__, Module.__getattr__, {}

        @functools.wraps(call)
        def module_call(module, *args, **kwargs):
            if _found_proxy(args, kwargs) is None:
                return call(module, *args, **kwargs)
            return self.call_module(module, lambda *a, **k: call(module, *a, **k), args, kwargs)

        @functools.wraps(read)
        def module_read(module, name):
            return self.getattr(name, read(module, name), cache)

        patches.attribute(Module, "__call__", module_call)
        patches.attribute(Module, "__getattr__", module_read)
        wrapped = set()
        for namespace, name in _wrapped:
            import builtins

            original = namespace.get(name) or getattr(builtins, name)
            wrapped.add(id(original))
            patches.name(namespace, name, _recording(original))
        self._wrap_globals(patches, inspect.unwrap(function).__globals__, wrapped)

    def _wrap_globals(self, patches, namespace, wrapped):
        for name, value in list(namespace.items()):
            known = id(value) in self._autowrapped and not name.startswith("_")
            if known or id(value) in wrapped:  # the latter in code that was generated of a graph
                patches.name(namespace, name, _recording(value))
        for module in self._modules_wrapped:
            for name, value in list(vars(module).items()):
                if not name.startswith("_") and callable(value) and not isinstance(value, type):
                    patches.name(vars(module), name, _recording(value))


def symbolic_trace(root, concrete_args=None):
    """A `GraphModule` that does what a module or function does.

    Args:
        root: a module, or a function.
        concrete_args: {name of an argument: its value}, for arguments that decide what is run. The
            result still takes them, and refuses other values.

    Raises:
        TraceError: if what is run depends on the value of an argument.

    Example::

        >>> traced = rl.fx.symbolic_trace(lambda x: rl.relu(x) + 1)
        >>> print(traced.code.strip())
        def forward(self, x):
            relu = torch.relu(x);  x = None
            add = relu + 1;  relu = None
            return add
    """
    tracer = Tracer()
    graph = tracer.trace(root, concrete_args)
    name = type(root).__name__ if isinstance(root, Module) else root.__name__
    return GraphModule(tracer.root, graph, name)
