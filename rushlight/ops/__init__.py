"""The op table. Each module holds the records of one family; importing it registers them.

`internal` holds ops that have no public name; `_record.namespaces` maps the others to where they
are offered.
"""

from rushlight.ops import _record

internal = _record.namespaces.setdefault("internal", {})


def __getattr__(name):
    """``torch.ops.ns``: operators that programs define with `rushlight.library`, and ``aten``."""
    import os

    file = os.path.join(__path__[0], name + ".py")
    if name.startswith("__") or os.path.exists(file):  # a module that is not imported yet
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rushlight.library._operator import OpNamespace

    return OpNamespace(name)


def load_library(path):
    """Raises NotImplementedError: libraries compiled for PyTorch cannot be loaded."""
    raise NotImplementedError(f"torch.ops.load_library: {path} is compiled for PyTorch")


def load():
    """Imports every family. Called once by the package, when `rushlight` is importable."""
    import gc

    collects = gc.isenabled()
    gc.disable()  # nothing dies here: looking for it would be a tenth of the work
    try:
        for family in FAMILIES:
            __import__("rushlight.ops." + family)
    finally:
        if not gc.get_freeze_count():  # as if all had been looked at: to the oldest generation
            gc.freeze()
            gc.unfreeze()
        if collects:
            gc.enable()


def _reduced(op):
    """Ops are copied and pickled by where they are offered."""
    import rushlight as rl

    if getattr(rl.Tensor, op.__name__, None) is op:
        return getattr, (rl.Tensor, op.__name__)
    space = space_of(op)
    if space is None:
        raise TypeError(f"cannot pickle {op}: it is not in a public namespace")
    return _found, (space, op.__name__)


def space_of(op):
    """The namespace that offers the function, such as "torch" or "nn.functional"; or None."""
    for space, members in _record.namespaces.items():
        if members.get(op.__name__) is op:
            return space
    return None


def _found(space, name):
    return _record.namespaces[space][name]


FAMILIES = (
    "copy",
    "arithmetic",
    "early_forms",
    "rounding",
    "exponential",
    "trigonometric",
    "choice",
    "logic",
    "creation",
    "views",
    "views_order",
    "parts",
    "inplace_views",
    "broadcast",
    "shape",
    "shape_join",
    "indexing",
    "reduce",
    "reduce_moments",
    "scan",
    "order",
    "gather",
    "search",
    "random",
    "matmul",
    "matmul_added",
    "activation",
    "activation_piecewise",
    "softmax",
    "conv",
    "pool",
    "pool_average",
    "pool_fractional",
    "norm",
    "norm_rms",
    "norm_sync",
    "optimize",
    "loss_terms",
    "loss",
    "cross_entropy",
    "dropout",
    "embedding",
    "pad",
    "compare",
    "distance",
    "loss_margin",
    "upsample",
    "einsum",
    "attention",
    "grid",
    "loss_sequence",
    "special",
    "special_bessel",
    "numeric",
    "differences",
    "view_copies",
    "fft",
    "spectrogram",
    "windows",
    "fake_quantize",
    "masked",
    "histogram",
    "segments",
    "leftover",
    "native_forms",
    "native_losses",
    "recurrent",
    "linalg",
    "linalg_factor",
    "linalg_reflectors",
    "linalg_solve",
    "linalg_derived",
    "linalg_chain",
    "linalg_lowrank",
    "lu",
)
