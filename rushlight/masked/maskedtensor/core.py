"""The class and its test under PyTorch's module name; both are in the package's `__init__`."""

from rushlight.masked.maskedtensor import (
    MaskedTensor as MaskedTensor,
    is_masked_tensor as is_masked_tensor,
)

__all__ = ["MaskedTensor", "is_masked_tensor"]
