"""Names on trial in PyTorch: `proxy_tensor`, `symbolic_shapes`."""
