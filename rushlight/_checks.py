"""Conditions that programs check: ``torch._check`` and ``torch._assert`` with their kin.

Private names in PyTorch, which its packages call. Errors of the package's own ops are elsewhere.
"""

import rushlight as rl
from rushlight import overrides

__all__ = ["_assert", "_assert_async", "_check", "_check_index", "_check_is_size",
           "_check_not_implemented", "_check_tensor_all", "_check_tensor_all_with", "_check_type",
           "_check_value", "_check_with"]  # fmt: skip


def _check_with(error_type, cond, message=None):
    """Raises an error of this type unless ``cond`` is True; ``message()`` says why."""
    if not isinstance(cond, (bool, rl.SymBool)):
        hint = "; for tensors there is torch._check_tensor_all" if rl.is_tensor(cond) else ""
        raise TypeError(f"cond must be a bool, but got {type(cond).__name__}{hint}")
    if cond:
        return
    if message is not None and not callable(message):
        raise TypeError("message must be a callable")
    raise error_type("Expected cond to be True, but got False." if message is None else message())


def _check_tensor_all_with(error_type, cond, message=None):
    """The same for a tensor of bools, which must all be True."""
    if not rl.is_tensor(cond):
        raise TypeError(f"cond must be a tensor, but got {type(cond).__name__}")
    if cond.dtype != rl.bool:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error_type, cond.all().item(), message)


def _raising(name, check, error_type, doc):
    def function(cond, message=None):
        check(error_type, cond, message)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


_check = _raising("_check", _check_with, RuntimeError, "RuntimeError unless ``cond``.")
_check_index = _raising("_check_index", _check_with, IndexError, "IndexError unless ``cond``.")
_check_value = _raising("_check_value", _check_with, ValueError, "ValueError unless ``cond``.")
_check_type = _raising("_check_type", _check_with, TypeError, "TypeError unless ``cond``.")
_check_not_implemented = _raising(
    "_check_not_implemented",
    _check_with,
    NotImplementedError,
    "NotImplementedError unless ``cond``.",
)
_check_tensor_all = _raising(
    "_check_tensor_all", _check_tensor_all_with, RuntimeError, "RuntimeError unless all are True."
)


def _check_is_size(i, message=None, *, max=None):
    """RuntimeError unless ``0 <= i <= max``."""
    _check(i >= 0, message)
    if max is not None:
        _check(i <= max, message)


def _assert(condition, message):
    """AssertionError unless ``condition``; noted by tracers as a call."""
    if type(condition) is not rl.Tensor and overrides.has_torch_function((condition,)):
        return overrides.handle_torch_function(_assert, (condition,), condition, message)
    if not condition:
        raise AssertionError(message)


def _assert_async(input, assert_msg="Expected Tensor with single nonzero value, but got zero"):
    """RuntimeError unless the one element of a tensor is not zero."""
    if not bool(input):
        raise RuntimeError(assert_msg)
