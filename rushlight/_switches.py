"""Global switches and questions about the build, and control flow that in PyTorch can be traced:
precision, determinism, warnings, threads between ops; `cond`, `while_loop`; symbolic numbers, of
which there are none.

Seeds, devices and numeric limits are in _runtime.py. To add one: a function, named in `__all__`.
"""

import math

import rushlight as rl
from rushlight import _native, _notes
from rushlight._runtime import determinism
from rushlight.ops._decisions import is_wrapped

__all__ = [
    "AcceleratorError",
    "OutOfMemoryError",
    "SymBool",
    "SymFloat",
    "SymInt",
    "cond",
    "get_deterministic_debug_mode",
    "get_device_module",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "has_lapack",
    "has_openmp",
    "has_spectral",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "newaxis",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_warn_always",
    "sym_float",
    "sym_int",
    "sym_ite",
    "sym_max",
    "sym_min",
    "sym_not",
    "sym_sqrt",
    "sym_sum",
    "while_loop",
]

newaxis = None
has_lapack = has_openmp = has_spectral = True


class OutOfMemoryError(RuntimeError):
    """An accelerator has no memory left; never raised on the CPU."""


class AcceleratorError(RuntimeError):
    """An accelerator failed; never raised on the CPU."""


# ---- precision, determinism, warnings ----------------------------------------------------------

_PRECISIONS = ("highest", "high", "medium")
_state = {"precision": "highest", "interop": None}


def set_float32_matmul_precision(precision):
    """Permits products of float32 matrices to be less exact; here they are of full precision.

    Args:
        precision: ``"highest"``, ``"high"`` or ``"medium"``; with another value, a warning, and
            nothing changes.
    """
    if precision in _PRECISIONS:
        _state["precision"] = precision
        return
    import warnings

    warnings.warn(
        f"set_float32_matmul_precision: {precision!r} is not one of {', '.join(_PRECISIONS)}; "
        "nothing is changed",
        stacklevel=2,
    )


def get_float32_matmul_precision():
    """What `set_float32_matmul_precision` was last told."""
    return _state["precision"]


_DEBUG_MODES = {"default": 0, "warn": 1, "error": 2}


def set_deterministic_debug_mode(debug_mode):
    """`use_deterministic_algorithms` in numbers or words.

    Args:
        debug_mode: 0 or ``"default"``, 1 or ``"warn"``, 2 or ``"error"``.

    Raises:
        TypeError: if it is neither a number nor a word.
        RuntimeError: if it is another number or word.
    """
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    mode = _DEBUG_MODES.get(debug_mode, debug_mode)
    if mode not in (0, 1, 2):
        raise RuntimeError(
            f"set_deterministic_debug_mode: expected 0, 1, 2 or {', '.join(_DEBUG_MODES)}, "
            f"but got {debug_mode!r}"
        )
    rl.use_deterministic_algorithms(mode > 0, warn_only=mode == 1)


def get_deterministic_debug_mode():
    """0, 1 or 2; see `set_deterministic_debug_mode`."""
    return (1 if determinism["warn_only"] else 2) if determinism["enabled"] else 0


def is_deterministic_algorithms_warn_only_enabled():
    """Was `use_deterministic_algorithms` told to warn only?"""
    return determinism["warn_only"]


def set_warn_always(b):
    """Whether warnings that are given once are to be given every time."""
    if not isinstance(b, bool):
        raise TypeError(f"set_warn_always expects a bool, but got {type(b).__name__}")
    _notes.settings["always"] = b


def is_warn_always_enabled():
    """What `set_warn_always` was last told."""
    return _notes.settings["always"]


def set_flush_denormal(mode):
    """Whether operations that this thread calls take subnormal numbers as zero, and give zeros for
    them.

    Returns:
        Whether the processor can do so, as x86-64 can.

    Raises:
        TypeError: if ``mode`` is no bool.

    Example::

        >>> rl.set_flush_denormal(True)
        True
        >>> rl.tensor([1e-310], dtype=rl.float64) * 2
        tensor([0.], dtype=torch.float64)
        >>> rl.set_flush_denormal(False)
        True
    """
    return _native.set_flush_denormal(mode)


def set_num_interop_threads(num):
    """Limits the threads that run ops side by side. Ops here run one after another.

    Raises:
        RuntimeError: if the number is not positive.
        ValueError: if it does not fit 64 bits.
    """
    if num >= 2**63:
        raise ValueError(f"Overflow when unpacking long long: set_num_interop_threads({num})")
    if num <= 0:
        raise RuntimeError(f"set_num_interop_threads: expected a positive number, got {num}")
    _state["interop"] = num


def get_num_interop_threads():
    """What `set_num_interop_threads` was last told, or the number of threads within ops."""
    return _state["interop"] or _native.get_num_threads()


def get_device_module(device=None):
    """The module of a device: `cpu` or `cuda`.

    Raises:
        RuntimeError: if there is no such module.
    """
    kind = "cpu" if device is None else str(device).partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise RuntimeError(f"get_device_module: no module for device {device!r}, only cpu and cuda")
    return getattr(rl, kind)


# ---- control flow ------------------------------------------------------------------------------


def cond(pred, true_fn, false_fn, operands=()):
    """``true_fn(*operands)`` if ``pred`` (a bool or a tensor of one) holds, else ``false_fn(...)``.

    Under `vmap`, where ``pred`` may differ between examples, both are computed.

    Example::

        >>> rl.cond(rl.tensor(True), lambda x: x + 1, lambda x: x - 1, (rl.ones(1),))
        tensor([2.])
    """
    if isinstance(pred, rl.Tensor) and is_wrapped(pred):
        from rushlight.func.vmap import choose, is_mapped

        if is_mapped(pred):
            return choose(pred, true_fn(*operands), false_fn(*operands))
    return (true_fn if pred else false_fn)(*operands)


def while_loop(cond_fn, body_fn, carried_inputs):
    """Replaces the values by ``body_fn(*values)`` as long as ``cond_fn(*values)`` holds.

    Example::

        >>> rl.while_loop(lambda x: x < 5, lambda x: (x * 2,), (rl.tensor(1),))
        (tensor(8),)
    """
    values = tuple(carried_inputs)
    while cond_fn(*values):
        values = tuple(body_fn(*values))
    return values


# ---- symbolic numbers --------------------------------------------------------------------------


def _symbolic(name, plain):
    """A type that no value has: shapes here are always known."""
    doc = f"A symbolic {plain}; none is ever made, as all shapes are known."
    return type(name, (), {"__module__": "torch", "__doc__": doc})


SymInt, SymFloat, SymBool = [
    _symbolic(*names)
    for names in (("SymInt", "integer"), ("SymFloat", "number"), ("SymBool", "truth value"))
]


def sym_int(a):
    """A number cut to an integer."""
    return math.floor(a) if a >= 0 else math.ceil(a)


def sym_float(a):
    """A number as a float."""
    return float(a)


def sym_not(a):
    """The opposite of a truth value."""
    return not a


def sym_max(a, b):
    """The larger of two numbers; a float if either is."""
    return type(a + b)(max(a, b))


def sym_min(a, b):
    """The smaller of two numbers; a float if either is."""
    return type(a + b)(min(a, b))


def sym_sum(args):
    """The sum of numbers."""
    return sum(args)


def sym_sqrt(a):
    """The square root of a number."""
    return math.sqrt(a)


def sym_ite(b, t, f):
    """``t`` if ``b`` is True, else ``f``; both of one type."""
    if type(t) is not type(f):
        raise AssertionError(f"sym_ite: expected two values of one type, got {t!r} and {f!r}")
    return t if b else f
