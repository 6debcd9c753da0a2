"""How exchanges are asked for below the functions: options of each, back ends by device, debugging.

Options are kept and change nothing; arguments of the functions do. To add an option class: an entry
in `_OPTIONS`.
"""

import enum
import os
from contextlib import contextmanager
from dataclasses import field, make_dataclass
from datetime import timedelta
from typing import NewType

from rushlight._notes import unsupported_class

from ._collectives import ReduceOp, barrier
from ._group import DEFAULT_TIMEOUT, Backend, ProcessGroup, _member

GroupName = NewType("GroupName", str)

_UNSET = timedelta(milliseconds=-1)
_FIELDS = {
    "asyncOp": (bool, True),
    "timeout": (timedelta, _UNSET),
    "reduceOp": (ReduceOp, ReduceOp.SUM),
    "rootRank": (int, 0),
    "rootTensor": (int, 0),
    "device": (object, None),
}
_OPTIONS = {
    "AllToAllOptions": "",
    "AllreduceCoalescedOptions": "reduceOp",
    "AllreduceOptions": "reduceOp",
    "BarrierOptions": "device",
    "BroadcastOptions": "rootRank rootTensor",
    "GatherOptions": "rootRank",
    "ReduceOptions": "reduceOp rootRank rootTensor",
    "ReduceScatterOptions": "reduceOp",
    "ScatterOptions": "rootRank",
}


def _option_class(name, own):
    fields = [(key, *_FIELDS[key]) for key in ("asyncOp", "timeout", *own.split())]
    if name == "BarrierOptions":
        fields.append(("device_ids", list, field(default_factory=list)))
    made = make_dataclass(name, fields, eq=False)
    made.__doc__, made.__module__ = (
        f"What {name[:-7]} is asked with, below the functions.",
        __name__,
    )
    return made


globals().update({name: _option_class(name, own) for name, own in _OPTIONS.items()})

_ALONE = "gradients are averaged by DistributedDataParallel"
Logger, Reducer = (
    unsupported_class("torch.distributed", name, _ALONE) for name in ("Logger", "Reducer")
)


class BuiltinCommHookType(enum.Enum):
    """The ready ways to exchange a bucket of gradients."""

    ALLREDUCE, FP16_COMPRESS = 0, 1


class ProcessGroupGloo(ProcessGroup):
    """A group with the back end "gloo" by itself, of processes that meet at a store."""

    def __init__(self, store, rank, size, timeout=DEFAULT_TIMEOUT):
        from ._meeting import meet

        mesh = meet(store, rank, size, timeout) if size > 1 else None
        super().__init__("gloo", "gloo", range(size), rank, mesh, timeout)
        self.store = store


class BackendConfig:
    """Which back end exchanges tensors of which kind of device.

    Example::

        >>> rl.distributed.BackendConfig("gloo").get_device_backend_map()
        {'cpu': 'gloo', 'cuda': 'gloo'}
    """

    def __init__(self, backend):
        parts = [part.partition(":") for part in Backend(backend).split(",")]
        if len(parts) == 1 and not parts[0][1]:
            parts = [(kind, ":", parts[0][0]) for kind in ("cpu", "cuda")]
        if not all(name for _, _, name in parts):
            raise ValueError(f"BackendConfig: expected device:backend pairs, got {backend!r}")
        self.device_backend_map = {kind: Backend(name) for kind, _, name in parts}

    def get_device_backend_map(self):
        """The back ends by kind of device."""
        return self.device_backend_map

    def __repr__(self):
        return ",".join(f"{kind}:{name}" for kind, name in self.device_backend_map.items())


def get_backend_config(group=None):
    """The group's back ends by kind of device, as text."""
    return repr(BackendConfig(_member(group).backend))


def get_default_backend_for_device(device):
    """The back end for tensors on a device: "gloo" for the CPU.

    Raises:
        ValueError: for other devices.
    """
    import rushlight as rl

    kind = rl.device(device).type
    if kind != "cpu":
        raise ValueError(f"get_default_backend_for_device: no back end exchanges tensors on {kind}")
    return "gloo"


def supports_complex(reduceOp):
    """Can complex numbers be reduced so? Not where they would be compared or taken as bits."""
    comparing = (ReduceOp.MAX, ReduceOp.MIN, ReduceOp.PRODUCT)
    return reduceOp not in (*comparing, ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR)


# ---- debugging -----------------------------------------------------------------------------------


class DebugLevel(enum.Enum):
    """How closely exchanges are watched."""

    OFF, INFO, DETAIL = 0, 1, 2


_state = {"level": None}


def set_debug_level(level):
    """Sets what `get_debug_level` says; there is nothing to watch."""
    _state["level"] = DebugLevel(level)


def set_debug_level_from_env():
    """Sets the level that the environment variable TORCH_DISTRIBUTED_DEBUG names, or OFF.

    Raises:
        RuntimeError: if it names none.
    """
    name = os.environ.get("TORCH_DISTRIBUTED_DEBUG", "OFF").upper()
    if name not in DebugLevel.__members__:
        raise RuntimeError(
            f"TORCH_DISTRIBUTED_DEBUG: expected one of {list(DebugLevel.__members__)}, got {name!r}"
        )
    _state["level"] = DebugLevel[name]


def get_debug_level():
    """The level last set, first by the environment variable TORCH_DISTRIBUTED_DEBUG."""
    if _state["level"] is None:
        set_debug_level_from_env()
    return _state["level"]


@contextmanager
def record_comm(name):
    """Within, exchanges have this name in profiles; there are none to be seen."""
    yield


def breakpoint(rank=0, skip=0, timeout_s=3600):  # noqa: A001
    """Stops in Python's debugger on process ``rank``, the first ``skip`` times not.

    The others wait for it, at most as long as exchanges may take; ``timeout_s`` is for GPUs.
    """
    import pdb
    import sys

    _state["skipped"] = _state.get("skipped", 0) + 1
    if _state["skipped"] <= skip:
        return
    world = _member(None)
    if rank == world.rank():  # with others it stops here, before they go on
        pdb.Pdb().set_trace(sys._getframe(1) if world.size() == 1 else None)
    barrier()
