"""The CUDA interface of a build without CUDA: what programs ask before they use a GPU.

Questions are answered, and what a program does in passing (seeding, emptying a cache, asking for
memory figures) is as harmless as with no GPU in the machine. Anything that needs a GPU raises
AssertionError, as in a CPU build of PyTorch. To add a name that needs a GPU: an entry in
`_NEED_GPU` or `_CLASSES`.
"""

from collections import OrderedDict
from contextlib import contextmanager

import rushlight as rl
from rushlight._notes import early_arguments
from rushlight import _streams

_NEED_GPU = (
    "caching_allocator_alloc", "caching_allocator_delete", "can_device_access_peer",
    "change_current_allocator", "clock_rate", "cudart", "current_blas_handle", "current_device",
    "current_solver_handle", "current_stream", "default_stream", "device_memory_used",
    "get_allocator_backend", "get_device_capability", "get_device_name", "get_device_properties",
    "get_per_process_memory_fraction", "get_rng_state", "get_stream_from_external",
    "get_sync_debug_mode", "graph_pool_handle", "init", "initial_seed", "ipc_collect",
    "list_gpu_processes", "make_graphed_callables", "mem_get_info", "memory_snapshot",
    "memory_summary", "memory_usage", "power_draw", "set_device",
    "set_per_process_memory_fraction", "set_rng_state", "set_sync_debug_mode", "synchronize",
    "temperature", "utilization",
)  # fmt: skip
_CLASSES = (
    "CUDAGraph", "CUDAPluggableAllocator", "GreenContext", "MemPool", "graph",
)  # fmt: skip
_TENSOR_TYPES = (
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor",
)  # fmt: skip
_STORAGES = (
    "BFloat16Storage", "BoolStorage", "ByteStorage", "CharStorage", "ComplexDoubleStorage",
    "ComplexFloatStorage", "DoubleStorage", "FloatStorage", "HalfStorage", "IntStorage",
    "LongStorage", "ShortStorage",
)  # fmt: skip

default_generators = ()
has_half, has_magma = True, False
OutOfMemoryError = rl.OutOfMemoryError


class CudaError(RuntimeError):
    """A function of CUDA's runtime library failed, with the code that it returned."""

    def __init__(self, code):
        super().__init__(f"CUDA error ({code})")


class DeferredCudaCallError(Exception):
    """A call that was waiting for CUDA's initialisation failed; never raised here."""


class cudaStatus:
    """The codes of CUDA's runtime library that `check_error` is told."""

    SUCCESS, ERROR_NOT_READY = 0, 34


def check_error(res):
    """Raises `CudaError` unless a code of CUDA's runtime library is that of success.

    Example::

        >>> rl.cuda.check_error(rl.cuda.cudaStatus.SUCCESS)
    """
    if res != cudaStatus.SUCCESS:
        raise CudaError(res)


def _unavailable(name, kind=AssertionError):
    return kind(
        f"cuda.{name}(): rushlight is not compiled with CUDA enabled; ask "
        "cuda.is_available() first, and use the device 'cpu'"
    )


def _needs_gpu(name):
    def missing(*args, **kwargs):
        raise _unavailable(name)

    missing.__name__ = missing.__qualname__ = name
    missing.__doc__ = "Raises AssertionError: there is no CUDA backend."
    return missing


def _class_that_needs_gpu(name, bases=(), kind=RuntimeError, **members):
    def __init__(self, *args, **kwargs):
        raise _unavailable(name, kind)

    doc = f"Creating one raises {kind.__name__}: there is no CUDA backend."
    members.update(__init__=__init__, __doc__=doc, __module__=__name__)
    return type(name, bases, members)


globals().update({name: _needs_gpu(name) for name in _NEED_GPU})
for _names, _kind in (
    (_CLASSES, RuntimeError),
    (_TENSOR_TYPES, TypeError),
    (_STORAGES, AssertionError),
):
    globals().update({name: _class_that_needs_gpu(name, kind=_kind) for name in _names})
Stream = _class_that_needs_gpu("Stream", (_streams.Stream,))
ExternalStream = _class_that_needs_gpu("ExternalStream", (Stream,))
Event = _class_that_needs_gpu(
    "Event",
    (_streams.Event,),
    ipc_handle=_needs_gpu("Event.ipc_handle"),
    from_ipc_handle=classmethod(_needs_gpu("Event.from_ipc_handle")),
)


def is_available():
    """False: there is no CUDA backend.

    Example::

        >>> rl.cuda.is_available()
        False
    """
    return False


_initialized = False  # by this name packages ask before they save states of generators


def is_initialized():
    """False, as there is nothing to initialise."""
    return _initialized


def is_bf16_supported(including_emulation=True):
    """False: no GPU supports anything here, emulated or not."""
    return False


def is_tf32_supported():
    """False."""
    return False


def is_current_stream_capturing():
    """False: nothing is recorded on a GPU."""
    return False


def device_count():
    """0, the number of GPUs that can be used."""
    return 0


def get_arch_list():
    """The kinds of GPU that there are kernels for: none."""
    return []


def get_gencode_flags():
    """What the kernels were compiled with: nothing."""
    return ""


def manual_seed(seed):
    """Seeds no generator, as there is no GPU; ``seed`` must still be an integer."""
    int(seed)


def manual_seed_all(seed):
    """Seeds the generators of all zero GPUs; ``seed`` must still be an integer."""
    int(seed)


def seed():
    """Seeds no generator, as there is no GPU."""


seed_all = seed


def get_rng_state_all():
    """The state of each GPU's generator: an empty list."""
    return []


def set_rng_state_all(new_states):
    """Sets the state of each GPU's generator; a state too many raises AssertionError."""
    for _ in new_states:
        raise _unavailable("set_rng_state_all")


# ---- memory: there is none of it -----------------------------------------------------------------


def empty_cache():
    """Frees the cached memory of the GPUs: there is none."""


def memory_allocated(device=None):
    """0: the bytes of tensors on a GPU, and likewise for the cache and for the greatest values."""
    return 0


memory_reserved = memory_cached = memory_allocated
max_memory_allocated = max_memory_reserved = max_memory_cached = memory_allocated


def memory_stats(device=None):
    """The figures of a GPU's memory: none."""
    return OrderedDict()


def host_memory_stats():
    """The figures of the host memory that is pinned for GPUs: none."""
    return OrderedDict()


def memory_stats_as_nested_dict(device=None):
    """`memory_stats` as dicts within dicts: an empty one."""
    return {}


def host_memory_stats_as_nested_dict():
    """`host_memory_stats` as dicts within dicts: an empty one."""
    return {}


def caching_allocator_enable(value=True):
    """Whether memory of GPUs is kept for reuse: there is none either way."""


@contextmanager
def caching_allocator_disabled():
    """Within, memory of GPUs is not kept for reuse: there is none either way."""
    yield


def reset_peak_memory_stats(device=None):
    """Begins to watch for greatest values anew: there are none."""


reset_max_memory_allocated = reset_max_memory_cached = reset_peak_memory_stats
reset_accumulated_memory_stats = reset_peak_memory_stats


def reset_peak_host_memory_stats():
    """Begins to watch the pinned host memory's greatest values anew: there are none."""


reset_accumulated_host_memory_stats = reset_peak_host_memory_stats


# ---- devices and streams as contexts -------------------------------------------------------------


class device:
    """``with device(i)``: changes nothing for None or a negative index.

    Raises:
        AssertionError: on entering with the index of a GPU.
    """

    @early_arguments(idx="device")
    def __init__(self, device):
        self.idx = _index(device)

    def __enter__(self):
        if self.idx >= 0:
            raise _unavailable("device")

    def __exit__(self, *exception):
        return False


class device_of(device):
    """``with device_of(tensor)``: the tensor's GPU; a tensor on the CPU changes nothing."""

    def __init__(self, obj):
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def _index(device):
    if device is None:
        return -1
    if isinstance(device, int):
        return device
    return rl.device(device).index or 0


class StreamContext:
    """``with StreamContext(stream)``: for None, changes nothing."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        if self.stream is not None:
            raise _unavailable("stream")

    def __exit__(self, *exception):
        return False


def stream(stream):
    """A context in which a GPU's work is queued on a stream; for None, changes nothing."""
    return StreamContext(stream)


def set_stream(stream):
    """Queues a GPU's work on a stream; for None, changes nothing."""
    if stream is not None:
        raise _unavailable("set_stream")


@contextmanager
def use_mem_pool(pool, device=None):
    """Raises AssertionError: there is no CUDA backend."""
    raise _unavailable("use_mem_pool")
    yield


_SUBMODULES = ("amp", "comm", "memory", "nccl", "nvtx", "profiler", "random", "streams")
__all__ = [
    *_NEED_GPU, *_CLASSES, *_TENSOR_TYPES, *_STORAGES, "Event", "ExternalStream", "Stream",
    "CudaError", "DeferredCudaCallError", "OutOfMemoryError", "StreamContext",
    "caching_allocator_disabled", "caching_allocator_enable", "check_error", "cudaStatus",
    "default_generators", "device", "device_count", "device_of", "empty_cache", "get_arch_list",
    "get_gencode_flags", "get_rng_state_all", "host_memory_stats",
    "host_memory_stats_as_nested_dict", "is_available", "is_bf16_supported",
    "is_current_stream_capturing", "is_initialized", "is_tf32_supported", "manual_seed",
    "manual_seed_all", "max_memory_allocated", "max_memory_cached", "max_memory_reserved",
    "memory_allocated", "memory_cached", "memory_reserved", "memory_stats",
    "memory_stats_as_nested_dict", "reset_accumulated_host_memory_stats",
    "reset_accumulated_memory_stats", "reset_max_memory_allocated", "reset_max_memory_cached",
    "reset_peak_host_memory_stats", "reset_peak_memory_stats", "seed", "seed_all",
    "set_rng_state_all", "set_stream", "stream", "use_mem_pool",
]  # fmt: skip


def __getattr__(name):
    if name not in _SUBMODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.{name}")
