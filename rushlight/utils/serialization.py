"""``torch.utils.serialization``, which PyTorch has given up: importing it says so."""

raise ImportError(
    "torch.utils.serialization has been removed from PyTorch: use torch.load for files of PyTorch; "
    "those of Lua's torch (load_lua) are not read"
)
