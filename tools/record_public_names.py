"""Writes down PyTorch's public names, with the parameters of functions and the members of classes.

    TORCH/bin/python tools/record_public_names.py tests/data/public_names.json

Run with PyTorch 2.13 installed; `make_support.py` compares with the file. A name is public if no
part of it begins with an underscore and its module lists it in ``__all__`` or defines it; of the
modules of one area, the outermost has it. Leave modules out through `_INTERNAL`.
"""

import importlib
import inspect
import json
import pkgutil
import re
import sys
import types
import warnings

#: parts of PyTorch that its documentation does not name: tools, examples, experiments
_INTERNAL = re.compile(
    r"torch\.(contrib|nativert|numa|mtia|quantization\.|ao\.\w+\.|fx\.(experimental|passes)|package\.|"
    r"utils\.(collect_env|hipify|benchmark\.|data\.datapipes\.|model_dump|viz|jit|serialization|bottleneck)|"
    r"onnx\.(ops|verification|symbolic|operators|utils)|"
    r"jit\.(frontend|annotations|quantized)|distributed\.(elastic|benchmarks|debug|flight_recorder|launcher|pipelining\.|checkpoint\.|run|"
    r"argparse_util|examples|nn\.jit))"
)


def public_modules(package):
    """The package and its modules, as far as they can be imported."""
    names = [package.__name__]
    found = pkgutil.walk_packages(
        package.__path__, package.__name__ + ".", onerror=lambda name: None
    )
    names += [module.name for module in found]
    for name in names:
        if any(part.startswith("_") for part in name.split(".")) or _INTERNAL.match(name):
            continue
        try:
            yield name, importlib.import_module(name)
        except Exception as error:  # whatever optional packages raise
            print(f"left out: {name} ({type(error).__name__})", file=sys.stderr)


def public_names(module):
    """Names that a module offers as its own."""
    listed = getattr(module, "__all__", None)
    if listed is not None and module.__name__ != "torch":
        return sorted(set(listed))
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and _is_own(module, name, value)
    )


def _is_own(module, name, value):
    if isinstance(value, types.ModuleType) or hasattr(value, "__origin__"):
        return False
    home = getattr(value, "__module__", None)
    if type(value).__name__ == "pybind11_type":
        return False  # parts of the compiler that show through
    if module.__name__ == "torch":
        known = home is not None and home.partition(".")[0] == "torch"
        return known or name in module.__all__
    if isinstance(value, types.BuiltinFunctionType):
        return True  # nn.functional.conv2d
    if hasattr(module, "__path__"):  # a package offers what its modules define
        return (home or "").startswith((module.__name__, "torch._C"))
    return home == module.__name__


def describe(value):
    """None for a plain value, a list of parameters, or {"members", "parameters"} of a class."""
    if inspect.isclass(value):
        if value.__name__.endswith("Tensor") and value.__name__ != "Tensor":
            return None  # torch.FloatTensor and the like
        return {"members": _members(value), "parameters": _parameters(value)}
    return _parameters(value) if callable(value) else None


def _members(kind):
    """Methods that the class itself defines; of a tensor, everything."""
    if kind.__name__ == "Tensor":
        return sorted(name for name in dir(kind) if not name.startswith("_"))
    return sorted(n for n, v in vars(kind).items() if not n.startswith("_") and callable(v))


def _parameters(value):
    """Names of parameters, as far as they are known."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return []
    fixed = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return [p.name for p in fixed if not p.name.startswith("_")]


def main(path):
    import torch

    warnings.simplefilter("ignore")
    found, seen = {}, set()
    for name, module in sorted(public_modules(torch), key=lambda pair: pair[0].count(".")):
        values = {key: getattr(module, key, None) for key in public_names(module)}
        area = name.split(".")[1:2]
        area = area[0] if area else ""
        found[name] = {
            key: describe(value)
            for key, value in values.items()
            if (area, key, id(value)) not in seen and value is not module
        }
        seen.update((area, key, id(value)) for key, value in values.items() if callable(value))
    lines = [
        f"{json.dumps(name)}: {json.dumps(names, separators=(',', ':'))}"
        for name, names in sorted(found.items())
        if names
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{sum(map(len, found.values()))} names of {len(lines)} modules in {path}")


if __name__ == "__main__":
    main(sys.argv[1])
