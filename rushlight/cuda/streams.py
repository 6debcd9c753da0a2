"""The module in which PyTorch keeps streams and events."""

from rushlight.cuda import Event, ExternalStream, Stream  # noqa: F401
