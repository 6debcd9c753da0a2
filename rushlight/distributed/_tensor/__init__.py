"""An earlier place of the names in `rushlight.distributed.tensor`."""

from rushlight.distributed.tensor import *  # noqa: F403
