"""`cond`, by the name of PyTorch's module."""

from rushlight import cond  # noqa: F401
