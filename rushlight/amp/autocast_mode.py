"""`autocast` and the decorators that make custom autograd functions follow it.

Which op runs in which precision is decided in `_casts`.
"""

import functools
import warnings

import rushlight as rl
from rushlight._autocast_state import DEVICE_TYPES


def is_autocast_available(device_type):
    """Whether `autocast` accepts a device type.

    Example::

        >>> rl.amp.is_autocast_available("cpu")
        True
    """
    return device_type in DEVICE_TYPES


class autocast:
    """Runs matrix products and convolutions in low precision, and what needs float32 in that.

    A context manager and a decorator, for the forward pass and the loss; leave it before
    ``backward()``, whose ops run in the dtypes of the forward ones. Inputs and parameters stay
    float32: each op casts what it takes. float64 tensors, ``out=`` calls and in-place methods are
    not cast.

    Args:
        device_type: ``"cpu"``. For ``"cuda"`` and others, where nothing runs, it warns and does
            nothing.
        dtype: ``bfloat16`` or ``float16``; by default `get_autocast_dtype`, which is bfloat16.
        enabled: False turns an outer autocast off within the block.
        cache_enabled: keep the low-precision copies of parameters until the outermost block ends.

    Raises:
        ValueError: if the device type is no string.
        RuntimeError: if there is no autocast for it.

    Example::

        >>> x, w = rl.ones(2, 2), rl.ones(2, 2, requires_grad=True)
        >>> with rl.autocast("cpu"):
        ...     y = x @ w
        >>> y.dtype
        torch.bfloat16
        >>> y.sum().backward()
        >>> w.grad.dtype
        torch.float32
    """

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        _require_name(device_type)
        self.fast_dtype = rl.get_autocast_dtype(device_type) if dtype is None else dtype
        if not is_autocast_available(device_type):
            raise RuntimeError(
                f"autocast: unsupported device_type {device_type!r}; use one of "
                f"{', '.join(DEVICE_TYPES)}"
            )
        self.device = device_type
        self._enabled = enabled and self._can_enable()
        self._cache_enabled = (
            rl.is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        )

    def _can_enable(self):
        if self.device != "cpu":
            warnings.warn(
                f"autocast: the device type {self.device!r} is not available; autocast is off",
                stacklevel=3,
            )
            return False
        if self.fast_dtype in (rl.bfloat16, rl.float16):
            return True
        warnings.warn(
            f"autocast: on the CPU expected the dtype torch.bfloat16 or torch.float16, got "
            f"{self.fast_dtype}; autocast is off",
            stacklevel=3,
        )
        return False

    def __enter__(self):
        self.prev_cache_enabled = rl.is_autocast_cache_enabled()
        self.prev = rl.is_autocast_enabled(self.device)
        self.prev_fastdtype = rl.get_autocast_dtype(self.device)
        rl.set_autocast_enabled(self.device, bool(self._enabled))
        if isinstance(self.fast_dtype, rl.dtype):
            rl.set_autocast_dtype(self.device, self.fast_dtype)
        rl.autocast_increment_nesting()
        rl.set_autocast_cache_enabled(self._cache_enabled)
        return self

    def __exit__(self, *exception):
        if rl.autocast_decrement_nesting() == 0:
            rl.clear_autocast_cache()
        rl.set_autocast_enabled(self.device, self.prev)
        rl.set_autocast_dtype(self.device, self.prev_fastdtype)
        rl.set_autocast_cache_enabled(self.prev_cache_enabled)
        return False

    def __call__(self, func):
        if not callable(func):
            raise TypeError(
                f"autocast()(func): expected a function to decorate, got {type(func).__name__}; as "
                "a context manager it is used with `with`"
            )

        @functools.wraps(func)
        def cast(*args, **kwargs):
            with self:
                return func(*args, **kwargs)

        return cast


def _require_name(device_type):
    if not isinstance(device_type, str):
        raise ValueError(
            f"Expected `device_type` of type `str`, got: `{type(device_type)}`; give a device's "
            ".type"
        )


def _cast(value, device_type, dtype):
    """`value` with all its floating-point tensors but float64 ones in a dtype."""
    if isinstance(value, rl.Tensor):
        own = value.is_floating_point() and value.device.type == device_type
        return value.to(dtype) if own and value.dtype != rl.float64 else value
    if isinstance(value, dict):
        return {
            _cast(k, device_type, dtype): _cast(v, device_type, dtype) for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)([_cast(v, device_type, dtype) for v in value])
    return value


def custom_fwd(fwd=None, *, device_type, cast_inputs=None):
    """Decorates the ``forward`` of a custom `autograd.Function` that is used under autocast.

    Args:
        device_type: of the autocast that it follows.
        cast_inputs: a dtype to which floating-point tensors are cast, and autocast is off within;
            None: the ops within are cast like all others. Has no effect outside of autocast.
    """
    _require_name(device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(ctx, *args, **kwargs):
        enabled = rl.is_autocast_enabled(device_type)
        ctx._dtype = rl.get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = enabled and cast_inputs is None
        if not enabled or cast_inputs is None:
            return fwd(ctx, *args, **kwargs)
        args, kwargs = (_cast(given, device_type, cast_inputs) for given in (args, kwargs))
        with autocast(device_type, enabled=False):
            return fwd(ctx, *args, **kwargs)

    return forward


def custom_bwd(bwd=None, *, device_type):
    """Decorates the ``backward`` of a custom `autograd.Function`: it runs under the autocast of
    its ``forward``, which `custom_fwd` must decorate.
    """
    _require_name(device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(ctx, *args, **kwargs):
        with autocast(device_type, dtype=ctx._dtype, enabled=ctx._fwd_used_autocast):
            return bwd(ctx, *args, **kwargs)

    return backward
