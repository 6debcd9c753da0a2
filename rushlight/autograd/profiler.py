"""The profiler by its earlier name: `rushlight.profiler` in another dress."""

from rushlight import profiler as _profiler
from rushlight._notes import unsupported
from rushlight.profiler import record_function
from rushlight.profiler._events import EventList, FunctionEvent, FunctionEventAvg

__all__ = [
    "EventList", "FunctionEvent", "FunctionEventAvg", "emit_itt", "emit_nvtx", "profile",
    "load_nvprof", "record_function",
]  # fmt: skip


class profile(_profiler.profile):
    """``with profile() as prof``: notes the ops that run.

    Args:
        enabled: False to note nothing.
        use_cuda, use_device: None or False; there is the CPU only.
        record_shapes, with_flops, profile_memory, with_stack, with_modules: see
            `rushlight.profiler.profile`.
        use_kineto, use_cpu: accepted; the CPU is watched.
    """

    def __init__(
        self,
        enabled=True,
        *,
        use_cuda=False,
        use_device=None,
        record_shapes=False,
        with_flops=False,
        profile_memory=False,
        with_stack=False,
        with_modules=False,
        use_kineto=False,
        use_cpu=True,
    ):
        if use_cuda or use_device not in (None, "cpu"):
            raise unsupported("autograd.profiler.profile: a device other than the CPU")
        super().__init__(
            record_shapes=record_shapes,
            with_flops=with_flops,
            profile_memory=profile_memory,
            with_stack=with_stack,
            with_modules=with_modules,
        )
        self.enabled = enabled

    def __enter__(self):
        return super().__enter__() if self.enabled else self

    def __exit__(self, *exception):
        return super().__exit__(*exception) if self.enabled else None

    @property
    def function_events(self):
        """What was noted."""
        return self.events()

    def table(self, sort_by=None, row_limit=100, header=None):
        """A table of the events as text."""
        return self.events().table(sort_by=sort_by, row_limit=row_limit, header=header)

    def total_average(self):
        """One entry for all events."""
        return self.events().total_average()

    @property
    def self_cpu_time_total(self):
        """The time of all events, in microseconds."""
        return self.events().self_cpu_time_total

    def __repr__(self):
        return self.table()


def _no_tool(name):
    class emit:
        def __init__(self, enabled=True, record_shapes=False):
            self.enabled = enabled

        def __enter__(self):
            if self.enabled:
                raise RuntimeError(f"{name}: the profiler that would read it is not there")
            return self

        def __exit__(self, *exception):
            return False

    emit.__name__ = emit.__qualname__ = name
    emit.__doc__ = "``with``: marks for another profiler, which is not there. Entering one raises."
    return emit


def load_nvprof(path):
    """NotImplementedError: files of NVIDIA's profiler are not read."""
    raise unsupported("autograd.profiler.load_nvprof", "there are no GPUs whose traces it reads")


emit_nvtx, emit_itt = _no_tool("emit_nvtx"), _no_tool("emit_itt")
