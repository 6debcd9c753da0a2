"""``torch.utils.ffi``, which PyTorch has given up: importing it says what to use instead."""

raise ImportError(
    "torch.utils.ffi has been removed from PyTorch: write the op in Python with torch.library, or "
    "call C through ctypes"
)
