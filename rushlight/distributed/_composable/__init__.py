"""An earlier place of `fully_shard`."""

from rushlight.distributed.fsdp import fully_shard  # noqa: F401
