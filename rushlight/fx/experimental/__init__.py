"""Names on trial in PyTorch: `proxy_tensor`, `symbolic_shapes`."""

from rushlight._late import submodules

__getattr__ = submodules(__name__, ("proxy_tensor", "symbolic_shapes"))
