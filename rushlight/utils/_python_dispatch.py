"""What packages ask about tensors whose class takes itself apart for a tracer."""

import rushlight as rl

__all__ = ["is_traceable_wrapper_subclass"]


def is_traceable_wrapper_subclass(t):
    """Does the tensor's class have ``__tensor_flatten__`` and ``__tensor_unflatten__``?"""
    if not isinstance(t, rl.Tensor) or type(t) is rl.Tensor:
        return False
    return hasattr(t, "__tensor_flatten__") and hasattr(t, "__tensor_unflatten__")
