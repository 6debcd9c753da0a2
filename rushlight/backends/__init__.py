"""Questions and switches of the libraries behind the ops, in a module for each.

`rl.backends.mkldnn` is oneDNN, `rl.backends.openblas`, … answer for what there is; those of GPUs
say that there is none. To add one: a module beside this one, named in `_SUBMODULES`.
"""

_SUBMODULES = (
    "cpu", "cuda", "cudnn", "cusparselt", "kleidiai", "mha", "miopen", "mkl", "mkldnn", "mps",
    "nnpack", "openmp", "opt_einsum", "quantized", "xnnpack",
)  # fmt: skip


# Their switches can be frozen, as in PyTorch; the others' stay free.
_FREEZABLE = ("cudnn", "miopen", "mkldnn")
_frozen = False


def flags_frozen():
    """Did `disable_global_flags` forbid to set switches outside ``with flags(…)``?"""
    return _frozen


def disable_global_flags():
    """From now on setting a switch of cuDNN, MIOpen or oneDNN raises; their `flags` still work."""
    global _frozen
    from ._flags import freeze

    _frozen = True
    for name in _FREEZABLE:
        freeze(__getattr__(name))


def __getattr__(name):
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.{name}")


def __dir__():
    return sorted(set(globals()) | set(_SUBMODULES))
