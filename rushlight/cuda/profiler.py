"""Starting and stopping NVIDIA's profiler, which is not there."""

from contextlib import contextmanager

from rushlight.cuda import cudart


def start():
    """Raises AssertionError: there is no CUDA backend."""
    cudart()


def stop():
    """Raises AssertionError: there is no CUDA backend."""
    cudart()


@contextmanager
def profile():
    """Raises AssertionError: there is no CUDA backend."""
    start()
    yield
