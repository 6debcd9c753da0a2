"""The op table. Each module holds the records of one family; importing it registers them.

`internal` holds ops that have no public name; `_record.namespaces` maps the others to where they
are offered.
"""

from rushlight.ops import _record

internal = _record.namespaces.setdefault("internal", {})


def load():
    """Imports every family. Called once by the package, when `rushlight` is importable."""
    import importlib

    for family in FAMILIES:
        importlib.import_module("rushlight.ops." + family)


FAMILIES = ("copy", "pointwise", "creation", "views", "parts", "inplace_views", "broadcast", "shape", "indexing", "reduce",
            "reduce_moments", "scan", "order", "gather", "search", "random", "matmul", "activation", "softmax",
            "conv", "pool", "norm", "loss", "dropout", "embedding", "pad", "compare", "loss_margin",
            "upsample", "einsum", "attention", "grid", "loss_sequence", "special",
            "numeric", "view_copies")
