"""What packages ask about the wrappers of function transforms, and how they make and open them."""

from rushlight.func.batching import Batched
from rushlight.func.levels import payload
from rushlight.func.vmap import (  # noqa: F401
    _add_batch_dim,
    _remove_batch_dim,
    _vmap_decrement_nesting,
    _vmap_increment_nesting,
)


def is_functorch_wrapped_tensor(tensor):
    """Is it a wrapper of a transform?"""
    return payload(tensor) is not None


def is_batchedtensor(tensor):
    """Is it mapped over by the innermost `vmap` that it belongs to?"""
    return maybe_get_bdim(tensor) >= 0


def maybe_get_bdim(tensor):
    """The mapped dimension of what a wrapper holds; -1 for tensors that are not mapped."""
    held = payload(tensor)
    return 0 if isinstance(held, Batched) and held.batched else -1


def maybe_get_level(tensor):
    """How deep the transform of a wrapper is nested, from 1; -1 for other tensors."""
    held = payload(tensor)
    return -1 if held is None else held.level.depth


def get_unwrapped(tensor):
    """What a wrapper holds.

    Raises:
        RuntimeError: if it is none.
    """
    held = payload(tensor)
    if held is None:
        raise RuntimeError(
            "get_unwrapped: expected a wrapper of a function transform, got a tensor"
        )
    return held.outer
