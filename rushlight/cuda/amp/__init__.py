"""The older names of `rushlight.amp` for CUDA; all are deprecated, and off without CUDA."""

from .autocast_mode import autocast, custom_bwd, custom_fwd
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]
