"""Layers spread over processes, which is not supported: the names that packages ask for."""

from rushlight._notes import unsupported, unsupported_class

_WHY = "as each process has whole layers; use DistributedDataParallel"
_NAMES = (
    "ColwiseParallel", "ParallelStyle", "PrepareModuleInput", "PrepareModuleOutput",
    "RowwiseParallel", "SequenceParallel",
)  # fmt: skip
globals().update({name: unsupported_class(__name__, name, _WHY) for name in _NAMES})


def parallelize_module(module, device_mesh=None, parallelize_plan=None, *, src_data_rank=0):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.tensor.parallel.parallelize_module", _WHY)


def loss_parallel():
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.tensor.parallel.loss_parallel", _WHY)


__all__ = [*_NAMES, "loss_parallel", "parallelize_module"]
