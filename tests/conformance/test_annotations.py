"""Stubs and API pages can spell every schema: each type of an argument has an annotation.

A new schema type: `kTypes` in csrc/python/schema.cpp and `_ANNOTATIONS` in tools/op_table.py.
"""

import pathlib
import sys

from rushlight.ops import _record

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


def test_every_schema_type_has_an_annotation(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(TOOLS), *sys.path])
    import op_table

    for record in _record.records.values():
        assert all(argument.annotation for argument in op_table.arguments(record))
