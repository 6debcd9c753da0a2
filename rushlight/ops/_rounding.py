"""Arithmetic in 16 bits. Formulas of several ops round after each; `rounded_once` is for those
that are one step in PyTorch, which computes them in float32 and rounds at the end.
"""

import rushlight as rl

_NARROW = (rl.float16, rl.bfloat16)


def is_narrow(x):
    """Is it a tensor of 16-bit floats?"""
    return isinstance(x, rl.Tensor) and x.dtype in _NARROW


def widen(x):
    """A tensor of 16-bit floats in float32; anything else as it is."""
    return x.float() if is_narrow(x) else x


def rounded_once(formula):
    """The formula in float32 where tensors have 16 bits; its results are of their dtype."""

    def run(*args):
        dtype = next((x.dtype for x in args if is_narrow(x)), None)
        if dtype is None:
            return formula(*args)
        result = formula(*[widen(x) for x in args])
        if isinstance(result, rl.Tensor):
            return result.to(dtype)
        return tuple([x if x is None else x.to(dtype) for x in result])

    return run
