"""Which implementation scaled dot-product attention uses.

There is one, so every choice that includes it computes the same.
"""

from contextlib import contextmanager
from enum import IntEnum

__all__ = ["SDPBackend", "sdpa_kernel", "WARN_FOR_UNFUSED_KERNELS"]

WARN_FOR_UNFUSED_KERNELS = False


class SDPBackend(IntEnum):
    """Names of implementations of `scaled_dot_product_attention`."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends, set_priority=False):
    """Restrict `scaled_dot_product_attention` to some implementations inside a `with` block.

    On the CPU, MATH and FLASH_ATTENTION name the one there is; without either of them this raises
    RuntimeError. `set_priority` has nothing to choose between.
    """
    if isinstance(backends, SDPBackend):
        backends = [backends]
    if not isinstance(backends, (list, tuple)):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of SDPBackend")
    if not {SDPBackend.MATH, SDPBackend.FLASH_ATTENTION} & set(backends):
        raise RuntimeError(
            f"sdpa_kernel: none of {list(backends)} runs on the CPU; include SDPBackend.MATH"
        )
    yield


def __getattr__(name):
    if name == "flex_attention":
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
