"""Training by several processes, on CPUs, which exchange tensors over TCP.

From the top: `_collectives.py`, `_messages.py` and `_objects.py` have what programs call; groups
are in `_group.py` and `_subgroups.py`; `_work.py` carries exchanges out in order; `_exchange.py`
says what is sent to whom, through the connections of `_mesh.py`. Processes find each other by
`_rendezvous.py` and `_meeting.py` through a store (`_store.py`, `_tcp_store.py`, `_file_store.py`).
The other modules have the names that programs import.
"""

from ._collectives import (
    ReduceOp,
    all_gather,
    all_gather_coalesced,
    all_gather_into_tensor,
    all_gather_single,
    all_reduce,
    all_reduce_coalesced,
    all_to_all,
    all_to_all_single,
    barrier,
    broadcast,
    gather,
    reduce,
    reduce_op,
    reduce_scatter,
    reduce_scatter_single,
    reduce_scatter_tensor,
    scatter,
)
from ._errors import (
    DistBackendError,
    DistError,
    DistNetworkError,
    DistStoreError,
    QueueEmptyError,
)
from ._file_store import FileStore
from ._grad_bucket import GradBucket
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
)
from ._messages import (
    P2POp,
    batch_isend_irecv,
    irecv,
    isend,
    monitored_barrier,
    recv,
    send,
)
from ._objects import (
    all_gather_object,
    broadcast_object_list,
    gather_object,
    recv_object_list,
    scatter_object_list,
    send_object_list,
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
from ._store import HashStore, PrefixStore, Store
from ._subgroups import (
    new_group,
    new_subgroups,
    new_subgroups_by_enumeration,
    shrink_group,
    split_group,
)
from ._tcp_store import TCPStore
from ._work import Work
from .constants import default_pg_timeout
from .device_mesh import DeviceMesh, init_device_mesh

_reduce_scatter_base, _all_gather_base = reduce_scatter_tensor, all_gather_into_tensor

__all__ = [name for name in dir() if not name.startswith("_")]


def is_available():
    """True: processes exchange tensors on the CPU.

    Example::

        >>> rl.distributed.is_available(), rl.distributed.is_initialized()
        (True, False)
    """
    return True


_SUBMODULES = (
    "_composable", "_functional_collectives", "algorithms", "c10d", "checkpoint",
    "constants", "device_mesh", "distributed_c10d", "elastic", "fsdp", "nn", "optim",
    "launch", "rpc", "run", "tensor", "utils",
)  # fmt: skip


def __getattr__(name):
    if name not in _SUBMODULES:
        from rushlight._removed import absent

        raise absent(__name__, name)
    import importlib

    return importlib.import_module(f"{__name__}.{name}")
