"""Where PyTorch has the class of nested tensors."""
