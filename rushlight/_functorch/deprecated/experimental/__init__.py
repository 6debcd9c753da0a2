"""``functorch.experimental``: names that are `torch.func`'s today, and `chunk_vmap`."""

import functools

from rushlight.func import (  # noqa: F401
    functionalize,
    hessian,
    jacfwd,
    jvp,
    replace_all_batch_norm_modules_,
)
from rushlight.func.vmap import _process_batched_inputs, vmap


def chunk_vmap(func, in_dims=0, out_dims=0, randomness="error", chunks=2):
    """`vmap` that computes its examples in so many parts, one after the other.

    Raises:
        ValueError: if `chunks` is not positive.
    """
    if chunks < 1:
        raise ValueError(f"chunk_vmap: expected chunks to be at least 1, got {chunks}")

    @functools.wraps(func)
    def mapped(*args, **kwargs):
        size = _process_batched_inputs(in_dims, args, func)[0]
        at_once = -(-size // chunks) or None
        return vmap(func, in_dims, out_dims, randomness, chunk_size=at_once)(*args, **kwargs)

    return mapped
