"""Which function computes an op on sparse tensors: the table, and the handler that reads it.

`handles(name, ...)` registers a function under public op names. In-place forms and ``out=`` of
every registered op follow from it. What is not in the table is computed by the op's composite
body, if it has one, and else refused.
"""

from types import FunctionType

import rushlight as rl
from rushlight._interpose import SPARSE_KINDS, register_kind
from rushlight.ops._publish import namespaces
from rushlight.sparse._layout import COO, assign, is_sparse, kind_of, parts_of
from rushlight.sparse._masked import masked

_table = {}


def handles(*names):
    """Decorator: computes the ops (or attribute getters) of these names."""

    def add(function):
        for name in names:
            _table[name] = function
        return function

    return add


def _sparse_handler(function, args, kwargs):
    if type(function) is FunctionType and function.__module__.startswith("rushlight.sparse"):
        return NotImplemented  # what this package offers takes sparse tensors itself
    name = getattr(function, "__name__", None)
    if namespaces["masked"].get(name) is function:
        return masked(function, args, kwargs)
    if name == "__get__":
        name = function  # of which attribute?
    handler = _table.get(name)
    if handler is None:
        handler = _inplace(name)
    if handler is None:
        return NotImplemented
    if not kwargs:
        return handler(*args)
    for first in ("input", "self"):
        if first in kwargs:
            kwargs = dict(kwargs)
            args = (kwargs.pop(first), *args)
    out = kwargs.get("out")
    if out is None:
        kwargs.pop("out", None)
        return handler(*args, **kwargs)
    rest = {k: v for k, v in kwargs.items() if k != "out"}
    return _deliver(out, handler(*args, **rest))


def _deliver(out, result):
    if is_sparse(out):
        return assign(out, result)
    if is_sparse(result):
        raise RuntimeError(f"expected out= to be of layout {result.layout}, got {out.layout}")
    return out.resize_(result.shape).copy_(result)


def _inplace(name):
    if not isinstance(name, str) or not name.endswith("_") or name.endswith("__"):
        return None
    handler = _table.get(name[:-1])
    if handler is None:
        return None

    def change(self, *args, **kwargs):
        if not is_sparse(self):
            raise NotImplementedError(f"{name}: a strided tensor cannot take a sparse result")
        if handler in unary_functions and kind_of(self) == COO and not parts_of(self).coalesced:
            raise RuntimeError(f"{name} requires coalesced input")
        return assign(self, handler(self, *args, **kwargs))

    return change


unary_functions = set()  # handlers of functions of each value


def require_same_dtype(op, a, b):
    """RuntimeError unless the dtypes agree."""
    if a.dtype != b.dtype:
        raise RuntimeError(f"{op}(): expected both operands of one dtype, got {a.dtype}, {b.dtype}")


def refuse(op, *tensors):
    """NotImplementedError that names op and layouts."""
    layouts = ", ".join(str(t.layout) for t in tensors if isinstance(t, rl.Tensor))
    raise NotImplementedError(f"{op}(): not implemented for layouts {layouts}")


def install():
    """Registers the handler for the five sparse layouts."""
    for kind, name in enumerate(SPARSE_KINDS, 1):
        register_kind(name, _sparse_handler, kind)
