"""``torch.legacy``, which PyTorch has given up: importing it says what to use instead."""

raise ImportError(
    "torch.legacy has been removed from PyTorch: use torch.nn in place of torch.legacy.nn, and "
    "torch.optim in place of torch.legacy.optim"
)
