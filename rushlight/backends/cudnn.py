"""NVIDIA's cuDNN, which is not there. Switches are kept, and choose between no kernels."""

import sys

from ._flags import switched

enabled, benchmark, deterministic, allow_tf32 = True, False, False, True
benchmark_limit, fp32_precision = 10, "none"


def is_available():
    """False."""
    return False


def version():
    """None."""
    return None


def is_acceptable(tensor):
    """Could it work on the tensor? False."""
    return False


flags = switched(sys.modules[__name__])
