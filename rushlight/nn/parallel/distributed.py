"""The module in which PyTorch keeps `DistributedDataParallel`."""

from rushlight.nn.parallel import DistributedDataParallel  # noqa: F401
