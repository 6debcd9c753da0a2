"""An earlier name of `distributed_c10d`."""

from rushlight.distributed.distributed_c10d import *  # noqa: F403
