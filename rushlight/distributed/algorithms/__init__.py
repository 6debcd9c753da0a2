"""Algorithms of training by several processes: `join`, `ddp_comm_hooks`."""

from rushlight._late import submodules

__getattr__ = submodules(__name__, ("ddp_comm_hooks", "join"))
