"""The table of translations: one record an operator, each a function in `translate`.

A translation is called with the graph under construction (`_builder.Graph`) and the arguments of
the call, tensors and numbers as the program gave them, and returns the values of the results:
``def _(g, self, dim=None, keepdim=False)``; or NotImplemented for calls that it leaves to the
operator's body. Operators without one are exported as the operators
that their bodies call, so only primitives need a record, and what ONNX has a node for.
"""

import functools
import importlib

FAMILIES = ("elementwise", "binary", "reduce", "products", "layers", "pooling", "resize", "shapes",
            "indexing", "creation", "composed", "recurrent")  # fmt: skip
_translations = {}


RANDOM = set()  # operators whose results are not fixed where they depend on no input


def translates(*names):
    """Decorator: how operators (by their public names) are said in ONNX."""

    def note(function):
        _translations.update(dict.fromkeys(names, function))
        return function

    return note


def random(name):
    """`translates` for an operator that draws random numbers."""
    RANDOM.add(name)
    return translates(name)


@functools.cache
def _load():
    for family in FAMILIES:
        importlib.import_module(f"rushlight.onnx.translate.{family}")
    return _translations


def find(name):
    """The translation of an operator, or None."""
    return _load().get(name)


def names():
    """All operators that have one."""
    return sorted(_load())
