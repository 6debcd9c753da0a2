"""Events of a profiler: a list, averages by name, a table, a Chrome trace."""

import gzip
import json
import os
import threading
from enum import Enum

__all__ = ["DeviceType", "EventList", "FunctionEvent", "FunctionEventAvg"]


class DeviceType(Enum):
    """Where something ran."""

    CPU = 0
    CUDA = 1


class FunctionEvent:
    """A call: its name, when it began and ended in microseconds, and what was noted besides."""

    def __init__(self, name, start, end, is_user_annotation=False):
        self.name = self.key = name
        self.start_us, self.end_us, self.thread = start, end, threading.get_ident()
        self.is_user_annotation, self.count = is_user_annotation, 1
        self.input_shapes, self.cpu_memory_usage, self.stack = [], 0, []
        self.device_type, self.device_time_total, self.is_async = DeviceType.CPU, 0.0, False
        self.inner_us = 0.0

    @property
    def cpu_time_total(self):
        """Its time in microseconds."""
        return self.end_us - self.start_us

    cpu_time = cpu_time_total

    @property
    def self_cpu_time_total(self):
        """Its time without that of the events within it."""
        return self.cpu_time_total - self.inner_us

    def __repr__(self):
        return f"<FunctionEvent name={self.name} cpu_time={_time(self.cpu_time_total)}>"


class FunctionEventAvg:
    """Events of one name."""

    def __init__(self, first):
        self.key, self.input_shapes, self.stack = first.name, first.input_shapes, first.stack
        self.count, self.cpu_memory_usage, self.device_time_total = 0, 0, 0.0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.self_device_time_total, self.is_user_annotation = 0.0, first.is_user_annotation
        self.device_type = first.device_type

    def add(self, event):
        """Adds an event."""
        self.count += event.count
        self.cpu_time_total += event.cpu_time_total
        self.self_cpu_time_total += event.self_cpu_time_total
        self.cpu_memory_usage += event.cpu_memory_usage
        return self

    @property
    def self_cpu_memory_usage(self):
        """The bytes of the results."""
        return self.cpu_memory_usage

    @property
    def cpu_time(self):
        """The mean time of a call in microseconds."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def __repr__(self):
        return f"<FunctionEventAvg key={self.key} count={self.count}>"


def _time(us):
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if us >= size:
            return f"{us / size:.3f}{unit}"
    return f"{us:.3f}us"


def _bytes(count):
    for unit, size in (("Gb", 1 << 30), ("Mb", 1 << 20), ("Kb", 1 << 10)):
        if abs(count) >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} b"


class EventList(list):
    """Events, or averages of them."""

    def key_averages(self, group_by_input_shapes=False, group_by_stack_n=0):
        """A list with one entry a name (and shapes, and the last lines of the stack)."""
        self._nest()
        found = {}
        for event in self:
            shapes = str(event.input_shapes) if group_by_input_shapes else None
            key = event.name, shapes, tuple(event.stack[:group_by_stack_n])
            found.setdefault(key, FunctionEventAvg(event)).add(event)
        return EventList(found.values())

    def _nest(self):
        """Gives each event the time of those directly within it."""
        open_events = []
        for event in sorted(self, key=lambda e: (e.start_us, -e.end_us)):
            event.inner_us = 0.0
            while open_events and open_events[-1].end_us <= event.start_us:
                open_events.pop()
            if open_events and event.end_us <= open_events[-1].end_us:
                open_events[-1].inner_us += event.cpu_time_total
            open_events.append(event)

    def total_average(self):
        """One entry for all of them."""
        self._nest()
        total = FunctionEventAvg(FunctionEvent("Total", 0, 0))
        for event in self:
            total.add(event)
        return total

    @property
    def self_cpu_time_total(self):
        """The time of all events."""
        return sum(event.self_cpu_time_total for event in self)

    def table(
        self,
        sort_by=None,
        row_limit=100,
        max_src_column_width=75,
        max_name_column_width=55,
        max_shapes_column_width=80,
        header=None,
        top_level_events_only=False,
    ):
        """A table as text.

        Args:
            sort_by: a column, such as "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage"
                or "count"; largest first.
            row_limit: how many rows; -1 for all.
            max_src_column_width, max_name_column_width, max_shapes_column_width: longer cells are
                cut.
            header: a line above it.
            top_level_events_only: leave out what is within other events; nothing noted is, except
                in parts with names.
        """
        rows = list(self)
        if sort_by is not None:
            sort_by = sort_by.replace("cuda", "device")
            rows.sort(key=lambda e: getattr(e, sort_by), reverse=True)
        rows = rows if row_limit < 0 else rows[:row_limit]
        total = sum(e.self_cpu_time_total for e in self) or 1.0
        columns = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"]
        memory = any(e.cpu_memory_usage for e in self)
        shapes = any(e.input_shapes for e in self)
        columns += ["CPU Mem"] if memory else []
        columns += ["# of Calls"] + (["Input Shapes"] if shapes else [])
        cells = []
        for e in rows:
            name = getattr(e, "key", "")
            line = [
                name
                if len(name) <= max_name_column_width
                else name[: max_name_column_width - 3] + "...",
                f"{100 * e.self_cpu_time_total / total:.2f}%",
                _time(e.self_cpu_time_total),
                f"{100 * e.cpu_time_total / total:.2f}%",
                _time(e.cpu_time_total),
                _time(e.cpu_time),
            ]
            line += [_bytes(e.cpu_memory_usage)] if memory else []
            line += [str(e.count)] + (
                [str(e.input_shapes)[:max_shapes_column_width]] if shapes else []
            )
            cells.append(line)
        return _table(columns, cells, header) + f"Self CPU time total: {_time(total)}\n"

    def __str__(self):
        return self.table()

    def export_chrome_trace(self, path, metadata=None):
        """Writes a Chrome trace."""
        events = [
            {
                "ph": "X",
                "cat": "user_annotation" if e.is_user_annotation else "cpu_op",
                "name": e.name,
                "pid": os.getpid(),
                "tid": e.thread,
                "ts": e.start_us,
                "dur": e.cpu_time_total,
                "args": {"Input Dims": e.input_shapes} if e.input_shapes else {},
            }
            for e in self
        ]
        trace = {"schemaVersion": 1, "traceEvents": events, **(metadata or {})}
        opened = gzip.open if str(path).endswith(".gz") else open
        with opened(path, "wt") as file:
            json.dump(trace, file)

    def export_stacks(self, path, metric="self_cpu_time_total"):
        """Writes a line for each event's stack, with its time."""
        self._nest()
        with open(path, "w") as file:
            for event in self:
                if event.stack:
                    frames = ";".join(str(f).replace(" ", "_") for f in reversed(event.stack))
                    file.write(f"{frames} {int(getattr(event, metric))}\n")


def _table(columns, cells, header):
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    rule = "  ".join("-" * width for width in widths) + "\n"
    lines = [f"{header}\n"] if header else []
    lines += [rule, "  ".join(c.rjust(w) for c, w in zip(columns, widths)) + "\n", rule]
    lines += ["  ".join(c.rjust(w) for c, w in zip(row, widths)) + "\n" for row in cells]
    return "".join([*lines, rule])
