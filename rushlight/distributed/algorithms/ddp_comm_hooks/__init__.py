"""Ways for `DistributedDataParallel` to exchange gradients: `default_hooks`."""

from rushlight._late import submodules

__getattr__ = submodules(__name__, ("default_hooks",))
