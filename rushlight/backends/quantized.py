"""Kernels of quantized tensors: there are none."""

engine, supported_engines = "none", ["none"]
