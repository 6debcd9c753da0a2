"""The module in which PyTorch keeps groups and collectives: the names of `rushlight.distributed`,
and the private ones that packages ask for.
"""

from rushlight.distributed import *  # noqa: F403
from rushlight.distributed import Store, default_pg_timeout, is_available  # noqa: F401
from rushlight.distributed._group import _world


def _get_default_group():
    """The group of all processes; ValueError if none has begun."""
    if _world["group"] is None:
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return _world["group"]


def _rank_not_in_group(group):
    return group == -100


def _get_pg_default_device(group=None):
    import rushlight as rl

    return rl.device("cpu")
