"""Where PyTorch's native module keeps names of the profiler."""

from rushlight.profiler import ProfilerActivity  # noqa: F401
