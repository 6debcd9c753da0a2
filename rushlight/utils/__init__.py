"""The ``utils`` namespace: data loading, checkpointing, trees, DLPack, hooks.

Only names belong here; each submodule loads on first use, so that importing the package stays
cheap. To add a submodule, write the file and put its name into `_SUBMODULES`.
"""

_SUBMODULES = (
    "_pytree",
    "benchmark",
    "checkpoint",
    "cpp_extension",
    "data",
    "deterministic",
    "dlpack",
    "flop_counter",
    "hooks",
    "model_zoo",
    "module_tracker",
    "safetensors",
    "tensorboard",
)


def __getattr__(name):
    if name == "swap_tensors":
        from ._swap import swap_tensors

        return swap_tensors
    if name not in _SUBMODULES:
        from rushlight._removed import absent

        raise absent(__name__, name)
    import importlib

    return importlib.import_module(f"{__name__}.{name}")


def __dir__():
    return sorted(set(globals()) | set(_SUBMODULES) | {"swap_tensors"})
