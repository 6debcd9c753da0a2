"""Python's `multiprocessing`, with tensors that travel between processes as shared memory.

Names are those of the standard module. Moving storages into shared memory is in `shared.py`, how
tensors are pickled for another process in `reductions.py`, `spawn` in `spawn.py`.
"""

import multiprocessing
import warnings
from multiprocessing import *  # noqa: F403

from .reductions import init_reductions
from .spawn import (
    ProcessContext,
    ProcessExitedException,
    ProcessRaisedException,
    SpawnContext,
    spawn,
    start_processes,
)

__all__ = [
    *multiprocessing.__all__,
    "ProcessContext",
    "ProcessExitedException",
    "ProcessRaisedException",
    "SpawnContext",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]


def get_all_sharing_strategies():
    """The ways to share memory: descriptors of files without a name, which cannot leak."""
    return {"file_descriptor"}


def get_sharing_strategy():
    """The way memory is shared."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy):
    """Accepts "file_descriptor"; for PyTorch's "file_system" warns that descriptors are used all
    the same.
    """
    if new_strategy == "file_system":
        warnings.warn(
            "set_sharing_strategy: 'file_system' is not supported, memory is shared by file "
            "descriptors; raise the limit of open files (ulimit -n) if very many tensors are "
            "shared",
            stacklevel=2,
        )
    elif new_strategy != "file_descriptor":
        raise ValueError(f"set_sharing_strategy: unknown strategy {new_strategy!r}")


init_reductions()
