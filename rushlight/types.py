"""Names for annotations: `Number`, `Device` and their like."""

import builtins
from typing import Any, List, Sequence, Tuple, Union  # noqa: UP035

import rushlight as rl
from rushlight import Size, SymBool, SymFloat, SymInt, device, dtype, layout  # noqa: F401
from rushlight.storage import TypedStorage as Storage  # noqa: F401

__all__ = ["Device", "FileLike", "Number", "Storage"]

Tensor = rl.Tensor
_int, _float, _bool = builtins.int, builtins.float, builtins.bool
_dtype, _device, _layout, _size = dtype, device, layout, Union[Size, List[int], Tuple[int, ...]]  # noqa: UP006, UP007
Number = Union[int, float, bool]  # noqa: UP007
Device = Union[device, str, int, None]  # noqa: UP007
_TensorOrTensors = Union[Tensor, Sequence[Tensor]]  # noqa: UP006, UP007
FileLike = Any
