"""Tensors without data, for PyTorch's compiler: there are none; the meta device has them."""
