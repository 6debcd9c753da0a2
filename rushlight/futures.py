"""Values that will be there later, of work in another thread: `Future` and functions of several.

Nothing in this package runs work in the background by itself, `fork` neither; whoever does
completes the future.
"""

import threading

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value that one thread sets and others wait for.

    Args:
        devices: accelerators that the value may lie on; none are supported.

    Example::

        >>> future = rl.futures.Future()
        >>> later = future.then(lambda f: f.value() + 1)
        >>> future.set_result(1)
        >>> later.wait()
        2
    """

    def __init__(self, *, devices=None):
        if devices:
            raise ValueError(
                f"Future: only accelerators with an index are devices of a future, got {devices}, "
                "and there are none here"
            )
        self._over, self._lock = threading.Event(), threading.Lock()
        self._value = self._error = None
        self._callbacks = []

    def __class_getitem__(cls, kind):
        return cls

    def done(self):
        """Whether the value, or an exception, is there."""
        return self._over.is_set()

    def wait(self):
        """Blocks until it is there; the value, or raises the exception."""
        self._over.wait()
        return self.value()

    def value(self):
        """The value, or raises the exception; RuntimeError if neither is there yet."""
        if not self.done():
            raise RuntimeError("Future.value: not completed yet; use wait()")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result):
        """Completes it; RuntimeError if it is complete. Runs the callbacks in this thread."""
        self._complete(result, None)

    def set_exception(self, result):
        """Completes it with an exception, which `wait` and `value` will raise."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._complete(None, result)

    def _complete(self, value, error):
        with self._lock:
            if self.done():
                raise RuntimeError(
                    "Attempting to mark a completed Future as complete again. Note that a Future "
                    "can only be marked completed once."
                )
            self._value, self._error = value, error
            self._over.set()
        for callback in self._callbacks:
            self._run(callback)

    def _run(self, callback):
        """An error in a callback has nobody to go to but the log."""
        import sys

        try:
            callback(self)
        except Exception:
            sys.excepthook(*sys.exc_info())

    def add_done_callback(self, callback):
        """Calls ``callback(self)`` when complete, at once if it is; its errors are printed."""
        with self._lock:
            if not self.done():
                self._callbacks.append(callback)
                return
        self._run(callback)

    def then(self, callback):
        """A future of ``callback(self)``, which runs when this one is complete."""
        after = Future()

        def follow(future):
            try:
                result = callback(future)
            except Exception as error:
                told = RuntimeError(
                    "Got the following error when running the callback: "
                    f"{type(error).__name__}: {error}"
                )
                told.__cause__ = error
                after.set_exception(told)
            else:
                after.set_result(result)

        self.add_done_callback(follow)
        return after


def collect_all(futures):
    """A future of the list of given futures, complete when all are; it raises the first error."""
    futures, gathered, lock = list(futures), Future(), threading.Lock()
    left = len(futures)

    def one_less(_):
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            errors = [f._error for f in futures if f._error is not None]
            gathered._complete(None if errors else futures, errors[0] if errors else None)

    for future in futures:
        future.add_done_callback(one_less)
    if not futures:
        gathered.set_result(futures)
    return gathered


def wait_all(futures):
    """The values of all, when they are there."""
    return [future.wait() for future in collect_all(futures).wait()]


def fork(func, *args, **kwargs):
    """A future for ``func(*args, **kwargs)``, which runs at once and here."""
    future = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future):
    """The value of a future."""
    return future.wait()
