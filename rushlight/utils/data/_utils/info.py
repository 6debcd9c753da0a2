"""What code that runs inside a loader's worker can ask about it.

The worker loop itself is in `worker.py`.
"""

_current = None


class WorkerInfo:
    """Read-only facts about the worker process: id, num_workers, seed, dataset."""

    def __init__(self, **facts):
        self.__dict__.update(facts)

    def __setattr__(self, name, value):
        raise RuntimeError(f"Cannot assign attributes to {type(self).__name__} objects")

    def __repr__(self):
        facts = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({facts})"


def get_worker_info():
    """The `WorkerInfo` of the current worker process, or None in the main process."""
    return _current


def set_worker_info(info):
    """Tell this process that it is a worker."""
    global _current
    _current = info
