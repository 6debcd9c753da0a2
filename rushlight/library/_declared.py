"""PyTorch's declarations of its ops, and which of them a call with an op's record is.

The declarations are in `aten_schemas.txt`, which `tools/aten_schemas.py` writes; they are read when
one is asked for.
"""

from pathlib import Path

import rushlight as rl
from rushlight.library._schema import Schema

#: ops whose Python forms take a tensor only, so that a number becomes one: ``add.Tensor(x, 1)``
_WRAP_NUMBERS = ("add", "sub", "mul", "div", "floor_divide", "true_divide", "subtract", "multiply")


def _read_names():
    lines = {}
    for line in (Path(__file__).parent / "aten_schemas.txt").read_text().splitlines():
        text = line.removeprefix("*")
        name, _, overload = text[: text.index("(")].partition(".")
        lines.setdefault(name, {})[overload or "default"] = (text, text is not line)
    return lines


_lines = _read_names()
_schemas = {}


def overloads(name):
    """The names of an op's overloads, in the order in which they are tried; none: undeclared."""
    return list(_lines.get(name, ()))


def schema(name, overload):
    """The schema of an overload."""
    key = name, overload
    if key not in _schemas:
        _schemas[key] = Schema("aten::" + _lines[name][overload][0])
    return _schemas[key]


def is_composition(name, overload):
    """Does PyTorch put it together from other ops, above its kernels?"""
    return _lines[name][overload][1]


def find(name, record, values, changes=False):
    """The overload that a call is, with its arguments as PyTorch writes them, or None.

    Args:
        name: the op's, with an underscore for a call in place.
        record: of the op that is called; `values` are its arguments in order.
    """
    names, same = record.arg_names, defaulted(record, values)
    given = {name for i, name in enumerate(names) if i not in same}
    named = dict(zip(names, values))
    candidates = [o for o in overloads(name) if not is_composition(name, o)]
    for wrap, fill in ((name.rstrip("_") in _WRAP_NUMBERS, False), (True, True)):
        for overload in candidates:
            found = _fit(schema(name, overload), names, named, given, wrap, fill)
            if found is not None:
                return overload, *found
    return None


def defaulted(record, values):
    """The numbers of arguments that have their defaults."""
    same, defaults = set(), record.defaults
    for i, value in enumerate(values):
        default = defaults.get(record.arg_names[i], _required)
        if value is default or (
            type(value) is type(default) and _plain(value) and value == default
        ):
            same.add(i)
    return same


_required = object()


def _plain(value):
    return isinstance(value, (int, float, str, bool, tuple, list)) and not isinstance(
        value, rl.Tensor
    )


def _fit(declared, names, named, given, wrap, fill):
    """Arguments of the declared op from those of a record; None: it is another one."""
    taken, found = set(), {}
    theirs = [a.name for a in declared.arguments]
    for place, argument in enumerate(declared.arguments):
        source = argument.name
        if source not in named:  # told by its place, where the name is a different one
            source = names[place] if place < len(names) and names[place] not in theirs else None
        if source is None or (source not in given and (argument.has_default_value() or not fill)):
            if not argument.has_default_value():
                return None
            continue
        value = converted(argument.type, named[source], wrap)
        if value is _required:
            return None
        taken.add(source)
        found[argument.name] = value
    if given - taken - {"requires_grad", "pin_memory"}:
        return None
    return trimmed(declared, found)


def trimmed(declared, found):
    """Positional and keyword arguments, without those at the end that have their defaults."""
    args, kwargs = [], {}
    positional = [a for a in declared.arguments if not a.kwarg_only]
    while positional and positional[-1].has_default_value():
        last = positional[-1]
        default = converted(last.type, last.default_value, False)
        if last.name in found and not _equal(found[last.name], default):
            break
        positional.pop()
    for argument in positional:
        args.append(found.get(argument.name, argument.default_value))
    for argument in declared.arguments:
        value = found.get(argument.name)
        if argument.kwarg_only and argument.name in found:
            if not _equal(value, argument.default_value):
                kwargs[argument.name] = value
    return args, kwargs


def written(declared, args, kwargs):
    """The same of arguments that are in the declared order."""
    names = [a.name for a in declared.arguments]
    found = dict(zip(names, args)) | kwargs
    for argument in declared.arguments:
        if argument.name in found and argument.type.rstrip("?").endswith("]"):
            found[argument.name] = converted(argument.type, found[argument.name], False)
    return trimmed(declared, found)


def completed(declared, record, args, kwargs):
    """With PyTorch's defaults of what the record has none for."""
    args = list(args)
    ours, defaults = record.arg_names, record.defaults
    positional = [a for a in declared.arguments if not a.kwarg_only]
    for place, argument in enumerate(positional[len(args) :], len(args)):
        if place >= len(ours) or argument.name in kwargs or not argument.has_default_value():
            break
        if ours[place] in defaults:
            break
        args.append(argument.default_value)
    return args


def _equal(value, default):
    if value is default:
        return True
    return _plain(value) and _plain(default) and value == default


def converted(kind, value, wrap):
    """The value as an argument of a type; `_required`: it is none."""
    if kind.endswith("?"):
        return None if value is None else converted(kind[:-1], value, wrap)
    if kind.endswith("]"):
        return _converted_list(kind, value, wrap)
    if kind == "Tensor":
        is_number = isinstance(value, (int, float, complex))
        return value if isinstance(value, rl.Tensor) or (wrap and is_number) else _required
    test = _TESTS.get(kind)
    return value if test is None or test(value) else _required


def _converted_list(kind, value, wrap):
    inner, _, count = kind[:-1].rpartition("[")
    if _is_int(value) and inner in ("int", "SymInt"):
        value = [value] * int(count or 1)
    if not isinstance(value, (tuple, list)):
        return _required
    made = [converted(inner, v, wrap) for v in value]
    return _required if any(v is _required for v in made) else made


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


_TESTS = {
    "int": _is_int,
    "SymInt": _is_int,
    "float": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "bool": lambda v: isinstance(v, bool),
    "str": lambda v: isinstance(v, str),
    "Scalar": lambda v: isinstance(v, (int, float, complex)) and not isinstance(v, rl.Tensor),
    "ScalarType": lambda v: isinstance(v, rl.dtype),
}


def placed(declared, args, kwargs):
    """Arguments that were given by PyTorch's names, by their places."""
    kwargs, args = dict(kwargs), list(args)
    for argument in [a for a in declared.arguments if not a.kwarg_only][len(args) :]:
        if argument.name not in kwargs:
            break
        args.append(kwargs.pop(argument.name))
    return args, kwargs
