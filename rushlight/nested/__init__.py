"""The `nested` namespace: tensors of one dtype and of different lengths, in one object.

The class and its geometry and graph are in `_internal.nested_tensor`, what functions do with it in
`_internal.functions`, what makes it in `_internal.making`.
"""

from rushlight.nested._internal import functions as _functions  # noqa: F401 (adds its rules)
from rushlight.nested._internal.making import (
    as_nested_tensor,
    masked_select,
    narrow,
    nested_tensor,
    nested_tensor_from_jagged,
    to_padded_tensor,
)

__all__ = [
    "as_nested_tensor",
    "masked_select",
    "narrow",
    "nested_tensor",
    "nested_tensor_from_jagged",
    "to_padded_tensor",
]
