"""The makers under PyTorch's module name; both are in the package's `__init__`."""

from rushlight.masked.maskedtensor import (
    as_masked_tensor as as_masked_tensor,
    masked_tensor as masked_tensor,
)

__all__ = ["as_masked_tensor", "masked_tensor"]
