"""An earlier place of the names in `rushlight.distributed.fsdp`."""

from rushlight.distributed.fsdp import *  # noqa: F403
