"""Deprecated: the `GradScaler` of `rushlight.amp` on the device "cpu"."""

import warnings

from rushlight import amp

__all__ = ["GradScaler"]


class GradScaler(amp.GradScaler):
    """Deprecated: ``torch.amp.GradScaler("cpu", ...)``."""

    def __init__(
        self,
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        warnings.warn(
            "torch.cpu.amp.GradScaler(...) is deprecated; use torch.amp.GradScaler('cpu', ...)",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cpu", init_scale, growth_factor, backoff_factor, growth_interval, enabled)
