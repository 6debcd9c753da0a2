"""Functions of functions by PyTorch's private names: `associative_scan`."""

from .associative_scan import associative_scan  # noqa: F401
