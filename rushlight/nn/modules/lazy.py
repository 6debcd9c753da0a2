"""What lazy layers share: parameters without a shape until the first input is seen.

A lazy class is `class LazyX(LazyModuleMixin, X)` with `cls_to_become = X` and a method
`initialize_parameters(*inputs)` that materialises the parameters.
"""

from ..parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Initialises parameters by a hook on the first call, then turns into `cls_to_become`."""

    cls_to_become = None

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _own_tensors(self):
        return [t for t in (*self._parameters.values(), *self._buffers.values()) if t is not None]

    def has_uninitialized_params(self):
        """Whether a parameter or buffer still has no shape."""
        return any(is_lazy(t) for t in self._own_tensors())

    def initialize_parameters(self, *args, **kwargs):
        """Materialise the parameters for the given inputs; each lazy class defines it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        tables = ((self._parameters, ()), (self._buffers, self._non_persistent_buffers_set))
        for table, skipped in tables:
            for name, tensor in table.items():
                if tensor is not None and name not in skipped:
                    detach = not (is_lazy(tensor) or keep_vars)
                    destination[prefix + name] = tensor.detach() if detach else tensor

    def _lazy_load_hook(self, state_dict, prefix, *rest):
        """Shapes come from the state dict where it has them."""
        import rushlight as rl

        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            given = state_dict.get(prefix + name)
            if tensor is not None and given is not None and is_lazy(tensor) and not is_lazy(given):
                with rl.no_grad():
                    tensor.materialize(given.shape)

    def _infer_parameters(self, module, args, kwargs=None):
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook
        del module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become
