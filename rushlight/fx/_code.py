"""The Python text of a graph: names of functions, arguments as literals, operators as operators.

`graph.py` asks `write` for the text; an operator or constant with a spelling of its own is an entry
in a table here.
"""

import builtins
import enum
import keyword
import operator
import re

import rushlight as rl

from .node import Node

_BINARY = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@", "lshift": "<<", "rshift": ">>", "and_": "&", "or_": "|", "xor": "^", "eq": "==",
    "ne": "!=", "lt": "<", "gt": ">", "le": "<=", "ge": ">=",
}  # fmt: skip
MAGIC = {getattr(operator, name): f"{{}} {sign} {{}}" for name, sign in _BINARY.items()}
IN_PLACE = {
    getattr(operator, f"i{name.strip('_')}"): f"{sign}="
    for name, sign in _BINARY.items()
    if hasattr(operator, f"i{name.strip('_')}")
}
MAGIC[operator.getitem] = "{}[{}]"
MAGIC.update({operator.neg: "-{}", operator.pos: "+{}", operator.invert: "~{}"})


def qualified_name(function):
    """Where a function is found by name: ``torch.nn.functional.relu``; None if nowhere."""
    known = rl.overrides.resolve_name(function)
    if known is not None and not known.startswith("torch.Tensor."):
        return known
    if known is not None:
        return known.removesuffix(".__get__")
    name, module = getattr(function, "__name__", None), getattr(function, "__module__", None)
    if name is None or name == "<lambda>":
        return None
    if getattr(builtins, name, None) is function:
        return name
    module = {"_operator": "operator", "rushlight._native": "torch"}.get(module, module)
    qualified = getattr(function, "__qualname__", name)
    if module is None or "<locals>" in qualified:
        return None
    if module.split(".")[0] != "rushlight":
        return f"{module}.{qualified}"
    if getattr(rl, name, None) is function:
        return f"torch.{name}"
    return f"torch{module.removeprefix('rushlight')}.{qualified}"


def target_name(node):
    """What a node calls, as text."""
    if node.op != "call_function":
        return node.target
    return qualified_name(node.target) or getattr(node.target, "__name__", repr(node.target))


class Namespace:
    """Names that are taken in a graph's code, and objects that the code needs by a name."""

    def __init__(self):
        self.taken, self.objects = {}, {}

    def new(self, candidate, obj=None):
        """A name like the candidate that nothing else has."""
        name = re.sub(r"[^0-9a-zA-Z_]+", "_", candidate) or "_"
        name = f"_{name}" if name[0].isdigit() else name
        base, number = name, 0
        match = re.match(r"(.*)_(\d+)$", name)
        if match and name in self.taken:
            base, number = match.group(1), int(match.group(2))
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            number += 1
            name = f"{base}_{number}"
        self.taken[name] = obj
        return name

    def refer(self, name, obj):
        """The name by which the code reaches an object: its own where that leads to it."""
        path = name.split(".")
        if path[0] in ("torch", "operator", "math"):
            top = {"torch": rl, "operator": operator}.get(path[0]) or __import__("math")
            if _follow(top, path[1:]) == obj:
                self.objects[path[0]] = top
                return name
        if len(path) == 1 and getattr(builtins, name, None) is obj:
            return name
        wanted = re.sub(r"[^0-9a-zA-Z_]+", "_", name)
        while wanted in self.objects and self.objects[wanted] is not obj:
            wanted += "_"
        self.objects[wanted] = obj
        return wanted


def _follow(obj, path):
    try:
        for part in path:
            obj = getattr(obj, part)
    except AttributeError:
        return None
    return obj


def literal(value, names):
    """An argument as text."""
    if isinstance(value, Node):
        return value.name
    if isinstance(value, rl.Size) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        kind = names.refer(qualified_name(type(value)) or "Size", type(value))
        items = ", ".join(literal(x, names) for x in value)
        return f"{kind}({items})" if hasattr(value, "_fields") else f"{kind}([{items}])"
    if isinstance(value, tuple):
        items = ", ".join(literal(x, names) for x in value)
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, list):
        return f"[{', '.join(literal(x, names) for x in value)}]"
    if isinstance(value, dict):
        pairs = (f"{literal(k, names)}: {literal(v, names)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, slice):
        parts = (literal(x, names) for x in (value.start, value.stop, value.step))
        return f"slice({', '.join(parts)})"
    return _constant(value, names)


def _constant(value, names):
    if isinstance(value, float) and repr(value) in ("inf", "-inf", "nan"):
        return f"float('{value!r}')"
    if value is None or value is ... or type(value) in (bool, int, float, complex, str, bytes):
        return "..." if value is ... else repr(value)
    if isinstance(value, enum.Enum):
        kind = type(value)
        return f"{names.refer(qualified_name(kind), kind)}.{value.name}"
    if isinstance(value, (rl.dtype, rl.layout, rl.memory_format)):
        return names.refer(repr(value), value)
    if isinstance(value, rl.device):
        return f"{names.refer('torch.device', rl.device)}({str(value)!r})"
    if callable(value) and qualified_name(value):
        return names.refer(qualified_name(value), value)
    return names.refer(f"_constant_{type(value).__name__}_{len(names.objects)}", value)


def _call(node, names):
    args = [literal(x, names) for x in node.args]
    kwargs = [f"{key} = {literal(x, names)}" for key, x in node.kwargs.items()]
    if node.op == "call_function":
        if node.target in MAGIC and not kwargs:
            return MAGIC[node.target].format(*args)
        if node.target is getattr and len(args) == 2 and str(node.args[1]).isidentifier():
            return f"{args[0]}.{node.args[1]}"
        called = names.refer(target_name(node), node.target)
    elif node.op == "call_method":
        called = f"{args.pop(0)}.{node.target}"
    else:
        called = attribute_path("self", node.target)
    return f"{called}({', '.join([*args, *kwargs])})"


def attribute_path(start, target):
    """``self.layers.0.weight`` as Python: ``getattr(self.layers, "0").weight``."""
    for part in target.split("."):
        start = f"{start}.{part}" if part.isidentifier() else f'getattr({start}, "{part}")'
    return start


def type_name(kind):
    """An annotation as text: of a class that has a public name; "" for others."""
    name = (qualified_name(kind) or "") if isinstance(kind, type) else ""
    return name.replace("rushlight.", "torch.", 1) if name.startswith("rushlight.") else name


def _parameter(node, names):
    kind = type_name(node.type)
    of_type = f" : {names.refer(kind, node.type)}" if kind else ""
    default = f" = {node.args[0]!r}" if node.args else ""
    return node.target + of_type + default


def write(graph, names):
    """The text of ``forward``; `names` collects what it refers to."""
    last_use = {}
    for node in graph.nodes:
        for used in node.all_input_nodes:
            last_use[used] = node
    parameters, lines = ["self"], []
    for node in graph.nodes:
        if node.op == "placeholder":
            parameters.append(_parameter(node, names))
            bare = node.target.lstrip("*")
            line = f"{node.name} = {bare}" if bare != node.name else None
        elif node.op == "output":
            line = f"return {literal(node.args[0], names)}"
        elif node.op == "get_attr":
            line = f"{node.name} = {attribute_path('self', node.target)}"
        else:
            line = _in_place(node, names) or f"{node.name} = {_call(node, names)}"
        done = [n for n in dict.fromkeys([*node.all_input_nodes, node]) if _over(n, node, last_use)]
        if line is not None:
            tail = "" if node.op == "output" or not done else _forget(done)
            lines.append(line + tail)
    body = "\n".join(f"    {line}" for line in lines) or "    pass"
    return f"def forward({', '.join(parameters)}):\n{body}\n"


def _in_place(node, names):
    """``a += b``, which gives the name a new value where the old one cannot be changed."""
    if node.op != "call_function" or node.target not in IN_PLACE or len(node.args) != 2:
        return None
    left, right = node.args
    if not isinstance(left, Node):
        return None
    sign = IN_PLACE[node.target]
    return f"{left.name} {sign} {literal(right, names)};  {node.name} = {left.name}"


def _over(value, node, last_use):
    return last_use.get(value) is node or (value is node and not value.users)


def _forget(nodes):
    """Names that are not used again let go of their values."""
    return ";  " + " = ".join(node.name for node in nodes) + " = None"
