"""The module in which PyTorch keeps the options of `FullyShardedDataParallel`."""

from rushlight.distributed.fsdp import *  # noqa: F403
