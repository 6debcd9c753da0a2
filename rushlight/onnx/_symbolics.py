"""Translations that programs bring: `register_custom_op_symbolic`, as the older exporter has it.

A symbolic function is called with a graph whose ``op`` takes ``Kind`` or ``domain::Kind``, values
and attributes with the letter of their type (``axis_i=1``), and with the operator's arguments.
"""

import rushlight as rl

from ._builder import Value

_custom = {}  # name of an operator -> {opset: symbolic function}
_LETTERS = "fist"  # float, int, string, tensor


def register_custom_op_symbolic(symbolic_name, symbolic_fn, opset_version):
    """Says how an operator is exported.

    Args:
        symbolic_name: ``"aten::softplus"``, or the name of a custom operator with its namespace.
        symbolic_fn: ``f(g, *arguments)``; the values that it returns are the results.
        opset_version: the first opset that it is for.
    """
    namespace, colons, name = symbolic_name.partition("::")
    if not (namespace and colons and name):
        raise ValueError(f"expected symbolic_name as domain::name, got {symbolic_name!r}")
    _custom.setdefault(_key(namespace, name), {})[opset_version] = symbolic_fn


def unregister_custom_op_symbolic(symbolic_name, opset_version):
    """Takes back `register_custom_op_symbolic`."""
    namespace, _, name = symbolic_name.partition("::")
    _custom.get(_key(namespace, name), {}).pop(opset_version, None)


def _key(namespace, name):
    return name if namespace in ("aten", "prim") else f"{namespace}::{name}"


def find(name, opset):
    """The symbolic function for an operator in an opset, or None."""
    known = {version: f for version, f in _custom.get(name, {}).items() if version <= opset}
    return known[max(known)] if known else None


def call(symbolic, graph, arguments):
    """The values that a symbolic function gives for arguments in the operator's order."""
    view = _GraphView(graph)
    return symbolic(view, *(view.symbol(argument) for argument in arguments))


class _Symbol(Value):
    """A value that can be asked for the type of the tensor that it stands for."""

    __slots__ = ("_tensor",)

    def type(self):
        """Itself: it answers ``dim``, ``sizes`` and ``scalarType``."""
        return self

    def dim(self):
        """The number of dimensions, or None if it is not known."""
        return None if self._tensor is None else self._tensor.dim()

    def sizes(self):
        """The sizes in the exported run, or None."""
        return None if self._tensor is None else list(self._tensor.shape)

    def scalarType(self):
        """The dtype's old name, ``"Float"``, or None."""
        return None if self._tensor is None else self._tensor.type().split(".")[-1][:-6]


def _symbol(value, tensor=None):
    made = _Symbol(value.name, value.dtype)
    made._tensor = tensor
    return made


class _GraphView:
    """The graph as symbolic functions see it."""

    def __init__(self, graph):
        self._graph, self.opset = graph, graph.opset

    def symbol(self, argument):
        """An argument: tensors as values, anything else as it is."""
        if isinstance(argument, rl.Tensor):
            return _symbol(self._graph.value(argument), argument)
        return argument

    def op(self, name, *inputs, outputs=1, **attributes):
        """Adds a node. Numbers among the inputs get the dtype of the first value."""
        if name in ("Constant", "onnx::Constant") and "value_t" in attributes:
            return _symbol(self._graph.value(attributes["value_t"]), attributes["value_t"])
        dtype = next((x.dtype for x in inputs if isinstance(x, Value) and x.dtype), None)
        values = [x if x is None else self._graph.value(x, _dtype_for(x, dtype)) for x in inputs]
        named = {_without_letter(key): value for key, value in attributes.items()}
        kind = name.removeprefix("onnx::")
        made = self._graph.op(kind, *values, outputs=outputs, dtype=dtype, more=named)
        return _symbol(made) if outputs == 1 else tuple(map(_symbol, made))


def _dtype_for(x, dtype):
    return None if isinstance(x, (Value, rl.Tensor)) else dtype


def _without_letter(key):
    if key[-2:-1] != "_" or key[-1] not in _LETTERS:
        raise ValueError(f"expected an attribute named with the letter of its type, got {key!r}")
    if key[-1] == "t":
        raise NotImplementedError(f"symbolic functions: tensors as attributes ({key})")
    return key[:-2]
