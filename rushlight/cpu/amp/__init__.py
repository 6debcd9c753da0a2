"""The older names of `rushlight.amp` for the CPU; both are deprecated."""

from .autocast_mode import autocast
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast"]
