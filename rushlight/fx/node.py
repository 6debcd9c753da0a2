"""`Node`: one step of a graph, with what it takes and what uses it.

Where nodes are in the graph, and how they become code, is in graph.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import rushlight as rl

from .immutable_collections import immutable_dict, immutable_list

__all__ = ["Node", "has_side_effect", "map_aggregate", "map_arg"]

OPS = ("placeholder", "call_method", "call_module", "call_function", "get_attr", "output", "root")
_side_effects = {rl._assert}  # nothing uses the result, and yet it is to run

# ---- types, for annotations
Target = Callable[..., Any] | str
base_types = (
    str, int, float, bool, complex, rl.dtype, rl.Tensor, rl.device, rl.memory_format, rl.layout,
    rl.SymInt, rl.SymBool, rl.SymFloat,
)  # fmt: skip
BaseArgumentTypes = Union[base_types]  # noqa: UP007
Argument = Union[  # noqa: UP007
    tuple["Argument", ...], Sequence["Argument"], Mapping[str, "Argument"], slice, range, "Node",
    BaseArgumentTypes, None,
]  # fmt: skip


def has_side_effect(fn):
    """Decorator: calls of a function stay in the graph even if nothing uses their result."""
    _side_effects.add(fn)
    return fn


def map_aggregate(a, fn):
    """`fn` of every leaf in tuples, lists, dicts and slices; lists and dicts become immutable."""
    if isinstance(a, tuple):
        made = tuple([map_aggregate(x, fn) for x in a])
        return type(a)(*made) if hasattr(a, "_fields") else made
    if isinstance(a, list):
        return immutable_list([map_aggregate(x, fn) for x in a])
    if isinstance(a, dict):
        return immutable_dict((key, map_aggregate(x, fn)) for key, x in a.items())
    if isinstance(a, slice):
        return slice(*[map_aggregate(x, fn) for x in (a.start, a.stop, a.step)])
    return fn(a)


def map_arg(a, fn):
    """`fn` of every node in an argument."""
    return map_aggregate(a, lambda x: fn(x) if isinstance(x, Node) else x)


class Node:
    """One step of a graph.

    Attributes:
        op: "placeholder" (an argument of the graph), "get_attr" (a parameter or buffer),
            "call_function", "call_method", "call_module" or "output".
        target: the function, or the name of the argument, attribute, method or module.
        args, kwargs: what it is called with; nodes stand for their results.
        users: the nodes that take this one.
        meta: notes of passes over the graph.
    """

    def __init__(self, graph, name, op, target, args, kwargs, return_type=None):
        if op not in OPS:
            raise AssertionError(f"Node: unknown op {op!r}; expected one of {OPS}")
        if op == "call_function" and not callable(target):
            raise ValueError(f"Node: expected a function as target of call_function, got {target}")
        self.graph, self.name, self.op, self.target = graph, name, op, target
        self.type, self.meta, self.users = return_type, {}, {}
        self._input_nodes, self._erased = {}, False
        self._next = self._prev = self
        self._set_inputs(args, kwargs)

    @property
    def stack_trace(self):
        """Where the program made it, as text, if ``meta`` says so."""
        return self.meta.get("stack_trace")

    @stack_trace.setter
    def stack_trace(self, text):
        self.meta["stack_trace"] = text

    # ---- arguments -------------------------------------------------------------------------

    def _set_inputs(self, args, kwargs):
        for old in self._input_nodes:
            old.users.pop(self, None)
        self._args = map_aggregate(tuple(args), lambda x: x)
        self._kwargs = map_aggregate(dict(kwargs), lambda x: x)
        self._input_nodes = {}
        map_arg((self._args, self._kwargs), lambda n: self._input_nodes.setdefault(n))
        for node in self._input_nodes:
            node.users.setdefault(self)

    @property
    def args(self):
        """The positional arguments."""
        return self._args

    @args.setter
    def args(self, args):
        self._set_inputs(args, self._kwargs)

    @property
    def kwargs(self):
        """The keyword arguments."""
        return self._kwargs

    @kwargs.setter
    def kwargs(self, kwargs):
        self._set_inputs(self._args, kwargs)

    @property
    def all_input_nodes(self):
        """The nodes among the arguments, each once."""
        return list(self._input_nodes)

    def update_arg(self, idx, arg):
        """Replaces a positional argument."""
        args = list(self._args)
        args[idx] = arg
        self.args = tuple(args)

    def insert_arg(self, idx, arg):
        """Adds a positional argument before the one at ``idx``."""
        self.args = (*self._args[:idx], arg, *self._args[idx:])

    def update_kwarg(self, key, arg):
        """Replaces a keyword argument."""
        self.kwargs = {**self._kwargs, key: arg}

    def replace_input_with(self, old_input, new_input):
        """Takes one node in place of another."""
        self._swap(lambda n: new_input if n is old_input else n)

    def _swap(self, fn):
        self._set_inputs(map_arg(self._args, fn), map_arg(self._kwargs, fn))

    def replace_all_uses_with(
        self, replace_with, delete_user_cb=lambda user: True, *, propagate_meta=False
    ):
        """Lets the users of this node take another; the users that were changed."""
        if propagate_meta:
            replace_with.meta.update(self.meta)
        changed = [user for user in list(self.users) if delete_user_cb(user)]
        for user in changed:
            user.replace_input_with(self, replace_with)
        return changed

    # ---- the order of the graph ------------------------------------------------------------

    @property
    def next(self):
        """The node after this one."""
        return self._next

    @property
    def prev(self):
        """The node before this one."""
        return self._prev

    def prepend(self, x):
        """Moves a node to the place before this one."""
        if x is self:
            return
        x._remove_from_list()
        before = self._prev
        before._next, x._prev, x._next, self._prev = x, before, self, x

    def append(self, x):
        """Moves a node to the place after this one."""
        self._next.prepend(x)

    def _remove_from_list(self):
        self._prev._next, self._next._prev = self._next, self._prev
        self._next = self._prev = self

    def __lt__(self, other):
        order = {node: i for i, node in enumerate(self.graph.nodes)}
        return order[self] < order[other]

    # ---- questions -------------------------------------------------------------------------

    def is_impure(self, impure_random=True):
        """Does it matter even if nothing uses its result?"""
        if self.op in ("placeholder", "output"):
            return True
        if self.op == "call_function":
            name = getattr(self.target, "__name__", "")
            changes = name.endswith("_") and not name.endswith("__")
            return changes or self.target in _side_effects or name == "__setitem__"
        if self.op == "call_method":
            return self.target.endswith("_") and not self.target.endswith("__")
        if self.op == "call_module":
            module = self.graph.owning_module.get_submodule(self.target)
            return getattr(module, "_is_impure", False)
        return False

    def format_node(self, placeholder_names=None, maybe_return_typename=None):
        """A line that shows the node."""
        if self.op == "output":
            return f"return {self.args[0]}"
        from ._code import target_name, type_name

        kind = type_name(self.type)
        start = f"%{self.name} : {kind}{' ' * bool(kind)}[num_users={len(self.users)}]"
        if self.op == "placeholder":
            default = f"(default={self.args[0]!r})" if self.args else ""
            return f"{start} = placeholder[target={self.target}]{default}"
        kind = f"{start} = {self.op}"
        if self.op == "get_attr":
            return f"{kind}[target={self.target}]"
        arguments = f"args = {_shown(self._args)}, kwargs = {_shown(self._kwargs)}"
        return f"{kind}[target={target_name(self)}]({arguments})"

    def __repr__(self):
        return self.name


def _shown(value):
    """An argument as `format_node` writes it."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_shown(x)}' for key, x in value.items())}}}"
    return f"%{value.name}" if isinstance(value, Node) else str(value)
