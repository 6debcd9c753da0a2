"""Where PyTorch's native module keeps names of autograd and of the profiler."""

from rushlight.profiler import DeviceType, ProfilerActivity  # noqa: F401
