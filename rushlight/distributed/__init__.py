"""Training by several processes, for the one process that there is.

A group of one process works in full: programs written for many run with a world of size 1. Larger
worlds are refused by `init_process_group`. Groups are in `_group.py`, what is exchanged in
`_collectives.py`, stores in `_store.py`; the other modules have the names that programs import.
"""

from datetime import timedelta

from ._collectives import (
    P2POp,
    ReduceOp,
    Work,
    all_gather,
    all_gather_coalesced,
    all_gather_into_tensor,
    all_gather_object,
    all_gather_single,
    all_reduce,
    all_reduce_coalesced,
    all_to_all,
    all_to_all_single,
    barrier,
    batch_isend_irecv,
    broadcast,
    broadcast_object_list,
    gather,
    gather_object,
    irecv,
    isend,
    monitored_barrier,
    recv,
    recv_object_list,
    reduce,
    reduce_op,
    reduce_scatter,
    reduce_scatter_single,
    reduce_scatter_tensor,
    scatter,
    scatter_object_list,
    send,
    send_object_list,
)
from ._group import (
    Backend,
    GroupMember,
    ProcessGroup,
    destroy_process_group,
    get_backend,
    get_global_rank,
    get_group_rank,
    get_node_local_rank,
    get_pg_count,
    get_process_group_ranks,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_backend_available,
    is_gloo_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    is_ucc_available,
    is_xccl_available,
    new_group,
    new_subgroups,
    new_subgroups_by_enumeration,
    shrink_group,
    split_group,
)
from ._options import (
    AllreduceCoalescedOptions,
    AllreduceOptions,
    AllToAllOptions,
    BackendConfig,
    BarrierOptions,
    BroadcastOptions,
    BuiltinCommHookType,
    DebugLevel,
    GatherOptions,
    GradBucket,
    GroupName,
    Logger,
    ProcessGroupGloo,
    ReduceOptions,
    Reducer,
    ReduceScatterOptions,
    ScatterOptions,
    breakpoint,
    get_backend_config,
    get_debug_level,
    get_default_backend_for_device,
    record_comm,
    set_debug_level,
    set_debug_level_from_env,
    supports_complex,
)
from ._rendezvous import register_rendezvous_handler, rendezvous
from ._store import FileStore, HashStore, PrefixStore, Store, TCPStore
from .device_mesh import DeviceMesh, init_device_mesh

_reduce_scatter_base, _all_gather_base = reduce_scatter_tensor, all_gather_into_tensor

default_pg_timeout = timedelta(minutes=30)

__all__ = [name for name in dir() if not name.startswith("_") and name != "timedelta"]


class DistError(RuntimeError):
    """Something went wrong between processes."""


class DistBackendError(DistError):
    """A back end failed; never raised with one process."""


class DistNetworkError(DistError):
    """The network failed; never raised with one process."""


class DistStoreError(DistError):
    """A store failed."""


class QueueEmptyError(DistStoreError):
    """Nothing was waiting in a store's queue."""


def is_available():
    """True: groups of one process work.

    Example::

        >>> rl.distributed.is_available(), rl.distributed.is_initialized()
        (True, False)
    """
    return True


_SUBMODULES = (
    "_composable", "_functional_collectives", "algorithms", "c10d", "checkpoint",
    "constants", "device_mesh", "distributed_c10d", "elastic", "fsdp", "nn", "optim",
    "rpc", "tensor", "utils",
)  # fmt: skip


def __getattr__(name):
    if name not in _SUBMODULES:
        from rushlight._removed import absent

        raise absent(__name__, name)
    import importlib

    return importlib.import_module(f"{__name__}.{name}")
