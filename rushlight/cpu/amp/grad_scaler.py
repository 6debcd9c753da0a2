"""Deprecated: the `GradScaler` of `rushlight.amp` on the device "cpu"."""

from rushlight.amp.grad_scaler import DeviceGradScaler

__all__ = ["GradScaler"]


class GradScaler(DeviceGradScaler):
    """Deprecated: ``torch.amp.GradScaler("cpu", ...)``."""

    _device = "cpu"
