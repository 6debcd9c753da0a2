"""Deprecated: the `GradScaler` of `rushlight.amp` on the device "cuda"."""

from rushlight.amp.grad_scaler import DeviceGradScaler, OptState

__all__ = ["GradScaler", "OptState"]


class GradScaler(DeviceGradScaler):
    """Deprecated: ``torch.amp.GradScaler("cuda", ...)``."""

    _device = "cuda"
