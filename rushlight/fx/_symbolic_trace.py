"""`Tracer` and `symbolic_trace`: running a module with proxies to find the calls it makes.

Which functions are seen: ops and methods of tensors (they ask ``__torch_function__``, which proxies
have), submodules, and functions named with `wrap`. Programs with a `Tracer.trace` of their own
build it of what is here: the attributes of `Tracer`, and the names that PyTorch's module has.
"""

import functools
import inspect
import operator
import sys
import types
import warnings
from types import FunctionType  # noqa: F401  part of what the module gives

import rushlight as rl
from rushlight.nn.modules.module import Module

from ._compatibility import compatibility  # noqa: F401  part of what the module gives
from ._patches import Patcher as _Patcher, found_proxy as _found_proxy, recording as _recording
from .graph import Graph
from .graph_module import GraphModule
from .proxy import Proxy, TracerBase  # noqa: F401  as the above
from .node import base_types, map_aggregate

__all__ = ["Tracer", "symbolic_trace", "wrap"]

_orig_module_call, _orig_module_getattr = Module.__call__, Module.__getattr__
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


class ScriptObject:
    """An object of a TorchScript class: there are none."""

    def __new__(cls, *args, **kwargs):
        raise NotImplementedError("ScriptObject: rushlight has no TorchScript classes")


def _patch_wrapped_functions(patcher):
    """Makes what `wrap` was told of nodes; returns the ids of these functions."""
    import builtins

    wrapped = set()
    for namespace, name in _wrapped:
        original = namespace.get(name) or getattr(builtins, name)
        wrapped.add(id(original))
        patcher.patch(namespace, name, _recording(original))
    return wrapped


def _autowrap_check(patcher, frame_dict, function_ids):
    """Makes nodes of the functions of these ids, under their names of a module."""
    if not patcher.visit_once(frame_dict):
        return
    for name, value in list(frame_dict.items()):
        if name.startswith("_") or not callable(value) or id(value) not in function_ids:
            continue
        # A class stays one for isinstance where it is defined.
        if not isinstance(value, type) or value.__module__ != frame_dict.get("__name__"):
            patcher.patch(frame_dict, name, _recording(value))


def _assert_is_none(value, msg):
    assert value is None, msg


_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def _is_plain(function):
    return inspect.isfunction(function) and not hasattr(function, "__wrapped__")


def _without_stars(function):
    """The function with all its parameters positional, ``*args`` and ``**kwargs`` the last ones."""
    if not _is_plain(function):
        raise NotImplementedError(
            "Tracer.trace: *args and **kwargs of what is no plain function; wrap it in a function "
            "of fixed arguments"
        )
    code, stars = function.__code__, inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
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

        self._autowrap_search = [math, *autowrap_modules]
        self._autowrap_functions = tuple(autowrap_functions)  # keeps their ids theirs
        self._autowrap_function_ids = {id(function) for function in autowrap_functions}
        for module in self._autowrap_search:
            named = [f for n, f in vars(module).items() if not n.startswith("_") and callable(f)]
            self._autowrap_function_ids.update(map(id, named))
        self.root, self.submodule_paths, self.tensor_attrs = None, None, {}
        self._own_paths = (None, {})
        self.module_stack = {}

    # ---- what to override ------------------------------------------------------------------

    traced_func_name = "forward"  # the method of a module that is traced

    def is_leaf_module(self, m, module_qualified_name):
        """Is a submodule one node? By default, those of `nn` are, except containers."""
        own = m.__module__.startswith(("rushlight.nn", "torch.nn"))  # see _as_torch
        return own and not isinstance(m, rl.nn.Sequential)

    def path_of_module(self, mod):
        """The name of a submodule; NameError if it is none."""
        if self.submodule_paths:
            path = self.submodule_paths.get(mod)
        else:
            path = next((n for n, m in self.root.named_modules() if m is mod), None)
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
        path = self._path_of_tensor(attr_val)
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
            path = self._path_of_tensor(value) or self._keep_constant(value)
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
        self.tensor_attrs[tensor] = name
        return name

    def _path_of_tensor(self, tensor):
        root, paths = self._own_paths
        if root is not self.root:
            walks = (self.root.named_buffers, self.root.named_parameters)
            paths = {id(t): name for walk in walks for name, t in walk()}
            self._own_paths = self.root, paths
        return paths.get(id(tensor)) or self.tensor_attrs.get(tensor)

    # ---- tracing ---------------------------------------------------------------------------

    def trace(self, root, concrete_args=None):
        """The graph of a module or function.

        Args:
            concrete_args: {name of an argument: its value}; such arguments are no proxies. The
                graph still takes them, and asserts that they have that value.
        """
        is_module = isinstance(root, Module)
        self.root = root if is_module else Module()
        function = getattr(type(root), self.traced_func_name) if is_module else root
        self.graph = Graph(tracer_cls=type(self))
        self.submodule_paths = {m: name for name, m in reversed(list(self.root.named_modules()))}
        self._own_paths, self.tensor_attrs = (None, {}), {}
        self._collect_plain_tensors()
        called, arguments = self.create_args_for_root(function, is_module, concrete_args)
        with _Patcher() as patcher:
            self._patch(patcher, function)
            result = called(*arguments)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _collect_plain_tensors(self):
        for prefix, module in self.root.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, rl.Tensor):
                    path = f"{prefix}.{name}" if prefix else name
                    self.tensor_attrs.setdefault(value, path)

    def create_args_for_root(self, root_fn, is_module, concrete_args=None):
        """What `trace` calls: a function, and its positional arguments, with proxies among them.

        Args:
            root_fn: the function, or the method of a module's class.
            is_module: whether it is a method; the first argument is `root` then.
            concrete_args: as for `trace`.
        """
        arguments = [self.root] if is_module else []
        called, arguments, keywords = self._arguments(root_fn, arguments, concrete_args or {})
        return functools.partial(called, **keywords) if keywords else called, arguments

    def _arguments(self, function, arguments, concrete):
        """The function to be called, and proxies for its parameters, or the values given for them.

        ``*args`` and ``**kwargs`` are proxies too, and of plain functions all are positional.
        """
        arguments, keywords = list(arguments), {}
        parameters = list(inspect.signature(inspect.unwrap(function)).parameters.values())
        parameters = parameters[len(arguments) :]
        kinds = {p.kind for p in parameters}
        keyword_only = inspect.Parameter.KEYWORD_ONLY in kinds
        flat = not kinds.isdisjoint(_STARS) or (keyword_only and _is_plain(function))
        if flat:
            parameters = sorted(parameters, key=lambda p: (p.kind in _STARS, p.kind))
            function = _without_stars(function)
        for parameter in parameters:
            if parameter.name in concrete:
                value = self._specialized(parameter, concrete[parameter.name])
            else:
                value = self._placeholder(parameter)
            if parameter.kind is parameter.KEYWORD_ONLY and not flat:
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

    def _patch(self, patcher, function):
        call, read, cache = Module.__call__, Module.__getattr__, {}

        @functools.wraps(call)
        def module_call(module, *args, **kwargs):
            if _found_proxy(args, kwargs) is None:
                return call(module, *args, **kwargs)
            return self.call_module(module, lambda *a, **k: call(module, *a, **k), args, kwargs)

        @functools.wraps(read)
        def module_read(module, name):
            return self.getattr(name, read(module, name), cache)

        patcher.patch_method(Module, "__call__", module_call, deduplicate=False)
        patcher.patch_method(Module, "__getattr__", module_read, deduplicate=False)
        # Code that was generated of a graph has what `wrap` was told of in globals of its own.
        known = self._autowrap_function_ids | _patch_wrapped_functions(patcher)
        _autowrap_check(patcher, inspect.unwrap(function).__globals__, known)
        for module in self._autowrap_search:
            _autowrap_check(patcher, vars(module), self._autowrap_function_ids)


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
