"""`while_loop`, by the name of PyTorch's module."""

from rushlight import while_loop  # noqa: F401
