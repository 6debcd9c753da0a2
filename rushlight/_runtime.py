"""Top-level functions that are not operators: seeds, type queries, numeric limits, devices."""

from rushlight import _native
from rushlight._native import Tensor, default_generator, result_type

__all__ = [
    "manual_seed",
    "seed",
    "initial_seed",
    "get_rng_state",
    "set_rng_state",
    "thread_safe_generator",
    "is_tensor",
    "is_storage",
    "is_floating_point",
    "is_complex",
    "is_conj",
    "is_distributed",
    "is_inference",
    "is_neg",
    "is_nonzero",
    "is_signed",
    "detach",
    "detach_",
    "numel",
    "result_type",
    "finfo",
    "iinfo",
    "typename",
    "set_default_device",
    "get_default_device",
    "use_deterministic_algorithms",
    "are_deterministic_algorithms_enabled",
    "is_same_size",
    "get_device",
]


def manual_seed(seed):
    """Seeds the default generator and returns it.

    Example:
        >>> _ = rl.manual_seed(0)
        >>> rl.rand(2)
        tensor([0.4963, 0.7682])
    """
    return default_generator.manual_seed(int(seed))


def seed():
    """Seeds the default generator from the system; returns the seed."""
    return default_generator.seed()


def initial_seed():
    """The seed last given to the default generator."""
    return default_generator.initial_seed()


def get_rng_state():
    """The default generator's state, a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Restores a state from `get_rng_state`."""
    default_generator.set_state(new_state)


def thread_safe_generator():
    """The generator of this thread alone: None, as all draw from the default one under a lock."""


def is_tensor(obj):
    """Is it a tensor?"""
    return isinstance(obj, Tensor)


def is_storage(obj):
    """Is it a storage?"""
    from rushlight.storage import TypedStorage

    return isinstance(obj, (_native.UntypedStorage, TypedStorage))


def is_floating_point(input):  # noqa: A002
    """Has the tensor a real floating-point dtype?"""
    return input.is_floating_point()


def is_complex(input):  # noqa: A002
    """Has the tensor a complex dtype?"""
    return input.is_complex()


def is_signed(input):  # noqa: A002
    """Has the dtype negative values?"""
    return input.dtype.is_signed


def is_conj(input):  # noqa: A002
    """Is the conjugate bit set? See `Tensor.is_conj`."""
    return input.is_conj()


def is_neg(input):  # noqa: A002
    """Is the negative bit set? See `Tensor.is_neg`."""
    return input.is_neg()


def is_inference(input):  # noqa: A002
    """Was it made in inference mode? See `Tensor.is_inference`."""
    return input.is_inference()


def is_distributed(input):  # noqa: A002
    """False; see `Tensor.is_distributed`."""
    return input.is_distributed()


def is_nonzero(input):  # noqa: A002
    """Is the one element not zero? Raises RuntimeError for another number of elements."""
    return bool(input)


def detach(input):  # noqa: A002
    """The same memory outside the graph; see `Tensor.detach`."""
    return input.detach()


def detach_(input):  # noqa: A002
    """Takes the tensor itself out of the graph; see `Tensor.detach_`."""
    return input.detach_()


def is_same_size(input, other):  # noqa: A002
    """Have both the same sizes?"""
    return input.is_same_size(other)


def numel(input):  # noqa: A002
    """The number of elements."""
    return input.numel()


def get_device(input):  # noqa: A002
    """The accelerator's number, -1 on the CPU."""
    return input.get_device()


def typename(obj):
    """The qualified name of a tensor's type or of an object's class."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return (
        f"{kind.__module__}.{kind.__qualname__}"
        if kind.__module__ != "builtins"
        else kind.__qualname__
    )


class finfo:
    """Limits of a floating-point dtype: bits, eps, max, min, tiny, smallest_normal, resolution."""

    _TABLE = {
        "float16": (16, 2.0**-10, 65504.0, 2.0**-14, 1e-3),
        "bfloat16": (16, 2.0**-7, 3.3895313892515355e38, 2.0**-126, 1e-2),
        "float32": (32, 2.0**-23, 3.4028234663852886e38, 2.0**-126, 1e-6),
        "float64": (64, 2.0**-52, 1.7976931348623157e308, 2.0**-1022, 1e-15),
        "float8_e4m3fn": (8, 2.0**-3, 448.0, 2.0**-6, 1.0),
        "float8_e4m3fnuz": (8, 2.0**-3, 240.0, 2.0**-7, 1.0),
        "float8_e5m2": (8, 2.0**-2, 57344.0, 2.0**-14, 1.0),
        "float8_e5m2fnuz": (8, 2.0**-3, 57344.0, 2.0**-15, 1.0),
        "float8_e8m0fnu": (8, 1.0, 2.0**127, 2.0**-127, 1.0),
        "float4_e2m1fn_x2": (8,),  # of the byte; no limits, as it is no number
    }

    def __init__(self, type=None):  # noqa: A002
        dtype = type or _native.get_default_dtype()
        name = str(dtype.to_real() if dtype.is_complex else dtype)[6:]
        if name not in self._TABLE:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{name}'"
            )
        self.bits, *limits = self._TABLE[name]
        self.dtype = name
        if not limits:
            return
        self.eps, self.max, self.tiny, self.resolution = limits
        self.min = -self.max if dtype.is_signed or dtype.is_complex else self.tiny
        self.smallest_normal = self.tiny

    def __getattr__(self, name):
        if name in ("eps", "max", "min", "tiny", "smallest_normal", "resolution"):
            raise NotImplementedError(f"finfo: torch.{self.dtype} has no {name}; it holds pairs")
        raise AttributeError(f"finfo has no attribute {name!r}")

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype: bits, min, max."""

    def __init__(self, type):  # noqa: A002
        if type.is_floating_point or type.is_complex or type == _native.bool:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'"
            )
        self.bits, self.dtype = 8 * type.itemsize, str(type)[6:]
        self.min = -(2 ** (self.bits - 1)) if type.is_signed else 0
        self.max = 2 ** (self.bits - type.is_signed) - 1

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def set_default_device(device):
    """The device of tensors that are made from now on, where none is given: "cpu" or "meta".

    Raises:
        AssertionError: for a device that there is not.
    """
    from rushlight import _device_context

    device = _native.device("cpu" if device is None else device)
    if device.type not in ("cpu", "meta"):
        raise AssertionError(f"set_default_device: there is no device {device}, only the CPU")
    _device_context.set_default(device)


def get_default_device():
    """The device of new tensors; within ``with device:``, that device."""
    import sys

    context = sys.modules.get("rushlight._device_context")
    return (context and context.current()) or _native.device("cpu")


#: what `use_deterministic_algorithms` was last told; "fill": see utils/deterministic.py
determinism = {"enabled": False, "warn_only": False, "fill": True}


def apply_determinism():
    """Tells the native side what is to be filled and what is to be refused."""
    enabled = determinism["enabled"]
    _native._set_fill_unwritten_memory(enabled and determinism["fill"])
    _native._set_undefined_answers((1 if determinism["warn_only"] else 2) if enabled else 0)


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Asks for the same answer on every run.

    Every algorithm here is deterministic already. While the mode is on, ``put_`` without
    ``accumulate`` and ``max_unpool`` raise RuntimeError as in PyTorch (or warn, if ``warn_only``),
    and tensors that `empty` and its kin make are filled (with NaN, the largest integer, True),
    unless ``rl.utils.deterministic.fill_uninitialized_memory`` is False.

    Raises TypeError if ``mode`` or ``warn_only`` is not a bool.

    Example::

        >>> rl.use_deterministic_algorithms(True)
        >>> rl.empty(2)
        tensor([nan, nan])
        >>> rl.use_deterministic_algorithms(False)
    """
    for name, value in (("mode", mode), ("warn_only", warn_only)):
        if not isinstance(value, bool):
            raise TypeError(
                f"use_deterministic_algorithms(): argument '{name}' must be bool, "
                f"not {type(value).__name__}"
            )
    determinism.update(enabled=mode, warn_only=warn_only)
    apply_determinism()


def are_deterministic_algorithms_enabled():
    """What `use_deterministic_algorithms` was last told."""
    return determinism["enabled"]
