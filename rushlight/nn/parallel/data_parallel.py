"""The module in which PyTorch keeps `DataParallel`."""

from rushlight.nn.parallel import DataParallel, data_parallel  # noqa: F401
