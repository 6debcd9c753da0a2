"""Tools for parameters and modules: clipping, pruning, reparametrising, packing, fusing.

Submodules load on first use; `_LAZY` says which of them a name comes from.
"""

_LAZY = {
    **dict.fromkeys(
        (
            "clip_grad_norm",
            "clip_grad_norm_",
            "clip_grad_value_",
            "clip_grads_with_norm_",
            "get_total_norm",
        ),
        "clip_grad",
    ),
    **dict.fromkeys(("parameters_to_vector", "vector_to_parameters"), "convert_parameters"),
    **dict.fromkeys(
        (
            "fuse_conv_bn_eval",
            "fuse_conv_bn_weights",
            "fuse_linear_bn_eval",
            "fuse_linear_bn_weights",
        ),
        "fusion",
    ),
    **dict.fromkeys(
        ("convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"),
        "memory_format",
    ),
    "skip_init": "init",
    **dict.fromkeys(("spectral_norm", "remove_spectral_norm"), "_spectral_norm"),
    **dict.fromkeys(("weight_norm", "remove_weight_norm"), "_weight_norm"),
}
_SUBMODULES = frozenset(
    (
        "clip_grad",
        "convert_parameters",
        "fusion",
        "init",
        "memory_format",
        "parametrizations",
        "parametrize",
        "prune",
        "rnn",
        "stateless",
    )
)
__all__ = [*_LAZY, "parametrizations", "parametrize", "stateless"]


def __getattr__(name):
    from importlib import import_module

    if name in _LAZY:
        value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_LAZY, *_SUBMODULES})
