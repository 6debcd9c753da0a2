"""Policies by which modules would be spread; nothing is (see `fsdp`)."""


def lambda_auto_wrap_policy(module, recurse, nonwrapped_numel, lambda_fn):
    """Whether to descend into a module, or the function's answer for it."""
    return True if recurse else lambda_fn(module)


def transformer_auto_wrap_policy(module, recurse, nonwrapped_numel, transformer_layer_cls):
    """Whether to descend into a module, or whether it is of one of the classes."""
    return True if recurse else isinstance(module, tuple(transformer_layer_cls))


def size_based_auto_wrap_policy(
    module,
    recurse,
    nonwrapped_numel,
    min_num_params=100_000_000,
    force_leaf_modules=None,
    exclude_wrap_modules=None,
):
    """Whether a module has at least ``min_num_params`` elements and may be taken or entered."""
    from rushlight.nn import ModuleDict, ModuleList, MultiheadAttention

    big = nonwrapped_numel >= min_num_params
    if recurse:
        return big and not isinstance(module, tuple(force_leaf_modules or {MultiheadAttention}))
    return big and not isinstance(module, tuple(exclude_wrap_modules or {ModuleList, ModuleDict}))


class ModuleWrapPolicy:
    """Modules of some classes."""

    def __init__(self, module_classes):
        self._module_classes = frozenset(module_classes)

    def __call__(self, module, recurse, *args, **kwargs):
        return True if recurse else isinstance(module, tuple(self._module_classes))
