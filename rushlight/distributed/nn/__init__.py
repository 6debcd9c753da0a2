"""The module in which PyTorch keeps differentiable collectives."""

from . import functional  # noqa: F401
