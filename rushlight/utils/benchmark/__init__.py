"""`Timer`: how long a statement takes, measured often enough to be believed; `Compare`: tables."""

import timeit
from dataclasses import dataclass, field

import rushlight as rl

from ._compare import Compare

__all__ = ["Compare", "Measurement", "TaskSpec", "Timer"]


@dataclass(frozen=True)
class TaskSpec:
    """What is measured."""

    stmt: str
    setup: str
    label: str = None
    sub_label: str = None
    description: str = None
    env: str = None
    num_threads: int = 1


@dataclass
class Measurement:
    """Times of several runs; in seconds, for one execution of the statement.

    Attributes:
        number_per_run: how often a run executed the statement.
        raw_times: the seconds of each run.
    """

    number_per_run: int
    raw_times: list
    task_spec: TaskSpec
    metadata: dict = field(default_factory=dict)

    @property
    def times(self):
        """The seconds of one execution, for each run, in order of size."""
        return sorted(t / self.number_per_run for t in self.raw_times)

    @property
    def mean(self):
        """The mean of `times`."""
        return sum(self.times) / len(self.times)

    @property
    def median(self):
        """The median of `times`."""
        return _quantile(self.times, 0.5)

    @property
    def iqr(self):
        """The distance between the quartiles of `times`."""
        return _quantile(self.times, 0.75) - _quantile(self.times, 0.25)

    def __repr__(self):
        label = self.task_spec.label or self.task_spec.stmt
        return (
            f"<{type(self).__name__}>\n{label}\n  Median: {_time(self.median)}\n"
            f"  IQR:    {_time(self.iqr)}\n  {len(self.times)} measurements, "
            f"{self.number_per_run} runs per measurement, {self.task_spec.num_threads} thread"
        )


def _quantile(values, q):
    place = q * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _time(seconds):
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds * 1e9:.2f} ns"


class Timer:
    """Measures a statement.

    Args:
        stmt, setup: Python texts.
        timer: a clock, in seconds.
        globals: names for the statement.
        label, sub_label, description, env: how it is called in results.
        num_threads: threads of the ops meanwhile.

    Example::

        >>> timer = rl.utils.benchmark.Timer("x + 1", globals={"x": rl.ones(2)})
        >>> timer.timeit(10).number_per_run
        10
    """

    def __init__(
        self,
        stmt="pass",
        setup="pass",
        global_setup="",
        timer=timeit.default_timer,
        globals=None,  # noqa: A002
        label=None,
        sub_label=None,
        description=None,
        env=None,
        num_threads=1,
        language="py",
    ):
        if global_setup or str(language).lower() not in ("py", "python", "language.python"):
            raise NotImplementedError("Timer: only statements in Python are supported")
        names = {"torch": rl, **(globals or {})}
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._task_spec = TaskSpec(stmt, setup, label, sub_label, description, env, num_threads)

    def _run(self, number):
        before = rl.get_num_threads()
        rl.set_num_threads(self._task_spec.num_threads)
        try:
            return max(self._timer.timeit(number), 1e-9)
        finally:
            rl.set_num_threads(before)

    def timeit(self, number=1000000):
        """One run of ``number`` executions."""
        self._run(max(number // 100, 2))
        return Measurement(number, [self._run(number)], self._task_spec)

    def blocked_autorange(self, callback=None, min_run_time=0.2):
        """Runs until ``min_run_time`` seconds are measured; ``callback(number, seconds)`` after
        each run.
        """
        number = self._estimate(min_run_time)
        times = []
        while sum(times) < min_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self, threshold=0.1, *, min_run_time=0.01, max_run_time=10.0, callback=None
    ):
        """Runs until the quartiles are within ``threshold`` of the median, or for
        ``max_run_time`` seconds.
        """
        number, times = self._estimate(min_run_time), []
        while sum(times) < max_run_time:
            times.append(self._run(number))
            if callback is not None:
                callback(number, times[-1])
            made = Measurement(number, times, self._task_spec)
            if len(times) > 3 and sum(times) >= min_run_time and made.iqr < threshold * made.median:
                break
        return made

    def _estimate(self, min_run_time):
        """A number of executions that takes about a thousandth of the time, and is worth timing."""
        number = 1
        while True:
            taken = self._run(number)
            if taken > min_run_time / 1000 and taken > 1e-4:
                return number
            number *= 10
