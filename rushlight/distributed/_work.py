"""Exchanges that go on while the program does: `Work`, and the thread that carries them out.

A group's exchanges are carried out in the order in which they were asked for: by a thread that
begins with the first ``async_op=True``, or, while nothing is waiting for it, by whoever asks.
"""

import queue
import threading

import rushlight as rl

from ._store import duration


class Work:
    """The handle of an exchange; unless made by `Works`, of one that is over.

    Args:
        result: the tensors that are received.
    """

    def __init__(self, result=()):
        self._result, self._error = result, None
        self._over, self._future = threading.Event(), None
        self._lock = threading.Lock()
        self._over.set()

    def wait(self, timeout=None):
        """True, when it is over; raises what it failed with, RuntimeError if it takes longer."""
        if not self._over.wait(_seconds(timeout)):
            raise RuntimeError(f"Work.wait: the exchange was not over in {timeout}")
        if self._error is not None:
            raise self._error
        return True

    def is_completed(self):
        """Is it over?"""
        return self._over.is_set()

    def is_success(self):
        """Is it over, and has not failed?"""
        return self.is_completed() and self._error is None

    def exception(self):
        """What it failed with, or None."""
        return self._error

    def result(self):
        """The tensors that were received."""
        self.wait()
        return list(self._result)

    def synchronize(self):
        """`wait`."""
        self.wait()

    def get_future(self):
        """A future of the tensors."""
        with self._lock:
            future, over = self._future, self.is_completed()
            if future is None:
                future = self._future = rl.futures.Future()
                if over:
                    self._complete(future)
        return future

    def _complete(self, future):
        if self._error is not None:
            future.set_exception(self._error)
        else:
            future.set_result(list(self._result))

    def _end(self, error=None):
        with self._lock:
            self._error, future = error, self._future
            self._over.set()
        if future is not None:
            self._complete(future)


def _seconds(timeout):
    """A timedelta in seconds; None, and PyTorch's zero, which means the group's, are no limit."""
    seconds = duration(timeout).total_seconds() if timeout is not None else 0
    return seconds if seconds > 0 else None


class Works:
    """The exchanges of a group, one after another."""

    def __init__(self):
        self._waiting, self._turn = queue.SimpleQueue(), threading.Lock()
        self._left, self._count = 0, threading.Lock()
        self._thread = None

    def carry_out(self, task, result, in_thread):
        """Runs ``task`` in its turn; a `Work`, which with ``in_thread`` may not be over yet."""
        work = Work(result)
        with self._count:
            at_once = not in_thread and self._left == 0
            self._left += not at_once
        if at_once:
            with self._turn:
                task()
            return work
        work._over.clear()
        self._waiting.put((task, work))
        self._begin()
        if not in_thread:
            work.wait()
        return work

    def _begin(self):
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self):
        while (entry := self._waiting.get()) is not None:
            task, work = entry
            error = None
            try:
                with self._turn, rl.inference_mode():  # for tensors that were made in it, too
                    task()
            except Exception as caught:
                error = caught
            with self._count:
                self._left -= 1
            work._end(error)
            del entry, task, work  # nor are their tensors kept until the next comes

    def close(self):
        """Ends the thread after what waits."""
        if self._thread is not None:
            self._waiting.put(None)
