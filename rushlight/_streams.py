"""`Stream` and `Event` for any device. The CPU's are trivial, as a call there returns when its work
is done; those of other devices are refused. `rushlight.cpu` has its own, in an accelerator's style.
"""

import rushlight as rl

__all__ = ["Event", "Stream"]


def _cpu(device, name):
    kind = "cpu" if device is None else str(device).partition(":")[0]
    if kind != "cpu":
        raise RuntimeError(f"{name}: there is no support for {kind} devices here; use 'cpu'")
    return rl.device("cpu")


def _no_events(name):
    raise RuntimeError(f"{name}: the cpu has no events, as nothing there is asynchronous")


class Stream:
    """A queue of work on a device.

    Args:
        device: only the CPU, which is also the default.
        priority: accepted; the CPU has one queue.

    Example::

        >>> rl.Stream("cpu").query()
        True
    """

    stream_id = 0
    device_index = -1
    device_type = 0

    def __init__(self, device=None, *, priority=0):
        self.device = _cpu(device, "Stream")

    def query(self):
        """Whether all work is done: True."""
        return True

    def synchronize(self):
        """Returns at once: nothing is pending."""

    def wait_stream(self, stream):
        """RuntimeError: streams wait for one another by events."""
        _no_events("Stream.wait_stream")

    def wait_event(self, event):
        """RuntimeError: the CPU has no events."""
        _no_events("Stream.wait_event")

    def record_event(self, event=None):
        """RuntimeError: the CPU has no events."""
        _no_events("Stream.record_event")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    def __eq__(self, other):
        return isinstance(other, Stream) and self.device == other.device

    def __hash__(self):
        return hash((Stream, self.device.type))

    def __repr__(self):
        return "torch.Stream device_type=cpu, device_index=-1, stream_id=0"


class Event:
    """A moment in a stream; one that was never recorded is over.

    Args:
        device: only the CPU, which is also the default.
        enable_timing, blocking, interprocess: accepted; they matter once it is recorded.
    """

    event_id = 0

    def __init__(self, device=None, *, enable_timing=False, blocking=False, interprocess=False):
        self.device, self._timed = _cpu(device, "Event"), enable_timing

    def query(self):
        """Whether it is over: True."""
        return True

    def synchronize(self):
        """Returns at once."""

    def wait(self, stream=None):
        """Returns at once."""

    def record(self, stream=None):
        """RuntimeError: the CPU has no events."""
        _no_events("Event.record")

    def elapsed_time(self, end_event):
        """ValueError unless both measure time, RuntimeError as neither was recorded."""
        if not (self._timed and end_event._timed):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        _no_events("Event.elapsed_time")

    def __repr__(self):
        flag = int(self._timed)
        return f"torch.Event device_type=cpu, device_index=-1, event_flag={flag}, event_id=0"
