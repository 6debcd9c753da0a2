"""`Compare`: measurements side by side, a table for each label."""

import math

__all__ = ["Compare"]

_UNITS = (
    ("ns", "nanoseconds", 1e-9),
    ("us", "microseconds", 1e-6),
    ("ms", "milliseconds", 1e-3),
    ("s", "seconds", 1.0),
)
_BEST, _GOOD, _POOR, _PLAIN = "\033[92m\033[1m", "\033[34m", "\033[31m", "\033[0m"
_SPREAD = 0.1  # of the median, from which on a measurement is marked


class Compare:
    """Tables of measurements: a row for each ``sub_label``, a column for each ``description``.

    Args:
        results: `Measurement`s; there is a table for each of their labels, with a part for each
            number of threads.

    Example::

        >>> task = rl.utils.benchmark.TaskSpec("x", "pass", label="add", description="mine")
        >>> print(rl.utils.benchmark.Compare([rl.utils.benchmark.Measurement(1, [2.5e-6], task)]))
        [----- add -----]
                   | mine
        1 threads: ------
                 x |  2.5
        <BLANKLINE>
        Times are in microseconds (us).
        <BLANKLINE>
    """

    def __init__(self, results):
        self._results = []
        self._trim = self._warn = False
        self._color = None
        self.extend_results(results)

    def extend_results(self, results):
        """Take more measurements in."""
        from . import Measurement

        for result in results:
            if not isinstance(result, Measurement):
                raise ValueError(
                    f"Expected an instance of `Measurement`, got {type(result).__name__} instead."
                )
            self._results.append(result)

    def trim_significant_figures(self):
        """Show two figures of each number only."""
        self._trim = True

    def colorize(self, rowwise=False):
        """Colour the best numbers of each column, or of each row, and the far worse ones."""
        self._color = "row" if rowwise else "column"

    def highlight_warnings(self):
        """Mark measurements that vary by more than a tenth."""
        self._warn = True

    def print(self):
        """Print the tables."""
        print(self)

    def __str__(self):
        labels = dict.fromkeys(m.task_spec.label or m.task_spec.stmt for m in self._results)
        return "\n".join(
            self._table(
                label,
                [m for m in self._results if (m.task_spec.label or m.task_spec.stmt) == label],
            )
            for label in labels
        )

    def _table(self, label, results):
        unit, word, size = _unit(min(m.median for m in results))
        columns = list(dict.fromkeys(m.task_spec.description for m in results))
        cells = {}
        for m in results:
            spec = m.task_spec
            row = (spec.num_threads, spec.sub_label or spec.stmt)
            cells.setdefault(row, {})[spec.description] = m
        texts = {row: {c: self._text(m, size) for c, m in of.items()} for row, of in cells.items()}
        widths = {
            c: max(len(c or ""), *(len(of[c]) for of in texts.values() if c in of)) for c in columns
        }
        left = max(len("1 threads:"), *(len(f"{name}") + 6 for _, name in cells))
        head = " " * left + "".join(f" | {(c or '').rjust(widths[c])}" for c in columns)
        lines = [f"[{f' {label} '.center(len(head) - 2, '-')}]", head]
        threads = None
        for row in sorted(cells, key=lambda row: row[0]):
            if row[0] != threads:
                threads = row[0]
                part = f"{threads} threads: "
                lines.append(part + "-" * (len(head) - len(part)))
            shown = (self._cell(row, c, cells, texts, widths[c]) for c in columns)
            lines.append(row[1].rjust(left) + "".join(f" | {text}" for text in shown))
        if self._warn and any(_varies(m) for m in results):
            lines.append(f"(! varies by more than {_SPREAD:.0%} of the median)")
        return "\n".join([*lines, "", f"Times are in {word} ({unit}).", ""])

    def _text(self, measurement, size):
        value = measurement.median / size
        if self._trim:
            digits = 1 - math.floor(math.log10(value))
            value = round(value, digits)
            text = f"{value:.{max(digits, 0)}f}"
        else:
            text = f"{value:.1f}"
        return "! " + text if self._warn and _varies(measurement) else text

    def _cell(self, row, column, cells, texts, width):
        text = texts[row].get(column, "").rjust(width)
        if self._color is None or column not in cells[row]:
            return text
        rivals = (
            cells[row].values()
            if self._color == "row"
            else [of[column] for at, of in cells.items() if column in of and at[0] == row[0]]
        )
        ratio = cells[row][column].median / min(m.median for m in rivals)
        color = _BEST if ratio <= 1.02 else _GOOD if ratio < 1.25 else _POOR if ratio > 5 else None
        return text if color is None else f"{color}{text}{_PLAIN}"


def _unit(seconds):
    """The largest unit that is not larger."""
    return next((u for u in reversed(_UNITS) if seconds >= u[2]), _UNITS[0])


def _varies(measurement):
    return measurement.iqr > _SPREAD * measurement.median
