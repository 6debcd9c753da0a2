"""Parameters spread over processes, which is not supported: the names that packages ask for."""

from enum import Enum, auto

from rushlight._notes import unsupported, unsupported_class

_WHY = "as each process has all parameters; use DistributedDataParallel"
_NAMES = (
    "BackwardPrefetch", "CPUOffload", "CPUOffloadPolicy", "FSDPModule", "FullOptimStateDictConfig",
    "FullStateDictConfig", "FullyShardedDataParallel", "LocalOptimStateDictConfig",
    "LocalStateDictConfig", "MixedPrecision", "MixedPrecisionPolicy", "OffloadPolicy",
    "OptimStateDictConfig", "ShardedOptimStateDictConfig", "ShardedStateDictConfig",
    "StateDictConfig", "UnshardHandle",
)  # fmt: skip
globals().update({name: unsupported_class(__name__, name, _WHY) for name in _NAMES})


class ShardingStrategy(Enum):
    """What would be spread: parameters, gradients, the optimiser's state."""

    FULL_SHARD = auto()
    SHARD_GRAD_OP = auto()
    NO_SHARD = auto()
    HYBRID_SHARD = auto()
    _HYBRID_SHARD_ZERO2 = auto()


class StateDictType(Enum):
    """Whether a state dict would be whole."""

    FULL_STATE_DICT = auto()
    LOCAL_STATE_DICT = auto()
    SHARDED_STATE_DICT = auto()


def fully_shard(module, *args, **kwargs):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.fsdp.fully_shard", _WHY)


def register_fsdp_forward_method(module, method_name):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.fsdp.register_fsdp_forward_method", _WHY)


__all__ = [*_NAMES, "ShardingStrategy", "StateDictType", "fully_shard"]
