"""Imports inside functions name what is there, which only a call would show otherwise."""

import ast
import importlib
import importlib.util
import pathlib

import pytest

import rushlight as rl

HOME = pathlib.Path(rl.__file__).resolve().parent
#: these stand for a package `torch` that they are put into, and import from it by its own name
LEFT_OUT = "_as_torch"


def imports_of(path):
    """The (module, name) pairs that a file imports from the package, wherever it does."""
    where = path.relative_to(HOME.parent).with_suffix("").parts
    package = where[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*above, *([node.module] if node.module else [])))
            if module.split(".")[0] == HOME.name:
                yield from ((module, alias.name) for alias in node.names)


def is_there(module, name):
    if name == "*" or hasattr(importlib.import_module(module), name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{module}.{name}":
            raise
        return False
    return True


@pytest.mark.filterwarnings("ignore")
def test_names_imported_from_the_package_exist():
    left_out = {LEFT_OUT} if importlib.util.find_spec("tensorboard") else {LEFT_OUT, "tensorboard"}
    files = [p for p in HOME.rglob("*.py") if not left_out.intersection(p.parts)]
    asked = {(p, *pair) for p in files for pair in imports_of(p)}
    assert len(asked) > 2000
    missing = [(str(p.relative_to(HOME)), m, n) for p, m, n in asked if not is_there(m, n)]
    assert not missing
