"""Switches of CUDA's kernels, of which there are none; those of attention are `sdp_*`.

Settings are kept, and choose between kernels that are not there. Attention on the CPU has one
implementation, called "math".
"""

from contextlib import contextmanager
from types import SimpleNamespace

__all__ = [
    "allow_fp16_bf16_reduction_math_sdp", "can_use_cudnn_attention", "can_use_efficient_attention",
    "can_use_flash_attention", "cudnn_sdp_enabled", "enable_cudnn_sdp", "enable_flash_sdp",
    "enable_math_sdp", "enable_mem_efficient_sdp", "flash_sdp_enabled",
    "fp16_bf16_reduction_math_sdp_allowed", "is_built", "is_flash_attention_available",
    "math_sdp_enabled", "matmul", "mem_efficient_sdp_enabled", "preferred_blas_library",
    "preferred_linalg_library", "sdp_kernel",
]  # fmt: skip

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
    allow_fp16_accumulation=False,
    fp32_precision="none",
)
_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True, "reduced": False}


def is_built():
    """False: there is no CUDA."""
    return False


def is_flash_attention_available():
    """False."""
    return False


def can_use_flash_attention(params, debug=False):
    """False."""
    return False


can_use_efficient_attention = can_use_cudnn_attention = can_use_flash_attention


def _switch(name, what):
    def enabled():
        return _sdp[name]

    def enable(enabled):
        _sdp[name] = bool(enabled)

    enabled.__doc__ = f"May {what} be used?"
    enable.__doc__ = f"Says whether {what} may be used."
    return enabled, enable


flash_sdp_enabled, enable_flash_sdp = _switch("flash", "flash attention")
mem_efficient_sdp_enabled, enable_mem_efficient_sdp = _switch("mem_efficient", "blocked attention")
math_sdp_enabled, enable_math_sdp = _switch("math", "the plain formula of attention")
cudnn_sdp_enabled, enable_cudnn_sdp = _switch("cudnn", "cuDNN's attention")
fp16_bf16_reduction_math_sdp_allowed, allow_fp16_bf16_reduction_math_sdp = _switch(
    "reduced", "sums in half precision"
)


@contextmanager
def sdp_kernel(enable_flash=True, enable_math=True, enable_mem_efficient=True, enable_cudnn=True):
    """Sets the switches of attention until the end of a ``with``."""
    before = dict(_sdp)
    _sdp.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield
    finally:
        _sdp.update(before)


def preferred_linalg_library(backend=None):
    """The library of linear algebra on a GPU: "default"."""
    return "default"


def preferred_blas_library(backend=None):
    """The library of matrix products on a GPU: "default"."""
    return "default"
