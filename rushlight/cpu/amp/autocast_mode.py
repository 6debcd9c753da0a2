"""Deprecated: `autocast` of `rushlight.amp` with "cpu" as the device type."""

import warnings

import rushlight as rl
from rushlight import amp

__all__ = ["autocast"]


class autocast(amp.autocast):
    """Deprecated: ``torch.amp.autocast("cpu", ...)``."""

    def __init__(self, enabled=True, dtype=rl.bfloat16, cache_enabled=True):
        warnings.warn(
            "torch.cpu.amp.autocast(...) is deprecated; use torch.amp.autocast('cpu', ...)",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", enabled=enabled, dtype=dtype, cache_enabled=cache_enabled)
