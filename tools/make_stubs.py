"""Writes the type stubs (.pyi) of the namespaces that op records fill; the install step runs it.

    python tools/make_stubs.py OUTPUT_PACKAGE [PACKAGE NATIVE_MODULE]

Records give functions and methods with types. Other public names are re-exported from the module
that defines them, or are ``Any``. To give another module a stub, add it to `_MODULES`.
"""

import importlib.util
import keyword
import pathlib
import sys

#: namespace of the records -> (stub file, module)
_MODULES = {
    "nn.functional": ("nn/functional.pyi", "rushlight.nn.functional"),
    "linalg": ("linalg.pyi", "rushlight.linalg"),
    "special": ("special.pyi", "rushlight.special"),
    "fft": ("fft.pyi", "rushlight.fft"),
    "masked": ("masked/__init__.pyi", "rushlight.masked"),
    "signal.windows": ("signal/windows.pyi", "rushlight.signal.windows"),
}
_HEAD = '''"""Written by tools/make_stubs.py from the op records."""

from builtins import bool as _bool, float as _float, int as _int
from collections.abc import Sequence
from typing import Any, overload

Scalar = _int | _float | complex | _bool
Sizes = _int | Sequence[_int]
'''
_IMPORTS = """
from rushlight import Generator, Tensor, device, dtype, layout, memory_format
"""
_CLASSES = ("Generator", "Size", "device", "dtype", "layout", "memory_format")


def _parameter(argument):
    default = "" if argument.default is None else " = ..."
    kind = argument.annotation
    for plain in ("int", "float", "bool"):
        kind = " | ".join([f"_{p}" if p == plain else p for p in kind.split(" | ")])
    return f"{argument.name}: {kind.replace('[float]', '[_float]')}{default}"


def _parameters(record, is_method):
    """The parameter list; arguments whose name Python reserves can only be positional."""
    parts, starred, reserved = [], False, False
    for i, argument in enumerate(op_table.arguments(record)):
        if argument.keyword_only and not starred:
            parts.append("*")
            starred = True
        reserved = reserved or keyword.iskeyword(argument.name)
        if reserved and not starred:
            argument.name = f"__{argument.name}"
        if not keyword.iskeyword(argument.name):
            parts.append("self" if is_method and i == 0 else _parameter(argument))
    return ", ".join(parts)


def _definitions(name, records, is_method=False, indent=""):
    """The ``def`` lines of one name, overloads marked."""
    lines = []
    for record in records:
        if len(records) > 1:
            lines.append(indent + "@overload")
        returns = op_table.result(record)
        lines.append(f"{indent}def {name}({_parameters(record, is_method)}) -> {returns}: ...")
    return lines


def _of(place):
    """{name: [records]} of one namespace."""
    found = {}
    for (places, name), records in op_table.groups().items():
        if place in places and not keyword.iskeyword(name):
            found.setdefault(name, []).extend(records)
    return dict(sorted(found.items()))


def _tensor_class():
    methods = _of("Tensor")
    lines, named = ["class Tensor:"], set()
    for name, records in methods.items():
        mutable = [record for record in records if record.inplace]
        for form, of in ((name, records), (name + "_", mutable)):
            if of and form not in named:
                lines += _definitions(form, of, True, "    ")
                named.add(form)
    for name in sorted(set(dir(rl.Tensor)) - set(dir(object)) - named):
        if name.isidentifier() and not keyword.iskeyword(name):
            lines.append(f"    {name}: Any")
    return lines + ["    def __init__(self, *args: Any, **kwargs: Any) -> None: ..."]


def _others(module, known):
    """Public names that no record defines: classes and functions from where they are, else Any."""
    lines = []
    for name in sorted(set(vars(module)) - set(known)):
        value, home = vars(module)[name], getattr(vars(module)[name], "__module__", None)
        if name.startswith("_") and name != "__version__" or keyword.iskeyword(name):
            continue
        is_module = type(value) is type(sys)
        if is_module and value.__name__ == f"{module.__name__}.{name}":
            lines.append(f"from {module.__name__} import {name} as {name}")
        elif not is_module and name not in ("Tensor", *_CLASSES):
            lines.append(_reexport(name, value, home) or f"{name}: {_kind(value)}")
    return lines


def _reexport(name, value, home):
    """The import line, if the value is defined in another Python module of the package."""
    module = sys.modules.get(home or "")
    is_python = getattr(module, "__file__", None) and module.__file__.endswith(".py")
    if not is_python or not home.startswith("rushlight.") or vars(module).get(name) is not value:
        return None
    return f"from {home} import {name} as {name}"


def _kind(value):
    for name in _CLASSES:
        if isinstance(value, getattr(rl, name)):
            return name
    return f"_{type(value).__name__}" if type(value) in (int, float, bool) else "Any"


def package_stub():
    """``rushlight/__init__.pyi``."""
    functions = _of("torch")
    lines = [_HEAD, *[f"class {name}(Any): ..." for name in _CLASSES], *_tensor_class(), ""]
    for name, records in functions.items():
        lines += _definitions(name, records)
    return "\n".join(lines + [""] + _others(rl, functions)) + "\n"


def namespace_stub(place, module):
    """The stub of one namespace's module."""
    functions = _of(place)
    lines = [_HEAD + _IMPORTS]
    for name, records in functions.items():
        lines += _definitions(name, records)
    return "\n".join(lines + [""] + _others(module, functions)) + "\n"


def main(directory):
    directory = pathlib.Path(directory)
    (directory / "__init__.pyi").write_text(package_stub(), encoding="utf-8")
    for place, (path, name) in _MODULES.items():
        if _of(place):
            text = namespace_stub(place, importlib.import_module(name))
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")


def _use_built(package, native):
    """Makes ``import rushlight`` take the sources and a native module that lies elsewhere."""
    sys.path.insert(0, str(pathlib.Path(package).parent))
    spec = importlib.util.spec_from_file_location("rushlight._native", native)
    module = importlib.util.module_from_spec(spec)
    sys.modules["rushlight._native"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    if len(sys.argv) == 4:
        _use_built(*sys.argv[2:])
    import rushlight as rl
    import op_table

    main(sys.argv[1])
