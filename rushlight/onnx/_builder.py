"""The ONNX graph while it grows: nodes, constants, casts and sizes.

`Graph` is what translations are given. It knows tensors by their identity; how calls come here is
in `_recorder.py`, and what becomes of the graph in `_export.py`.
"""

import operator

import rushlight as rl
from rushlight.jit._sizes import Size, size

from . import errors

#: dtype -> its number in onnx.TensorProto
TYPES = {
    rl.float32: 1, rl.uint8: 2, rl.int8: 3, rl.uint16: 4, rl.int16: 5, rl.int32: 6, rl.int64: 7,
    rl.bool: 9, rl.float16: 10, rl.float64: 11, rl.uint32: 12, rl.uint64: 13, rl.complex64: 14,
    rl.complex128: 15, rl.bfloat16: 16,
}  # fmt: skip


class Value:
    """A value of the graph: its name, and its dtype where that is known."""

    __slots__ = ("name", "dtype")

    def __init__(self, name, dtype=None):
        self.name, self.dtype = name, dtype

    def __repr__(self):
        return self.name


class Node:
    """A node: an operator of ONNX, names of inputs and outputs, attributes."""

    __slots__ = ("kind", "inputs", "outputs", "attributes")

    def __init__(self, kind, inputs, outputs, attributes):
        self.kind, self.inputs, self.outputs, self.attributes = kind, inputs, outputs, attributes


class Graph:
    """Nodes in order, and constants by name.

    Args:
        opset: the version of ONNX's operators.
        dynamic: are sizes of inputs to be followed, or fixed?
        names: {id of a tensor: name} of the model's tensors.
    """

    def __init__(self, opset, dynamic, names):
        self.opset, self.dynamic = opset, dynamic
        self.nodes, self.constants = [], {}  # constants: name -> tensor
        self._names, self._count = names, 0
        self._values = {}  # id of a tensor -> Value, or why it cannot be used
        self._alive = []  # keeps those tensors, so that ids stay theirs
        self._numbers, self._shapes = {}, {}
        self._storages = {}  # address of memory -> ids of tensors in it

    # ---- tensors -------------------------------------------------------------------------------

    def define(self, tensor, value):
        """From now on a tensor has this value."""
        value = value if value.dtype is tensor.dtype else Value(value.name, tensor.dtype)
        self._values[id(tensor)] = value
        self._alive.append(tensor)
        self._shapes.pop(id(tensor), None)
        if tensor.layout is rl.strided and tensor.device.type != "meta":
            memory = tensor.untyped_storage().data_ptr()
            self._storages.setdefault(memory, set()).add(id(tensor))

    def changed(self, tensor, value):
        """A tensor was changed in place: others in the same memory can no longer be used."""
        self.define(tensor, value)
        memory = tensor.untyped_storage().data_ptr()
        for other in self._storages.get(memory, set()) - {id(tensor)} if memory else ():
            self._values[other] = None

    def tracks(self, tensor):
        """Does a tensor depend on the inputs?"""
        return id(tensor) in self._values

    def value(self, x, dtype=None):
        """The value of a tensor, a size or a number (of `dtype`); cast if it is of another."""
        if isinstance(x, rl.Tensor):
            x = self._of_tensor(x)
        elif isinstance(x, Size):
            x = Value(x.node.name, rl.int64)
        elif not isinstance(x, Value):
            return self.constant(x, dtype)
        return x if dtype is None or x.dtype is dtype else self.cast(x, dtype)

    def _of_tensor(self, tensor):
        if id(tensor) not in self._values:
            return self._keep(tensor)
        value = self._values[id(tensor)]
        if value is None:
            raise errors.OnnxExporterError(
                "export: a tensor is used after another one in the same memory (a view of it, or "
                "what it is a view of) was changed in place; write the change out of place"
            )
        return value

    def _keep(self, tensor):
        """A constant: a parameter, a buffer, or a tensor that depends on no input."""
        known = self._numbers.get(id(tensor))
        if known is None:
            name = self._names.get(id(tensor)) or self.fresh("constant")
            self.constants[name] = tensor.detach()
            self._alive.append(tensor)
            known = self._numbers[id(tensor)] = Value(name, tensor.dtype)
        return known

    def constant(self, number, dtype):
        """A number, or a list of numbers, as a constant."""
        key = (tuple(number) if isinstance(number, (list, tuple)) else number, dtype, str(number))
        if key not in self._numbers:
            self._numbers[key] = self._keep(rl.tensor(number, dtype=dtype))
        return self._numbers[key]

    # ---- nodes ---------------------------------------------------------------------------------

    def fresh(self, stem):
        """A name that is not taken."""
        self._count += 1
        return f"{stem}_{self._count}"

    def op(self, kind, *inputs, outputs=1, dtype=None, more=None, **attributes):
        """Adds a node; its value, or a tuple of them. Absent inputs are None. Attributes whose
        names are taken here come in `more`.
        """
        names = [self.value(x).name if x is not None else "" for x in inputs]
        while names and not names[-1]:
            names.pop()
        made = [Value(self.fresh(kind.lower().replace("::", "_")), dtype) for _ in range(outputs)]
        attributes = {k: v for k, v in {**attributes, **(more or {})}.items() if v is not None}
        self.nodes.append(Node(kind, names, [v.name for v in made], attributes))
        return made[0] if outputs == 1 else tuple(made)

    def cast(self, x, dtype):
        """A value in another dtype."""
        if dtype not in TYPES:
            raise NotImplementedError(f"export: ONNX tensors of {dtype}")
        return self.op("Cast", x, to=TYPES[dtype], dtype=dtype)

    def floating(self, x):
        """A tensor's value, integers as the default float."""
        return self.value(x, x.dtype if x.is_floating_point() else rl.get_default_dtype())

    def unsupported(self, name, reason=None, since=None):
        """The error for a call that cannot be said in ONNX."""
        return errors.UnsupportedOperatorError(name, self.opset, since, reason)

    # ---- sizes ---------------------------------------------------------------------------------

    def ints(self, sizes):
        """A list of numbers and sizes as a vector of int64."""
        sizes = [sizes] if isinstance(sizes, int) else list(sizes)
        if not any(isinstance(s, (Size, rl.Tensor, Value)) for s in sizes):
            return self.constant([int(s) for s in sizes], rl.int64)
        parts = [
            self.op("Unsqueeze", self.value(s, rl.int64), self.ints([0]))
            if isinstance(s, (Size, rl.Tensor, Value))
            else self.ints([s])
            for s in sizes
        ]
        return parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)

    def length(self, tensor, dim):
        """The size of a dimension: a number that follows the inputs if they may differ."""
        number = tensor.shape[dim]
        if not self.dynamic or not self.tracks(tensor):
            return number
        return size(number, self.op("Gather", self.shape(tensor), self.constant(
            dim % tensor.dim(), rl.int64), axis=0, dtype=rl.int64))  # fmt: skip

    def shape(self, tensor):
        """A tensor's shape, as a vector of int64."""
        if not self.dynamic or not self.tracks(tensor):
            return self.ints([int(n) for n in tensor.shape])
        if id(tensor) not in self._shapes:
            self._shapes[id(tensor)] = self.op("Shape", tensor, dtype=rl.int64)
        return self._shapes[id(tensor)]

    def lengths(self, tensor):
        """All sizes of a tensor."""
        return [self.length(tensor, dim) for dim in range(tensor.dim())]

    def function_node(self, function, args):
        """What `Size` calls for arithmetic with sizes."""
        a, b = (self.value(x, rl.int64) for x in args)
        if function is operator.floordiv:
            exact = self.op("Sub", a, self.op("Mod", a, b))
            return self.op("Div", exact, b, dtype=rl.int64)
        kind = {operator.add: "Add", operator.sub: "Sub", operator.mul: "Mul", operator.mod: "Mod"}
        return self.op(kind[function], a, b, dtype=rl.int64)
