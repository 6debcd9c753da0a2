"""Private names of PyTorch's native module that packages touch, as far as they mean something here.

Nothing in this package uses them.
"""

from enum import Enum, auto

import rushlight as rl
from rushlight import _native
from rushlight._native import Generator, Size, UntypedStorage, device, dtype, layout, memory_format
from rushlight.jit import CompilationUnit, ScriptFunction, ScriptModule
from rushlight.overrides import DisableTorchFunction, DisableTorchFunctionSubclass

__all__ = [
    "CompilationUnit", "DispatchKey", "DispatchKeySet", "DisableTorchFunction",
    "DisableTorchFunctionSubclass", "Generator", "Graph", "Node", "ScriptFunction", "ScriptModule",
    "Size", "StorageBase", "TensorBase", "UntypedStorage", "Value", "device", "dtype", "layout",
    "memory_format",
]  # fmt: skip

from rushlight.fx import Graph, Node  # noqa: E402

StorageBase = UntypedStorage
TensorBase = _TensorBase = rl.Tensor
_TensorMeta = type(rl.Tensor)
_LinAlgError = rl.linalg.LinAlgError
Value = Node
ScriptMethod = ScriptFunction
_disabled_torch_function_impl = _native._disabled_torch_function_impl
_disabled_torch_dispatch_impl = _native._disabled_torch_dispatch_impl
default_generator = rl.default_generator
has_mkldnn = _has_mkldnn = True
has_openmp = has_lapack = True
_has_cuda = _has_mps = _has_xpu = has_cuda = has_mps = has_mkl = False


class DispatchKey(Enum):
    """Kinds of kernels that `library` knows by these names."""

    CPU = auto()
    Meta = auto()
    CUDA = auto()
    Autograd = auto()
    AutogradCPU = auto()
    CompositeExplicitAutograd = auto()
    CompositeImplicitAutograd = auto()
    Autocast = auto()
    AutocastCPU = auto()
    Undefined = auto()


class DispatchKeySet:
    """A set of `DispatchKey`s."""

    def __init__(self, *keys):
        self._keys = frozenset(keys)

    def has(self, key):
        """Is the key in it?"""
        return key in self._keys

    def __or__(self, other):
        return DispatchKeySet(*self._keys, *other._keys)


def _get_tracing_state():
    """The recorder of `rl.jit.trace` at work, or None."""
    from rushlight.jit._trace import tracers

    return tracers[-1] if tracers else None


def _get_default_device():
    """The kind of device that tensors are made on unless one is asked for."""
    return rl.get_default_device().type


def _log_api_usage_once(event):
    """Notes for PyTorch's makers which parts are used: nothing is noted."""


def _is_torch_function_enabled():
    """Do classes with a ``__torch_function__`` see calls?"""
    return not _native.torch_function_off()


def _is_torch_function_mode_enabled():
    """Is a function mode active?"""
    return rl.overrides._modes_active()


def _are_functorch_transforms_active():
    """Is a function transform, such as `vmap` or `grad`, at work?"""
    from rushlight.func.levels import is_active

    return is_active()


def _is_alias_of(first, second):
    """Do two tensors share their memory?"""
    return first.untyped_storage()._cdata == second.untyped_storage()._cdata


_MODULES = (
    "_autograd", "_distributed_c10d", "_distributed_rpc", "_functorch", "_nn", "_profiler"
)  # fmt: skip


def __getattr__(name):
    if name in _MODULES:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
