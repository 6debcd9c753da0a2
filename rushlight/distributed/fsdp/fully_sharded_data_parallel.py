"""The module in which PyTorch keeps `FullyShardedDataParallel` and its options."""

from rushlight.distributed.fsdp import *  # noqa: F403
