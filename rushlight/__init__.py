"""rushlight: tensors, dynamic graphs, autograd and neural networks, with PyTorch's names.

``import rushlight as torch`` is all that a PyTorch program changes. This file only assembles:
operators come from the records in `rushlight.ops`, everything else from the module of its name.
"""

import os as _os

from rushlight import _native

_native.set_package_prefix(_os.path.dirname(_os.path.abspath(__file__)) + _os.sep)

from rushlight._native import (  # noqa: E402
    Generator,
    jagged,
    Size,
    Tensor,
    UntypedStorage,
    as_tensor,
    bfloat16,
    bool,
    can_cast,
    channels_last,
    channels_last_3d,
    complex32,
    complex64,
    complex128,
    contiguous_format,
    default_generator,
    device,
    dtype,
    float4_e2m1fn_x2,
    float8_e4m3fn,
    float8_e4m3fnuz,
    float8_e5m2,
    float8_e5m2fnuz,
    float8_e8m0fnu,
    float16,
    float32,
    float64,
    from_dlpack,
    from_numpy,
    frombuffer,
    get_default_dtype,
    get_num_threads,
    int8,
    int16,
    int32,
    int64,
    is_grad_enabled,
    is_inference_mode_enabled,
    layout,
    memory_format,
    preserve_format,
    promote_types,
    set_default_dtype,
    set_num_threads,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
    tensor,
    uint8,
    uint16,
    uint32,
    uint64,
)

globals().update({name: getattr(_native, name) for name in _native.named_dtypes})
float, double, half, long, int, short = float32, float64, float16, int64, int32, int16  # noqa: A001
chalf, cfloat, cdouble = complex32, complex64, complex128
from math import e, inf, nan, pi  # noqa: E402

from rushlight._runtime import *  # noqa: E402, F403
from rushlight import ops  # noqa: E402

ops.load()
globals().update(ops._record.namespaces["torch"])

from rushlight import _interpose, _late, _tensor_methods  # noqa: E402

_interpose.install(Tensor)
_late.install(Tensor, _late.METHODS)
_late.install(UntypedStorage, _late.STORAGE_METHODS)
_tensor_methods.install(Tensor)


_late.sys.modules[__name__].__class__ = _native.module


def __getattr__(name):
    if name == "__all__":  # `from torch import *`: the functions and types
        names = {*globals(), *_late.names()} - _late.MODULES
        return sorted([n for n in names if n[0] != "_" and n not in ("ops", "torch")])
    return _late.find(name)


def __dir__():
    return sorted({*globals(), *_late.names()})
