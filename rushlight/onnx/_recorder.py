"""Runs a model while noting its operators as ONNX nodes.

The recorder is an interposer (`rushlight._interpose`): calls that depend on the inputs are
translated, or, if they have no translation but a body, left to run as the calls of that body.
Everything else is computed, and becomes constants where it is used.
"""

import functools

import rushlight as rl
from rushlight import _interpose
from rushlight.jit import _trace
from rushlight.jit._sizes import Size
from rushlight.jit._trace import _ASK_VALUES, _COUNTS, _PLAIN
from rushlight.ops._publish import callables
from rushlight.ops._record import records

from . import _symbolics, _table

_SHAPES = ("shape", "size")
#: attributes of tensors that are tensors, by the method that gives the same
_ATTRIBUTES = {"T": "numpy_T", "mT": "mT", "mH": "mT", "H": "t", "data": "detach", "real": "clone"}
_FIXED = ("new_zeros", "new_ones", "new_full", "new_empty", "zeros_like", "ones_like", "full_like",
          "empty_like", "new_tensor")  # fmt: skip


class Recorder:
    """The handler.

    Args:
        graph: where nodes go.
    """

    def __init__(self, graph):
        self.graph = graph
        self._warned = set()

    def __call__(self, function, args, kwargs):
        """Runs a call, and notes it if it depends on the inputs."""
        name = getattr(function, "__name__", "")
        attribute = _attribute_name(function.__self__) if name == "__get__" else None
        if (attribute or name) in _SHAPES and args and self.graph.tracks(args[0]):
            return self._shape(function(*args, **kwargs), args)
        if attribute is not None:
            return self._attribute(function, attribute, args)
        if name in _COUNTS and self.graph.tracks(args[0]):
            return rl.Size(self.graph.lengths(args[0])).numel()
        if name in _PLAIN or not self._depends(name, args, kwargs):
            return function(*args, **kwargs)
        if name in _ASK_VALUES:
            return self._fixed(function, name, args, kwargs)
        return self._operator(function, name, args, kwargs)

    def _depends(self, name, args, kwargs):
        if name in _FIXED and not self.graph.dynamic:
            return False
        leaves = _leaves((args, kwargs or {}))
        followed = any(
            isinstance(x, Size) or (isinstance(x, rl.Tensor) and self.graph.tracks(x))
            for x in leaves
        )
        return followed or name in _table.RANDOM

    def _shape(self, result, args):
        if len(args) > 1:
            return self.graph.length(args[0], args[1])
        return rl.Size(self.graph.lengths(args[0]))

    def _attribute(self, function, name, args):
        result = function(*args)
        if not isinstance(result, rl.Tensor) or not self.graph.tracks(args[0]):
            return result
        if name not in _ATTRIBUTES or args[0].is_complex():
            raise self.graph.unsupported(f"Tensor.{name}")
        translation = self._brought(None, name, []) or _table.find(_ATTRIBUTES[name])
        value = translation(self.graph, args[0])
        self.graph.define(result, value)
        return result

    def _fixed(self, function, name, args, kwargs):
        result = function(*args, **kwargs)
        if name not in self._warned:
            self._warned.add(name)
            _trace.warnings.warn(
                f"Converting a tensor to a Python value ({name}): the exported model treats the "
                "value as a constant",
                _trace.TracerWarning,
                stacklevel=3,
            )
        return result

    def _operator(self, function, name, args, kwargs):
        in_place = _is_in_place(name)
        known = _overloads().get(function, [])
        shortened = in_place and not name.endswith("__")
        plain = name[:-1] if shortened else name
        translation = self._brought(function, plain, known) or _translation(plain, known)
        if translation is None:
            return self._body(function, name, known, args, kwargs)
        if (kwargs or {}).get("out") is not None:
            raise self.graph.unsupported(name, "out=")
        values = translation(self.graph, *_first(args, kwargs), **_rest(args, kwargs))
        if values is NotImplemented:
            return self._body(function, name, known, args, kwargs)
        result = function(*args, **(kwargs or {}))
        if in_place:
            dtype = args[0].dtype
            known = values.dtype in (None, dtype)
            self.graph.changed(args[0], values if known else self.graph.cast(values, dtype))
        else:
            self._define(result, values)
        return result

    def _brought(self, function, name, known):
        """The translation that a program registered, or None."""
        name = getattr(function, "_qualified_name", _qualified(name, known))
        symbolic = _symbolics.find(name, self.graph.opset)
        if symbolic is None:
            return None

        def translate(graph, *args, **kwargs):
            arguments = dict(enumerate(args))
            if len(known) == 1:
                arguments = _bound(known[0], args, kwargs)
                arguments.pop("inplace", None)  # of layers' functions, not of operators
            return _symbolics.call(symbolic, graph, arguments.values())

        return translate

    def _define(self, result, values):
        if isinstance(result, rl.Tensor):
            self.graph.define(result, values)
            return
        for one, value in zip(result, values, strict=True):
            if isinstance(one, rl.Tensor):
                self.graph.define(one, value)

    def _body(self, function, name, known, args, kwargs):
        """Lets an operator run as those that its body calls; they ask again."""
        if hasattr(function, "__wrapped__"):
            return NotImplemented
        if len(known) == 1 and known[0].reference is not None:
            with _interpose.interpose(self):
                return known[0].reference(**_bound(known[0], args, kwargs or {}))
        if known and all(record.native_name is None for record in known):
            return NotImplemented
        raise self.graph.unsupported(_qualified(name, known))


def _attribute_name(descriptor):
    return descriptor.fget.__name__ if isinstance(descriptor, property) else descriptor.__name__


#: spellings of arguments that translations know by another
_SPELLINGS = {"axis": "dim", "keepdims": "keepdim"}
_SUBJECTS = ("self", "input", "tensors")


def _first(args, kwargs):
    """Positional arguments, with the subject in front if it was given by name."""
    if args:
        return args
    return [kwargs[name] for name in _SUBJECTS if name in (kwargs or {})]


def _rest(args, kwargs):
    """Arguments by name, as translations spell them."""
    left = _SUBJECTS if not args else ()
    return {_SPELLINGS.get(k, k): v for k, v in (kwargs or {}).items() if k not in left}


def _is_in_place(name):
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


@functools.cache
def _overloads():
    """{function or method: its records}."""
    found = {}
    for record in records.values():
        for form in callables(record):
            found.setdefault(form, []).append(record)
    return found


_PLAIN_SPACES = {"torch", "Tensor", "nn.functional", "internal"}


def _qualified(name, known):
    """`linalg.norm` is not `norm`."""
    spaces = known[0].at if known else ()
    return name if not spaces or _PLAIN_SPACES.intersection(spaces) else f"{spaces[0]}.{name}"


def _translation(name, known):
    own = _table.find(known[0].name) if len(known) == 1 else None
    return own or _table.find(_qualified(name, known))


def _bound(record, args, kwargs):
    """The arguments of a body by name."""
    names = [name for name in record.arg_names if name != "out"]
    if len(args) > len(names):  # sizes one by one
        last = len(names) - 1
        args = (*args[:last], tuple(args[last:]))
    given = {_SPELLINGS.get(k, k): v for k, v in kwargs.items()}
    given = {names[0] if k in ("input", "self") else k: v for k, v in given.items()}
    given = {**record.defaults, **dict(zip(names, args)), **given}
    in_order = {name: given.pop(name) for name in names if name in given}
    given.pop("out", None)
    return {**in_order, **given}


def _leaves(value):
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        yield from _leaves(list(value.values()))
    elif isinstance(value, slice):
        yield from (value.start, value.stop, value.step)
    else:
        yield value
