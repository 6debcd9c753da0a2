"""PyTorch's ``torch.profiler``: how often ops are called and how long they take.

`profile` notes every op that the program calls, through the hook of `rushlight._interpose`; ops
within a composition are part of it. What is noted, and the table and trace made of it, are in
`_events.py`.
"""

import os
import socket
import time
from enum import Enum

import rushlight as rl
from rushlight import _interpose
from rushlight._notes import unsupported, unsupported_class

from ._events import DeviceType, EventList, FunctionEvent

__all__ = [
    "DeviceType", "ExecutionTraceObserver", "ProfilerAction", "ProfilerActivity", "RecordScope",
    "is_fbcode", "kineto_available", "profile", "record_function", "schedule",
    "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip

_active = []  # profilers that are recording, innermost last


class ProfilerActivity(Enum):
    """What to watch; there is the CPU only."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What to do in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class RecordScope(Enum):
    """What a recorded span is; this module's are FUNCTION and USER_SCOPE."""

    FUNCTION = 0
    BACKWARD_FUNCTION = 1
    TORCHSCRIPT_FUNCTION = 2
    KERNEL_FUNCTION_DTYPE = 3
    CUSTOM_CLASS = 4
    BUILD_FEATURE = 5
    LITE_INTERPRETER = 6
    USER_SCOPE = 7
    STATIC_RUNTIME_OP = 8
    STATIC_RUNTIME_MODEL = 9


ExecutionTraceObserver = unsupported_class(
    "torch.profiler", "ExecutionTraceObserver", "export_chrome_trace shows what ran"
)


def kineto_available():
    """Is PyTorch's tracing library there? False: events are noted by this module."""
    return False


def supported_activities():
    """What can be watched: the CPU."""
    return {ProfilerActivity.CPU}


def is_fbcode():
    """False."""
    return False


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """What to do in each step: skip some, then in cycles wait, warm up and record.

    Example::

        >>> what = rl.profiler.schedule(wait=1, warmup=1, active=2)
        >>> [what(step).name for step in range(5)]
        ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError("Invalid profiler schedule arguments")
    cycle = wait + warmup + active

    def what(step):
        if step < skip_first:
            return ProfilerAction.NONE
        step += (wait if skip_first_wait else 0) - skip_first
        if repeat > 0 and step // cycle >= repeat:
            return ProfilerAction.NONE
        place = step % cycle
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        last = place == cycle - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return what


def _always(step):
    return ProfilerAction.RECORD


def tensorboard_trace_handler(dir_name, worker_name=None, use_gzip=False):
    """An ``on_trace_ready`` that writes Chrome traces into a folder, named for TensorBoard."""
    os.makedirs(dir_name, exist_ok=True)
    worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"

    def write(prof):
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return write


class record_function:
    """``with record_function("name")``: a part of the program that is noted by name.

    Also a decorator. Without a profiler it costs next to nothing.
    """

    def __init__(self, name, args=None):
        self.name, self.args = name, args

    def __enter__(self):
        self._began = time.perf_counter_ns()
        return self

    def __exit__(self, *exception):
        if _active:
            _active[-1]._note(self.name, self._began, time.perf_counter_ns(), None, user=True)

    def __call__(self, function):
        import functools

        @functools.wraps(function)
        def recorded(*args, **kwargs):
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return recorded


class profile:
    """``with profile() as prof``: notes the ops that run.

    Args:
        activities: what to watch; only the CPU is, and there must be it or nothing else.
        schedule: what to do in each step, see `schedule`; call ``prof.step()`` after each.
        on_trace_ready: called with this object when a recording is done.
        record_shapes: note the shapes of inputs.
        profile_memory: note the bytes that results take.
        with_stack: note the line of the program that calls.
        acc_events: keep what earlier cycles noted.
        with_flops, with_modules, experimental_config, execution_trace_observer, use_cuda,
            custom_trace_id_callback, post_processing_timeout_s: not supported; leave them out.

    Example::

        >>> with rl.profiler.profile() as prof:
        ...     _ = rl.ones(3) + 1
        >>> [(event.key, event.count) for event in prof.key_averages()]
        [('aten::ones', 1), ('aten::add', 1)]
    """

    def __init__(
        self,
        *,
        activities=None,
        schedule=None,
        on_trace_ready=None,
        record_shapes=False,
        profile_memory=False,
        with_stack=False,
        with_flops=False,
        with_modules=False,
        experimental_config=None,
        execution_trace_observer=None,
        acc_events=False,
        use_cuda=None,
        custom_trace_id_callback=None,
        post_processing_timeout_s=None,
    ):
        if with_flops or with_modules:
            raise unsupported("profile: with_flops and with_modules")
        if experimental_config or execution_trace_observer or custom_trace_id_callback:
            raise unsupported("profile: experimental_config, observers and trace ids")
        self.activities = set(activities or supported_activities())
        self.schedule, self.on_trace_ready = schedule or _always, on_trace_ready
        self.record_shapes, self.profile_memory = record_shapes, profile_memory
        self.with_stack, self.acc_events = with_stack, acc_events
        self._has_schedule, self.step_num = schedule is not None, 0
        self._events, self._watch, self._metadata = EventList(), None, {}
        self.current_action = self.schedule(0)

    # ---- recording -------------------------------------------------------------------------

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()

    def start(self):
        """Begins."""
        self._begin_step()

    def stop(self):
        """Ends, and calls ``on_trace_ready`` if something was recorded."""
        recording = self._watch is not None
        self._pause()
        if recording and self.on_trace_ready:
            self.on_trace_ready(self)

    def step(self):
        """Says that a step of the program is over."""
        done = self.current_action
        self._pause()
        if done is ProfilerAction.RECORD_AND_SAVE and self.on_trace_ready:
            self.on_trace_ready(self)
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        if done is ProfilerAction.RECORD_AND_SAVE and not self.acc_events and self._records():
            self._events = EventList()
        self._begin_step()

    def _records(self):
        return self.current_action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)

    def _begin_step(self):
        if self._records():
            self._watch = _interpose.interpose(self._call)
            self._watch.__enter__()
            _active.append(self)
            self._step_began = time.perf_counter_ns()

    def _pause(self):
        if self._watch is None:
            return
        self._watch.__exit__(None, None, None)
        self._watch = None
        _active.remove(self)
        if self._has_schedule:
            name, now = f"ProfilerStep#{self.step_num}", time.perf_counter_ns()
            self._note(name, self._step_began, now, None, user=True)

    def _call(self, function, args, kwargs):
        name = getattr(function, "__name__", "")
        if name == "__get__" or type(function).__name__ not in ("builtin_op", "op_method"):
            return NotImplemented
        began = time.perf_counter_ns()
        result = function(*args, **kwargs)
        self._note(f"aten::{name}", began, time.perf_counter_ns(), args, result=result)
        return result

    def _note(self, name, began, ended, args, user=False, result=None):
        event = FunctionEvent(name, began / 1000, ended / 1000, is_user_annotation=user)
        if self.record_shapes and args:
            event.input_shapes = [list(a.shape) if _plain(a) else [] for a in args]
        if self.profile_memory and _plain(result):
            event.cpu_memory_usage = result.numel() * result.element_size()
        if self.with_stack:
            import traceback

            event.stack = [str(f) for f in reversed(traceback.extract_stack()[:-3])]
        self._events.append(event)

    # ---- results ---------------------------------------------------------------------------

    def events(self):
        """What was noted, in order."""
        return self._events

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0):
        """What was noted, with equal names put together."""
        return self._events.key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path):
        """Writes a file for chrome://tracing or Perfetto; compressed if its name ends in .gz."""
        self._events.export_chrome_trace(path, self._metadata)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """Writes a line for each event's stack, with its time; needs ``with_stack``."""
        self._events.export_stacks(path, metric)

    def add_metadata(self, key, value):
        """Adds a text to the trace."""
        self._metadata[key] = value

    def add_metadata_json(self, key, value):
        """Adds a value, written as JSON, to the trace."""
        import json

        self._metadata[key] = json.loads(value)


def _plain(value):
    return isinstance(value, rl.Tensor)
