"""The CPU with the interface of an accelerator module: one device, where all work is done at once,
so that streams are always empty and there is nothing to wait for.
"""

import rushlight as rl
from rushlight.cpu import amp

__all__ = [
    "amp",
    "Event",
    "Stream",
    "StreamContext",
    "current_device",
    "current_stream",
    "device_count",
    "get_capabilities",
    "is_available",
    "is_initialized",
    "set_device",
    "stream",
    "synchronize",
]


class Stream:
    """A stream of work on the CPU: each piece is done before the call that asks for it returns."""

    def __init__(self, priority=-1):
        self.priority = priority

    def wait_stream(self, stream):
        """Returns at once: the other stream has no work left."""

    def record_event(self):
        """An event that has happened already."""
        return Event()

    def wait_event(self, event):
        """Returns at once: events here are always over."""


class Event:
    """A moment in a stream; on the CPU it is always over."""

    def query(self):
        """Whether it has happened: True."""
        return True

    def record(self, stream=None):
        """Nothing is pending that could be marked."""

    def synchronize(self):
        """Returns at once."""

    def wait(self, stream=None):
        """Returns at once."""


_current = [Stream()]


class StreamContext:
    """Makes a stream the current one within a ``with`` block."""

    def __init__(self, stream):
        self.stream, self.previous = stream, None

    def __enter__(self):
        if self.stream is not None:
            self.previous, _current[0] = _current[0], self.stream

    def __exit__(self, kind, value, traceback):
        if self.stream is not None:
            _current[0] = self.previous


def stream(stream):
    """A context manager within which ``stream`` is the current one."""
    return StreamContext(stream)


def current_stream(device=None):
    """The stream made current last."""
    _check(device)
    return _current[0]


def _check(device):
    if isinstance(device, int) or device is None:
        return
    if rl.device(device).type != "cpu":
        raise ValueError(f"cpu: expected the device 'cpu', got {device!r}")


def synchronize(device=None):
    """Returns at once: calls on the CPU do not return before their work is done."""
    _check(device)


def set_device(device):
    """There is one CPU device, which is always the current one."""
    _check(device)


def current_device():
    """``"cpu"``"""
    return "cpu"


def device_count():
    """1"""
    return 1


def is_available():
    """True"""
    return True


def is_initialized():
    """True"""
    return True


def get_capabilities():
    """What the processor is and can, as the operating system tells: a read-only mapping.

    ``architecture``, ``cpu_name``, ``num_logical_cores``; and True for each instruction-set
    extension under the name that the system gives it (``avx2``, ``fma``, ``asimd`` ...).

    Example::

        >>> rl.cpu.get_capabilities()["num_logical_cores"] >= 1
        True
    """
    import os
    import platform
    import types

    facts = _processor_facts()
    flags = facts.get("flags", facts.get("Features", "")).split()
    found = {
        "architecture": platform.machine(),
        "cpu_name": facts.get("model name", platform.processor()),
        "num_logical_cores": os.cpu_count(),
    }
    return types.MappingProxyType({**dict.fromkeys(flags, True), **found})


def _processor_facts():
    """The first processor's lines of /proc/cpuinfo; nothing where there is no such file."""
    import os

    if not os.path.exists("/proc/cpuinfo"):
        return {}
    with open("/proc/cpuinfo") as file:
        first = file.read().partition("\n\n")[0]
    pairs = [line.partition(":") for line in first.splitlines()]
    return {key.strip(): value.strip() for key, _, value in pairs}
