"""rushlight: tensors, dynamic graphs, autograd and neural networks, with PyTorch's names.

``import rushlight as torch`` is all that a PyTorch program changes. This file only assembles:
operators come from the records in `rushlight.ops`, everything else from the module of its name.
"""

import os as _os

from rushlight import _native

_native.set_package_prefix(_os.path.dirname(_os.path.abspath(__file__)) + _os.sep)

from rushlight._native import (  # noqa: E402
    Generator,
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

from rushlight import _removed, _tensor_methods, _tensor_str, autograd, nn  # noqa: E402
from rushlight import optim, overrides, utils  # noqa: E402
from rushlight._tensor_str import set_printoptions  # noqa: E402
from rushlight.autograd.anomaly_mode import (  # noqa: E402
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_anomaly_enabled,
)
from rushlight.autograd.grad_mode import (  # noqa: E402
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
)
from rushlight.overrides import DisableTorchFunction, DisableTorchFunctionSubclass  # noqa: E402
from rushlight.serialization import load, save  # noqa: E402
from rushlight.storage import *  # noqa: E402, F403
from rushlight._autocast_state import *  # noqa: E402, F403
from rushlight._switches import *  # noqa: E402, F403
from rushlight._tensor_types import *  # noqa: E402, F403
from rushlight.torch_version import __version__  # noqa: E402

_tensor_methods.install(Tensor)
globals().update(_removed.functions)
overrides.install()

from rushlight import sparse  # noqa: E402

sparse.install()

from rushlight._forms import *  # noqa: E402, F403

_LAZY = (
    "_C",
    "__config__",
    "_dynamo",
    "_higher_order_ops",
    "_jit_internal",
    "_subclasses",
    "_utils",
    "accelerator",
    "amp",
    "backends",
    "compiler",
    "cpu",
    "cuda",
    "distributed",
    "distributions",
    "fft",
    "func",
    "futures",
    "fx",
    "hub",
    "jit",
    "library",
    "linalg",
    "masked",
    "mps",
    "multiprocessing",
    "onnx",
    "profiler",
    "random",
    "signal",
    "special",
    "testing",
    "torch_version",
    "types",
    "vision",
    "xpu",
)  # load on first use
#: name -> the module that has it
_LAZY_NAMES = {
    "Event": "_streams",
    "Future": "futures",
    "GradScaler": "amp",
    "Stream": "_streams",
    "Tag": "_tags",
    "autocast": "amp",
    "compile": "compiler",
    "PyTorchFileReader": "_serialization.file_reader",
    "ScriptModule": "jit",
    "install_as_torch": "_as_torch",
    "vmap": "func",
    "btrifact": "_early_linalg",
    "btrisolve": "_early_linalg",
    "gels": "_early_linalg",
    "gesv": "_early_linalg",
    "potrf": "_early_linalg",
    "potri": "_early_linalg",
    "potrs": "_early_linalg",
    "pstrf": "_early_linalg",
    "trtrs": "_early_linalg",
}


def __getattr__(name):
    import importlib

    if name == "torch":  # `from torch import torch`
        return importlib.import_module(__name__)
    if name in _LAZY:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY_NAMES[name]}"), name)
    raise _removed.absent(__name__, name)


def __dir__():
    return sorted({*globals(), *_LAZY, *_LAZY_NAMES})
