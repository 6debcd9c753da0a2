"""The op table as documentation tools see it: argument types as Python annotations, signatures.

Read by make_docs.py and make_stubs.py. A new schema type gets its annotation in `_ANNOTATIONS`.
"""

from rushlight import _native
from rushlight.ops import _record

_ANNOTATIONS = {
    "Tensor": "Tensor",
    "mask": "Tensor",
    "Tensor | Scalar": "Tensor | Scalar",
    "Tensor[]": "Sequence[Tensor]",
    "Scalar": "Scalar",
    "number": "Scalar",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "int[]": "Sizes",
    "float[]": "Sequence[float]",
    "dtype": "dtype",
    "device": "device | str | int",
    "memory_format": "memory_format",
    "layout": "layout",
    "str": "str",
    "Generator": "Generator",
    "object": "Any",
    "any": "Any",
    "Any": "Any",
}


class Argument:
    """One argument of a schema: ``name``, ``annotation``, ``default`` (text, or None),
    ``keyword_only``.
    """

    def __init__(self, text, keyword_only):
        declaration, equals, default = text.partition("=")
        kind, _, self.name = declaration.strip().rpartition(" ")
        kind = kind.replace("(a!)", "").replace("(a)", "").replace("Tensor?[]", "Tensor[]")
        optional = kind.endswith("?")
        self.annotation = annotation(kind.rstrip("?"))
        self.default = default.strip() if equals else None
        self.keyword_only = keyword_only
        if optional or self.default == "None":
            self.annotation += " | None"


def annotation(kind):
    """The Python annotation of a schema type: ``int[2]`` -> ``Sizes``."""
    kind = {"Scalar | Tensor": "Tensor | Scalar", "ScalarType": "dtype"}.get(
        kind.strip(), kind.strip()
    )
    if kind.startswith("int["):
        kind = "int[]"
    return _ANNOTATIONS[kind]


def arguments(record):
    """The record's arguments in order, ``out`` included where the schema has it."""
    inside = record.schema.rpartition("->")[0].strip()[:-1].partition("(")[2]
    found, keyword_only = [], False
    for text in _native.split_arguments(inside):
        if text == "*":
            keyword_only = True
        else:
            found.append(Argument(text, keyword_only))
    return found


def result(record):
    """The annotation of what the op returns."""
    returns = record.schema.rpartition("->")[2].strip()
    if returns.startswith("("):
        parts = [_one_result(part.split()[0]) for part in _native.split_arguments(returns[1:-1])]
        return f"tuple[{', '.join(parts)}]" if parts else "None"
    return _one_result(returns)


def _one_result(text):
    text = text.replace("(a!)", "").replace("(a)", "").strip()
    if text == "Tensor[]":
        return "tuple[Tensor, ...]"
    return {"Tensor": "Tensor", "Scalar": "Scalar"}.get(text) or _ANNOTATIONS.get(text, "Any")


def groups():
    """{(namespaces, public name): [records]}: overloads of one name stand together."""
    found = {}
    for record in _record.records.values():
        found.setdefault((tuple(record.at), record.public_name), []).append(record)
    return found
