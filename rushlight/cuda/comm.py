"""Copying tensors between GPUs; with none, only what needs no GPU works."""

from rushlight.nn.parallel import gather, scatter  # noqa: F401
