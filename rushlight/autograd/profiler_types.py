"""What early profilers were told and what they logged; `rushlight.profiler` records."""

import enum

from rushlight.profiler import DeviceType, ProfilerActivity, kineto_available

__all__ = [
    "DeviceType",
    "ProfilerActivity",
    "ProfilerConfig",
    "ProfilerEvent",
    "ProfilerState",
    "kineto_available",
]

ProfilerState = enum.Enum(
    "ProfilerState",
    """Disabled CPU CUDA NVTX ITT PRIVATEUSE1 KINETO KINETO_GPU_FALLBACK
    KINETO_PRIVATEUSE1_FALLBACK KINETO_PRIVATEUSE1""",
    module="torch.autograd",
    start=0,
)


class ProfilerConfig:
    """What a profiler is asked to record."""

    def __init__(
        self,
        state,
        report_input_shapes,
        profile_memory,
        with_stack,
        with_flops,
        with_modules,
        experimental_config=None,
        trace_id="",
    ):
        self.state, self.trace_id = state, trace_id
        self.report_input_shapes, self.profile_memory = report_input_shapes, profile_memory
        self.with_stack, self.with_flops, self.with_modules = with_stack, with_flops, with_modules
        self.experimental_config = experimental_config


class ProfilerEvent:
    """One mark in the log of a thread: a name and a time in nanoseconds."""

    def __init__(self, kind, name, thread_id, time_ns, shapes=()):
        self._kind, self._name, self._thread, self._time = kind, name, thread_id, time_ns
        self._shapes = shapes

    def kind(self):
        """``"push"``, ``"pop"`` or ``"mark"``."""
        return self._kind

    def name(self):
        """Of the op, or as given to `record_function`."""
        return self._name

    def thread_id(self):
        """The thread it happened in."""
        return self._thread

    def start_us(self):
        """When, in microseconds."""
        return self._time / 1000

    def cpu_elapsed_us(self, end):
        """Microseconds from this one to another."""
        return (end._time - self._time) / 1000

    def shapes(self):
        """Sizes of the tensors among the arguments."""
        return self._shapes

    def has_cuda(self):
        """False: there is no GPU to time."""
        return False
