"""Deprecated: `autocast` and the decorators of `rushlight.amp` with "cuda" as the device type."""

import warnings

import rushlight as rl
from rushlight import amp


def _deprecated(old, new):
    warnings.warn(
        f"torch.cuda.amp.{old} is deprecated; use torch.amp.{new}", FutureWarning, stacklevel=3
    )


class autocast(amp.autocast):
    """Deprecated: ``torch.amp.autocast("cuda", ...)``."""

    def __init__(self, enabled=True, dtype=rl.float16, cache_enabled=True):
        _deprecated("autocast(...)", "autocast('cuda', ...)")
        super().__init__("cuda", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)


def custom_fwd(fwd=None, *, cast_inputs=None):
    """Deprecated: ``torch.amp.custom_fwd(..., device_type="cuda")``."""
    _deprecated("custom_fwd(...)", "custom_fwd(..., device_type='cuda')")
    return amp.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)


def custom_bwd(bwd):
    """Deprecated: ``torch.amp.custom_bwd(..., device_type="cuda")``."""
    _deprecated("custom_bwd(...)", "custom_bwd(..., device_type='cuda')")
    return amp.custom_bwd(bwd, device_type="cuda")
