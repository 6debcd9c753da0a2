"""Tensors spread over processes. None is ever made: `isinstance(x, DTensor)` is False."""

from rushlight._notes import unsupported, unsupported_class
from rushlight.distributed.device_mesh import DeviceMesh, init_device_mesh

from .placement_types import Partial, Placement, Replicate, Shard

__all__ = [
    "DTensor", "DeviceMesh", "Partial", "Placement", "Replicate", "Shard", "distribute_module",
    "distribute_tensor", "init_device_mesh",
]  # fmt: skip

_WHY = "as each process has whole tensors"
DTensor = unsupported_class(__name__, "DTensor", _WHY)


def distribute_tensor(tensor, device_mesh=None, placements=None, *, src_data_rank=0):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.tensor.distribute_tensor", _WHY)


def distribute_module(module, device_mesh=None, partition_fn=None, input_fn=None, output_fn=None):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.tensor.distribute_module", _WHY)


def __getattr__(name):
    if name in ("experimental", "parallel", "placement_types"):
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
