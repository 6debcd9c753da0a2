"""What autocast is set to in this thread, and the functions that read and change it.

Enabling it for the CPU puts the handler of `amp._casts` on the hook that all calls ask (see
"Interposing" in docs/architecture.md); other devices have settings but no handler, as nothing runs
there.
"""

import warnings
from _thread import _local

import rushlight as rl

DEVICE_TYPES = {
    "cpu": "bfloat16",
    "cuda": "float16",
    "hpu": "bfloat16",
    "ipu": "float16",
    "maia": "bfloat16",
    "mps": "float16",
    "mtia": "float16",
    "xla": "bfloat16",
    "xpu": "float16",
}  # device -> the dtype that autocast uses there unless told otherwise
_NO_AUTOCAST = ("meta", "lazy", "vulkan", "privateuseone")

__all__ = [
    "autocast_decrement_nesting",
    "autocast_increment_nesting",
    "clear_autocast_cache",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_cpu_dtype",
    "set_autocast_cpu_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
    "set_autocast_gpu_dtype",
]


class _State(_local):
    """One per thread: nothing is enabled at first."""

    def __init__(self):
        self.enabled = dict.fromkeys(DEVICE_TYPES, False)
        self.dtypes = {device: getattr(rl, name) for device, name in DEVICE_TYPES.items()}
        self.nesting = 0
        self.caching = True
        self.cache = {}  # (id of a float32 leaf, recording?) -> the leaf, its low-precision copy
        self.handler = None  # on the hook while the CPU is enabled


state = _State()


def _known(device_type, function):
    if device_type in DEVICE_TYPES:
        return device_type
    if device_type in _NO_AUTOCAST:
        raise RuntimeError(f"{function}: there is no autocast for the device type {device_type!r}")
    known = ", ".join((*DEVICE_TYPES, *_NO_AUTOCAST))
    raise RuntimeError(
        f"{function}: expected one of {known} as the device type, got {device_type!r}"
    )


def is_autocast_enabled(device_type="cuda"):
    """Whether autocast is on for a device type in this thread.

    Example::

        >>> with rl.autocast("cpu"):
        ...     rl.is_autocast_enabled("cpu")
        True
    """
    if device_type in _NO_AUTOCAST:
        return False
    return state.enabled[_known(device_type, "is_autocast_enabled")]


def set_autocast_enabled(device_type, enabled=None):
    """Turns autocast on or off for a device type in this thread; `autocast` does it by block.

    With one argument, a bool, the device type is "cuda".
    """
    if enabled is None:
        device_type, enabled = "cuda", device_type
    if not isinstance(enabled, bool):
        raise TypeError(
            f"set_autocast_enabled: expected enabled to be a bool, got {type(enabled).__name__}"
        )
    state.enabled[_known(device_type, "set_autocast_enabled")] = enabled
    if device_type == "cpu":
        _set_handler(enabled)


def _set_handler(on):
    """The handler is asked last, like a kernel: modes and subclasses see what the user wrote."""
    if on == (state.handler is not None):
        return
    stack = rl._native.interposer_stack()
    if on:
        from rushlight.amp._casts import CastHandler

        state.handler = CastHandler(state)
        rl._native.push_interposer(state.handler)
        stack.insert(0, stack.pop())
    else:
        stack.append(stack.pop(stack.index(state.handler)))
        rl._native.pop_interposer()
        state.handler = None


def get_autocast_dtype(device_type):
    """The dtype to which autocast lowers on a device type."""
    return state.dtypes[_known(device_type, "get_autocast_dtype")]


def set_autocast_dtype(device_type, dtype):
    """Sets the dtype to which autocast lowers on a device type, in this thread."""
    if not isinstance(dtype, rl.dtype):
        raise TypeError(f"set_autocast_dtype: expected a dtype, got {type(dtype).__name__}")
    state.dtypes[_known(device_type, "set_autocast_dtype")] = dtype


def _deprecated(name, instead):
    warnings.warn(f"torch.{name}() is deprecated; use {instead}", DeprecationWarning, stacklevel=3)


def is_autocast_cpu_enabled():
    """Deprecated: ``is_autocast_enabled("cpu")``."""
    _deprecated("is_autocast_cpu_enabled", "is_autocast_enabled('cpu')")
    return is_autocast_enabled("cpu")


def set_autocast_cpu_enabled(enabled):
    """Deprecated: ``set_autocast_enabled("cpu", enabled)``."""
    _deprecated("set_autocast_cpu_enabled", "set_autocast_enabled('cpu', enabled)")
    set_autocast_enabled("cpu", enabled)


def get_autocast_cpu_dtype():
    """Deprecated: ``get_autocast_dtype("cpu")``."""
    _deprecated("get_autocast_cpu_dtype", "get_autocast_dtype('cpu')")
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype):
    """Deprecated: ``set_autocast_dtype("cpu", dtype)``."""
    _deprecated("set_autocast_cpu_dtype", "set_autocast_dtype('cpu', dtype)")
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype():
    """Deprecated: ``get_autocast_dtype("cuda")``."""
    _deprecated("get_autocast_gpu_dtype", "get_autocast_dtype('cuda')")
    return get_autocast_dtype("cuda")


def set_autocast_gpu_dtype(dtype):
    """Deprecated: ``set_autocast_dtype("cuda", dtype)``."""
    _deprecated("set_autocast_gpu_dtype", "set_autocast_dtype('cuda', dtype)")
    set_autocast_dtype("cuda", dtype)


def is_autocast_cache_enabled():
    """Whether low-precision copies of parameters are kept until the outermost block ends."""
    return state.caching


def set_autocast_cache_enabled(enabled):
    """Sets whether low-precision copies of parameters are kept."""
    state.caching = bool(enabled)


def clear_autocast_cache():
    """Drops the low-precision copies of parameters."""
    state.cache.clear()


def autocast_increment_nesting():
    """One block deeper; returns the depth."""
    state.nesting += 1
    return state.nesting


def autocast_decrement_nesting():
    """One block less deep; returns the depth."""
    state.nesting -= 1
    return state.nesting
