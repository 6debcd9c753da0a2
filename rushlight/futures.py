"""`Future`: a value that may come later; and `fork`, which runs its function at once."""

import threading

__all__ = ["Future", "collect_all", "wait_all"]


class Future:
    """A value that may come later.

    Example::

        >>> future = rl.futures.Future()
        >>> doubled = future.then(lambda f: f.value() * 2)
        >>> future.set_result(3)
        >>> doubled.wait()
        6
    """

    def __init__(self, *, devices=None):
        self._done, self._value, self._error = threading.Event(), None, None
        self._callbacks, self._lock = [], threading.Lock()

    def __class_getitem__(cls, kind):
        return cls

    def done(self):
        """Is the value, or an exception, there?"""
        return self._done.is_set()

    def wait(self):
        """The value, once it is there; raises its exception if it has one."""
        self._done.wait()
        return self.value()

    def value(self):
        """The value, which must be there."""
        if not self.done():
            raise RuntimeError("Future: value() before the value is set; use wait()")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, result):
        """Gives it its value. RuntimeError if it has one."""
        self._finish(result, None)

    def set_exception(self, result):
        """Gives it an exception, which `wait` raises."""
        if not isinstance(result, Exception):
            raise AssertionError(f"{result} is of type {type(result)}, not an Exception.")
        self._finish(None, result)

    def _finish(self, value, error):
        with self._lock:
            if self.done():
                raise RuntimeError("Future: it can only be set once")
            self._value, self._error = value, error
            self._done.set()
        for callback in self._callbacks:
            callback(self)

    def add_done_callback(self, callback):
        """Calls a function with this future when it is done; at once if it is."""
        with self._lock:
            waiting = not self.done()
            if waiting:
                self._callbacks.append(callback)
        if not waiting:
            callback(self)

    def then(self, callback):
        """A future for what a function makes of this one when it is done."""
        following = Future()

        def run(future):
            try:
                result = callback(future)
            except Exception as error:  # it belongs to whoever waits
                following.set_exception(error)
            else:
                following.set_result(result)

        self.add_done_callback(run)
        return following


def collect_all(futures):
    """A future for the list of futures, done when all of them are."""
    everything, futures = Future(), list(futures)
    left, lock = [len(futures)], threading.Lock()

    def one_done(_):
        with lock:
            left[0] -= 1
            last = left[0] == 0
        if last:
            everything.set_result(futures)

    if not futures:
        everything.set_result(futures)
    for future in futures:
        future.add_done_callback(one_done)
    return everything


def wait_all(futures):
    """The values of all futures."""
    return [future.wait() for future in collect_all(futures).wait()]


def fork(func, *args, **kwargs):
    """A future for ``func(*args, **kwargs)``, which runs at once and here."""
    future = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future):
    """The value of a future."""
    return future.wait()
