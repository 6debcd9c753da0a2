"""Checkpoints that several processes write together, which is not supported: use `rl.save`."""

from rushlight._notes import unsupported

__all__ = ["load", "save"]


def save(state_dict, *, checkpoint_id=None, storage_writer=None, planner=None, process_group=None):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.checkpoint.save", "use torch.save")


def load(state_dict, *, checkpoint_id=None, storage_reader=None, planner=None, process_group=None):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.checkpoint.load", "use torch.load")
