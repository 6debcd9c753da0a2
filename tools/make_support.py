"""Writes docs/support.md: which of PyTorch's public names exist here, in full or in part.

    python tools/make_support.py [docs/support.md]

Compares the package with tests/data/public_names.json (see `record_public_names.py`). A name is
partial if it lacks parameters or members, or if a part of it raises NotImplementedError; absent if
it cannot be imported, or always raises. What is said of parts is read from the sources.
"""

import ast
import enum
import functools
import importlib
import inspect
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = ROOT / "tests" / "data" / "public_names.json"
SUPPORTED, PARTIAL, ABSENT = "supported", "partial", "absent"
_HEAD = """<!-- Written by tools/make_support.py. -->
# Support of PyTorch's public names

Every public name of PyTorch 2.13, by module: **supported**, **partial** (with what is missing), or
**absent**. Names that exist only to be imported or asked, and raise `NotImplementedError` when
used, count as absent. Parameters of operators, and values, are not compared here. What runs
differently is told in [running_pytorch_programs.md](running_pytorch_programs.md).
"""


# ---- what sources say --------------------------------------------------------------------------


@functools.cache
def _refusals(path):
    """{first line of a function: (does it do nothing else, what it refuses)} of a source file."""
    found = {}
    for node in ast.walk(ast.parse(pathlib.Path(path).read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            raised = [text for inner in ast.walk(node) for text in _refused(inner)]
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            only = len(body) == 1 and bool(_refused(body[0]))
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[first] = only, list(dict.fromkeys(raised))
    return found


def _refused(node):
    """What a ``raise unsupported("...")`` or ``raise NotImplementedError("...")`` says."""
    if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
        return []
    name = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
    if name not in ("unsupported", "NotImplementedError"):
        return []
    text = _text(node.exc.args[0]) if node.exc.args else ""
    # What PyTorch refuses too raises the same class, in other words.
    return [text] if name == "unsupported" or "supported" in text else []


def _text(node):
    """A message's constant parts; ... for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return "…"


def _refusal(value):
    """(is there nothing else, what is refused) of a function or class."""
    function = inspect.unwrap(value) if callable(value) else value
    if inspect.isclass(value):
        function = vars(value).get("__init__", vars(value).get("__new__"))
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    import rushlight

    package = str(pathlib.Path(rushlight.__file__).parent)
    if code is None or not code.co_filename.startswith(package):
        return False, []
    return _refusals(code.co_filename).get(code.co_firstlineno, (False, []))


# ---- the comparison ----------------------------------------------------------------------------


def judge(module, name, known):
    """(supported, partial or absent; what is missing) of a name of one of our modules."""
    try:
        value = getattr(module, name)
    except (AttributeError, NotImplementedError):
        return ABSENT, ""
    if type(value).__name__ == "dtype":
        return (SUPPORTED, "") if _has_tensors(value) else (PARTIAL, "tensors of it")
    if known is None or not callable(value):
        return SUPPORTED, ""
    only, refused = _refusal(value)
    if only:
        return ABSENT, ""
    missing = [f"`{text}`" for text in refused]
    if isinstance(known, dict):
        missing += [f"`.{m}`" for m in known["members"] if not _has_member(value, m)]
        known = known["parameters"]
    missing += [f"`{p}=`" for p in _missing_parameters(value, known)]
    return (PARTIAL, ", ".join(missing)) if missing else (SUPPORTED, "")


def _has_tensors(dtype):
    import rushlight

    try:
        rushlight.empty(1, dtype=dtype)
    except (NotImplementedError, RuntimeError):
        return False
    return True


def _has_member(value, member):
    try:
        return hasattr(value, member) or member in getattr(value, "__annotations__", {})
    except NotImplementedError:
        return False


def _missing_parameters(value, known):
    if hasattr(value, "record"):  # an op: what its schema or its early spellings do not accept
        return []
    if isinstance(value, type) and issubclass(value, enum.Enum):  # how to call it is Python's
        return []
    try:
        parameters = inspect.signature(value).parameters
    except (TypeError, ValueError):
        return []
    kinds = {p.kind for p in parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds or inspect.Parameter.VAR_POSITIONAL in kinds:
        return []
    own = {"self", "cls", "module"}
    return [name for name in known if name not in parameters and name not in own]


def _module(name):
    try:
        return importlib.import_module(name.replace("torch", "rushlight", 1))
    except (ImportError, NotImplementedError):
        return None


def table():
    """{module: {name: (judgement, what is missing)}}."""
    import rushlight

    rushlight.install_as_torch()
    names = json.loads(NAMES.read_text(encoding="utf-8"))
    found = {}
    for module_name, known in names.items():
        module = _module(module_name)
        found[module_name] = {
            name: judge(module, name, what) if module is not None else (ABSENT, "")
            for name, what in known.items()
        }
    return found


# ---- the page ----------------------------------------------------------------------------------


def page(found):
    """The Markdown text."""
    counts = {m: [sum(j == kind for j, _ in names.values()) for kind in
                  (SUPPORTED, PARTIAL, ABSENT)] for m, names in found.items()}  # fmt: skip
    total = [sum(column) for column in zip(*counts.values())]
    lines = [_HEAD, "| module | supported | partial | absent |", "|---|---|---|---|"]
    lines += [f"| `{m}` | {a} | {b} | {c} |" for m, (a, b, c) in counts.items()]
    lines += [f"| **all** | **{total[0]}** | **{total[1]}** | **{total[2]}** |", ""]
    for module, names in found.items():
        lines += _section(module, names)
    return "\n".join(lines).rstrip() + "\n"


def _section(module, names):
    lines = [f"## {module}", ""]
    for kind in (SUPPORTED, ABSENT):
        of_kind = [f"`{name}`" for name, (judgement, _) in names.items() if judgement == kind]
        if of_kind:
            lines += [f"{kind.capitalize()}: {', '.join(of_kind)}", ""]
    partial = [(name, missing) for name, (j, missing) in names.items() if j == PARTIAL]
    if partial:
        lines += ["Partial, without:", ""]
        lines += [f"* `{name}`: {missing}" for name, missing in partial] + [""]
    return lines


def main(path=ROOT / "docs" / "support.md"):
    found = table()
    pathlib.Path(path).write_text(page(found), encoding="utf-8")
    print(f"{sum(map(len, found.values()))} names in {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
