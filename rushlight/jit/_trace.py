"""`trace`: runs a function once, notes every op, and makes a graph that replays them.

Ops are seen through the hook of `rushlight._interpose`. Values become nodes of an `fx` graph:
tensors of the module are attributes, sizes are followed through arithmetic (_sizes.py), so that a
trace serves other batch sizes. What depends on values in another way is fixed, with a warning.
"""

import functools
import operator
import warnings

import rushlight as rl
from rushlight import _interpose
from rushlight.fx import Graph, GraphModule
from rushlight.fx.node import Node, map_aggregate
from rushlight.nn.modules.module import Module

from ._script import ScriptModule, run_scripted
from ._script import tracers
from ._sizes import Size, size


class TracerWarning(Warning):
    """A traced function does something that the trace fixes."""

    @staticmethod
    def ignore_lib_warnings():
        """Hides those that the package's own modules cause."""
        warnings.filterwarnings("ignore", category=TracerWarning, module=r"(torch|rushlight)\.")


class TracingCheckError(Exception):
    """A trace does not do what the function does."""


def is_tracing():
    """Is a function being traced?

    Example::

        >>> rl.jit.is_tracing()
        False
    """
    return bool(tracers)


def script_if_tracing(fn):
    """Decorator: script a function when it is called while tracing. The function itself."""

    @functools.wraps(fn)
    def same(*args, **kwargs):
        return fn(*args, **kwargs)

    return same


# ---- recording ---------------------------------------------------------------------------------

_ASK_VALUES = ("__bool__", "__int__", "__float__", "__index__", "__complex__", "item", "tolist",
               "numpy", "__array__", "is_nonzero")  # fmt: skip
_SHAPES = ("shape", "size")
_COUNTS = ("numel", "nelement")
_PLAIN = ("__len__", "__hash__", "__repr__", "__format__", "dim", "stride", "element_size",
          "is_contiguous", "is_floating_point", "is_complex", "data_ptr", "storage_offset",
          "storage", "get_device", "ndimension", "untyped_storage", "is_shared",
          "requires_grad_", "register_hook", "retain_grad", "backward")  # fmt: skip


class _Recorder:
    """The handler that notes ops, and what is known of the values that they make."""

    def __init__(self, root):
        self.graph, self.root = Graph(), root
        self._nodes = {}  # id of a tensor -> its node
        self._alive = []  # keeps those tensors, so that ids stay theirs
        self._names = {id(t): n for n, t in _named_tensors(root)}
        self._warned = set()

    def input(self, name, value):
        """Nodes for an argument, which may be a tuple, list or dict of tensors."""
        node = self.graph.placeholder(name)
        self._define(value, node)

    def _define(self, value, node):
        if isinstance(value, rl.Tensor):
            self._nodes[id(value)] = node
            self._alive.append(value)
        elif isinstance(value, (tuple, list)):
            for i, item in enumerate(value):
                if _has_tensor(item):
                    self._define(item, self.graph.call_function(operator.getitem, (node, i)))
        elif isinstance(value, dict):
            for key, item in value.items():
                if _has_tensor(item):
                    self._define(item, self.graph.call_function(operator.getitem, (node, key)))

    def __call__(self, function, args, kwargs):
        """Runs a call, and notes it unless it only asks for what is fixed."""
        name = getattr(function, "__name__", "")
        result = function(*args, **kwargs)
        if function is run_scripted:
            self._define(result, self._scripted(*args))
            return result
        attribute = _attribute(function.__self__) if name == "__get__" else None
        if (attribute or name) in _SHAPES and args:
            return self._shape(result, args, attribute is None)
        if name in _COUNTS:
            node = self._nodes.get(id(args[0]))
            return result if node is None else size(result, self.graph.call_method(name, (node,)))
        if attribute is not None and not isinstance(result, rl.Tensor) or name in _PLAIN:
            return result
        if name in _ASK_VALUES:
            self._warn(name, args)
            return result
        if name in ("__set__", "__delete__"):
            raise NotImplementedError(f"trace: setting an attribute of a tensor ({function})")
        node = self._note(function, name, attribute, args, kwargs)
        self._define(result, node)
        return result

    def _scripted(self, module, args, kwargs):
        path = next((p for p, m in self.root.named_modules() if m is module), None)
        if path is None:
            path = f"_scripted{len(self.root._modules)}"
            self.root.add_module(path, module)
        return self.graph.call_module(path, self.argument(args), self.argument(kwargs))

    def _note(self, function, name, attribute, args, kwargs):
        args, kwargs = self.argument(tuple(args)), self.argument(dict(kwargs or {}))
        if attribute is not None:
            return self.graph.call_function(getattr, (args[0], attribute))
        if not isinstance(args[0] if args else None, Node) and hasattr(rl, name):
            function = getattr(rl, name)  # of `1 - x`, a method that a number does not have
        elif rl.overrides.is_tensor_method_or_property(function):
            return self.graph.call_method(name, args, kwargs)
        return self.graph.call_function(function, args, kwargs)

    def argument(self, value):
        """An argument as the graph keeps it."""
        return map_aggregate(value, self._leaf)

    def _leaf(self, value):
        if isinstance(value, Size):  # one kept from an earlier trace is a number now
            return value.node if value.node.graph is self.graph else int(value)
        if not isinstance(value, rl.Tensor):
            return value
        node = self._nodes.get(id(value))
        if node is None:
            node = self.graph.get_attr(self._names.get(id(value)) or self._constant(value))
            self._define(value, node)
        return node

    def _constant(self, tensor):
        if tensor.requires_grad and tensor.grad_fn is not None:
            raise RuntimeError(
                "trace: a tensor that requires grad comes from outside of the traced function; "
                "make it an argument, or detach it"
            )
        number = 0
        while hasattr(self.root, f"_constant{number}"):
            number += 1
        self.root.register_buffer(f"_constant{number}", tensor.detach(), persistent=False)
        return f"_constant{number}"

    def _shape(self, result, args, called):
        tensor = args[0]
        if id(tensor) not in self._nodes:
            return result
        shape = None

        def one(dim, length):
            nonlocal shape
            if shape is None:
                shape = self.graph.call_function(getattr, (self._nodes[id(tensor)], "shape"))
            return size(length, self.graph.call_function(operator.getitem, (shape, dim)))

        if called and len(args) > 1:
            return one(args[1], result)
        return rl.Size([one(dim, length) for dim, length in enumerate(result)])

    def function_node(self, function, args):
        """The node of a computation with sizes."""
        return self.graph.call_function(function, self.argument(args))

    def _warn(self, name, args):
        if args and id(args[0]) in self._nodes and name not in self._warned:
            self._warned.add(name)
            warnings.warn(
                f"Converting a tensor to a Python value ({name}) might cause the trace to be "
                "incorrect: the value is treated as a constant in the future",
                TracerWarning,
                stacklevel=3,
            )


def _attribute(descriptor):
    return getattr(descriptor, "fget", descriptor).__name__  # some are properties in Python


def _has_tensor(value):
    if isinstance(value, (tuple, list)):
        return any(map(_has_tensor, value))
    if isinstance(value, dict):
        return any(map(_has_tensor, value.values()))
    return isinstance(value, rl.Tensor)


def _named_tensors(module):
    yield from module.named_buffers()
    yield from module.named_parameters()
    for prefix, inner in module.named_modules():
        for name, value in vars(inner).items():
            if isinstance(value, rl.Tensor):
                yield (f"{prefix}.{name}" if prefix else name), value


# ---- traced modules ----------------------------------------------------------------------------


_TABLES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")


class TracedModule(ScriptModule):
    """A module that replays a trace.

    Attributes:
        graph: the ops, as an `fx` graph.
        code: them as Python.
    """

    def __init__(self, original_name, program, module=None):
        super().__init__()
        state = self.__dict__
        if module is not None:
            for table in _TABLES:
                state[table] = getattr(module, table)
            state["training"] = module.training
        state["_program"], state["_name"] = program, original_name

    def forward(self, *args, **kwargs):
        return self._program.forward(*args, **kwargs)

    @property
    def graph(self):
        """The ops, as an `fx` graph."""
        return self._program.graph

    inlined_graph = graph

    @property
    def code(self):
        """The ops as Python."""
        return self._program.code

    @property
    def original_name(self):
        """The name of the class that was traced."""
        return self._name

    def extra_repr(self):
        return f"original_name={self._name}"

    def __reduce__(self):
        return _remade, (self._name, self._program, self.training)


def _remade(name, program, training):
    made = TopLevelTracedModule(name, program, program)
    made.__dict__["training"] = training
    return made


class TopLevelTracedModule(TracedModule):
    """What `trace` makes of a module."""


class TracedFunction:
    """What `trace` makes of a function."""

    def __init__(self, name, program):
        self.name = self.__name__ = name
        self._program = program

    def __call__(self, *args, **kwargs):
        return self._program.forward(*args, **kwargs)

    graph = TracedModule.graph
    inlined_graph = TracedModule.graph
    code = TracedModule.code

    def save(self, f, _extra_files=None):
        """Writes a file for `load`."""
        from ._files import save

        save(self, f, _extra_files)


def trace(
    func,
    example_inputs=None,
    optimize=None,
    check_trace=True,
    check_inputs=None,
    check_tolerance=1e-5,
    strict=True,
    _force_outplace=False,
    _module_class=None,
    _compilation_unit=None,
    example_kwarg_inputs=None,
    _store_inputs=True,
):
    """Runs a function or module once, and returns one that replays the ops that ran.

    Python does not run again: conditions keep the branch that they took, loops their number of
    turns. Sizes of inputs may change. Gradients flow as in the function.

    Args:
        func: a function of tensors, or a module.
        example_inputs: a tensor, or a tuple of arguments.
        check_trace: replay the trace, and compare with another run of the function.
        check_inputs: a list of further arguments for this.
        check_tolerance: for comparing.
        strict: refuse dicts and lists as results, whose structure may change. Here they are fixed
            in any case, and accepted.
        example_kwarg_inputs: arguments by name, in place of ``example_inputs``.

    Raises:
        TracingCheckError: if the trace gives other shapes or dtypes than the function.

    Example::

        >>> traced = rl.jit.trace(lambda x: x.view(x.size(0), -1) + 1, rl.zeros(2, 3, 4))
        >>> traced(rl.zeros(5, 2, 2)).shape
        torch.Size([5, 4])
    """
    if isinstance(func, ScriptModule):
        warnings.warn(
            "trace: the function is a ScriptModule, and is returned as it is", stacklevel=2
        )
        return func
    args, kwargs = _example(example_inputs, example_kwarg_inputs)
    name = type(func).__name__ if isinstance(func, Module) else getattr(func, "__name__", "f")
    program = _record(func, func, args, kwargs, name)
    if isinstance(func, Module):
        made = TopLevelTracedModule(name, program, func)
    else:
        made = TracedFunction(name, program)
    if check_trace:
        for inputs in [args, *(_example(given, None)[0] for given in check_inputs or ())]:
            _check(func, made, inputs, kwargs, check_tolerance)
    return made


def _example(inputs, keywords):
    if keywords is not None:
        return (), dict(keywords)
    if isinstance(inputs, (rl.Tensor, dict)):
        return (inputs,), {}
    if inputs is None:
        raise RuntimeError("trace: example_inputs or example_kwarg_inputs must be given")
    for value in (inputs,) if isinstance(inputs, (str, bytes)) else inputs:
        if isinstance(value, (str, bytes)):
            raise RuntimeError(
                f"trace: Type {type(value).__name__} cannot be traced. Only Tensors and (possibly "
                "nested) Lists, Dicts, and Tuples of Tensors can be traced"
            )
    return tuple(inputs), {}


def _record(owner, func, args, kwargs, name):
    """The `GraphModule` of the ops that a call runs."""
    root = owner if isinstance(owner, Module) else Module()
    recorder = _Recorder(_Borrowed(root))
    for position, (argument, value) in enumerate(_named_arguments(func, args, kwargs)):
        recorder.input(argument or f"input_{position}", value)
    tracers.append(recorder)
    try:
        with _interpose.interpose(recorder):
            result = func(*args, **kwargs)
    finally:
        tracers.pop()
    recorder.graph.output(recorder.argument(result))
    made = GraphModule(recorder.root, recorder.graph, name)
    for unused in {*root.state_dict(keep_vars=True)} - {*made.state_dict(keep_vars=True)}:
        made._take(root, unused)  # so that files have the whole state
    return made


class _Borrowed(Module):
    """A module's parameters, buffers and modules, with room for constants of the trace."""

    def __init__(self, module):
        super().__init__()
        state = self.__dict__
        state["training"] = module.training
        state["_parameters"], state["_modules"] = dict(module._parameters), dict(module._modules)
        state["_buffers"] = dict(module._buffers)
        for name, value in vars(module).items():
            if isinstance(value, rl.Tensor):
                state[name] = value


def _named_arguments(func, args, kwargs):
    import inspect

    target = func.forward if isinstance(func, Module) else func
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):  # natively defined
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for i, value in enumerate(args):
        yield (names[i] if i < len(names) else f"input_{i}"), value
    yield from kwargs.items()


def _check(func, traced, args, kwargs, tolerance):
    state = rl.get_rng_state()
    with rl.no_grad():
        expected = func(*args, **kwargs)
        rl.set_rng_state(state)
        got = traced(*args, **kwargs)
    rl.set_rng_state(state)
    for a, b in zip(_tensors(expected), _tensors(got), strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            raise TracingCheckError(
                f"trace: the function gives {a.dtype} of shape {list(a.shape)}, its trace "
                f"{b.dtype} of shape {list(b.shape)}"
            )
        if not rl.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
            warnings.warn(
                "Output of the traced function does not match that of the function: it depends on "
                "values, or is random",
                TracerWarning,
                stacklevel=3,
            )
            return


def _tensors(value):
    from rushlight.utils._pytree import tree_leaves

    return [x for x in tree_leaves(value) if isinstance(x, rl.Tensor)]


def trace_module(
    mod,
    inputs,
    optimize=None,
    check_trace=True,
    check_inputs=None,
    check_tolerance=1e-5,
    strict=True,
    _force_outplace=False,
    _module_class=None,
    _compilation_unit=None,
    example_inputs_is_kwarg=False,
    _store_inputs=True,
):
    """`trace` of several methods of a module: ``inputs`` is {name of a method: arguments}, and
    ``check_inputs`` a list of such.
    """
    programs, name = {}, type(mod).__name__
    for method, example in inputs.items():
        given = (None, example) if example_inputs_is_kwarg else (example, None)
        args, kwargs = _example(*given)
        programs[method] = _record(mod, getattr(mod, method), args, kwargs, name)
        more = [_example(m[method], None)[0] for m in check_inputs or () if method in m]
        for checked in [args, *more] if check_trace else []:
            _check(getattr(mod, method), programs[method], checked, kwargs, check_tolerance)
    made = TopLevelTracedModule(name, programs.get("forward"), mod)
    made.__dict__.update({m: p.forward for m, p in programs.items() if m != "forward"})
    return made
