"""The device beside the CPU, whatever it is: there is none.

Questions are answered; what needs such a device raises, as with no GPU in the machine.
"""

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "current_stream",
    "device_count",
    "device_index",
    "empty_cache",
    "is_available",
    "memory_stats",
    "set_device_idx",
    "set_device_index",
    "set_stream",
    "synchronize",
]


def is_available():
    """False."""
    return False


def device_count():
    """0."""
    return 0


def current_accelerator(check_available=False):
    """None.

    Example::

        >>> rl.accelerator.current_accelerator() is None
        True
    """
    return None


def _none(name):
    def missing(*args, **kwargs):
        raise RuntimeError(
            f"accelerator.{name}: there is no accelerator; ask accelerator.is_available() first"
        )

    missing.__name__ = missing.__qualname__ = name
    missing.__doc__ = "Raises RuntimeError: there is no accelerator."
    return missing


class device_index:
    """Context manager: the accelerator of this number; None leaves things as they are.

    Raises:
        RuntimeError: on entering with a number: there is no accelerator.
    """

    def __init__(self, device):
        self.idx = device

    def __enter__(self):
        if self.idx is not None:
            set_device_index(self.idx)

    def __exit__(self, *exception):
        pass


current_device_index = _none("current_device_index")
set_device_index = _none("set_device_index")
current_stream = _none("current_stream")
set_stream = _none("set_stream")
synchronize = _none("synchronize")
current_device_idx, set_device_idx = current_device_index, set_device_index
empty_cache, memory_stats = _none("empty_cache"), _none("memory_stats")
