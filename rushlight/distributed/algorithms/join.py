"""`Join`: for processes with unequal numbers of batches. With one process, nothing to even out."""

from rushlight._notes import unsupported
from rushlight.distributed import _group

__all__ = ["Join", "Joinable"]


class Joinable:
    """What can take part in a `Join`."""


class Join:
    """A context manager that waits for processes that have more batches: there are none.

    Args:
        joinables: what exchanges tensors in each step.
        enable, throw_on_early_termination: what to do about processes that end early.

    Raises:
        NotImplementedError: with several processes, unless ``enable`` is False.
    """

    def __init__(self, joinables, enable=True, throw_on_early_termination=False, **kwargs):
        self._joinables = list(joinables)
        if not self._joinables:
            raise ValueError("The join context manager requires at least one joinable")
        if enable and _group.is_initialized() and _group.get_world_size() > 1:
            raise unsupported("Join with several processes", "give all processes as many batches")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None

    @staticmethod
    def notify_join_context(joinable):
        """None: nobody is waiting."""
        return None
