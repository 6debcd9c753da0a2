"""Process groups: beginning and ending them, and what can be asked of them.

Exchanging tensors is in `_collectives.py`, how processes meet in `_rendezvous.py`.
"""

import os
from hashlib import blake2b

from rushlight._notes import unsupported

from ._store import duration
from ._work import Works
from .constants import default_pg_timeout as DEFAULT_TIMEOUT

#: The group of all processes; all groups with this process; how many groups and worlds began.
_world = {"group": None, "groups": [], "made": {}, "worlds": 0}


class Backend(str):
    """The name of a way to exchange tensors, in lower case."""

    UNDEFINED, GLOO, NCCL, MPI, UCC, XCCL = "undefined", "gloo", "nccl", "mpi", "ucc", "xccl"

    def __new__(cls, name):
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be a string, but got {name!r}")
        return super().__new__(cls, name.lower())


class ProcessGroup:
    """Some of the processes, in the order of their ranks within the group.

    Args:
        backend: the name that it has.
        name: its own name, the same for all of its processes.
        ranks: the ranks of its processes among all.
        rank: this process's rank among all.
        mesh: the connections to the others, if there are others.
        timeout: how long exchanges may take.
    """

    def __init__(
        self, backend="gloo", name="default", ranks=(0,), rank=0, mesh=None, timeout=DEFAULT_TIMEOUT
    ):
        self.backend, self.group_name, self.group_desc = Backend(backend), name, name
        self.bound_device_id = self.store = None
        self.ranks, self.mesh, self._rank = tuple(ranks), mesh, self._place(ranks, rank)
        self.key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
        self._step, self.works = 0, Works()
        self.set_timeout(timeout)

    @staticmethod
    def _place(ranks, rank):
        return list(ranks).index(rank)

    def set_timeout(self, timeout):
        """Sets how long exchanges may take."""
        self.timeout, self.seconds = timeout, duration(timeout).total_seconds()

    def next_step(self):
        """The number of an exchange that begins: the same for all of its processes."""
        self._step += 1
        return self._step

    def rank(self):
        """This process's rank within the group."""
        return self._rank

    def size(self):
        """The number of processes."""
        return len(self.ranks)

    def name(self):
        """The back end's name."""
        return str(self.backend)

    def get_group_store(self):
        """The store through which its processes met."""
        return self.store

    def __repr__(self):
        return f"ProcessGroup(backend={str(self.backend)!r}, size={self.size()})"


def _passed_on(name, *, listed=True):
    """A method that is a function of `_collectives.py` whose first tensors come in lists."""

    def method(self, tensors, *args, **kwargs):
        from . import _collectives

        (tensor,) = tensors if listed else (tensors,)
        return getattr(_collectives, name)(tensor, *args, group=self, async_op=True, **kwargs)

    method.__doc__ = f"`{name}` of the tensor in a list, begun: a `Work`."
    return method


ProcessGroup.allreduce = _passed_on("all_reduce")
ProcessGroup.broadcast = _passed_on("broadcast")
ProcessGroup._allgather_base = _passed_on("all_gather_into_tensor", listed=False)
ProcessGroup._reduce_scatter_base = _passed_on("reduce_scatter_tensor", listed=False)


class _GroupMeta(type):
    @property
    def WORLD(cls):
        """The group of all processes, or None before `init_process_group`."""
        return _world["group"]


class group(metaclass=_GroupMeta):
    """`group.WORLD` is the group of all processes."""


class GroupMember(metaclass=_GroupMeta):
    """`GroupMember.NON_GROUP_MEMBER` stands for a group that this process is not in."""

    NON_GROUP_MEMBER = -100


def init_process_group(
    backend=None,
    init_method=None,
    timeout=None,
    world_size=-1,
    rank=-1,
    store=None,
    group_name="",
    pg_options=None,
    device_id=None,
):
    """Begins the group of all processes, which find each other through a store.

    All of them have to call it. A world of one process connects to nobody, and needs no address.

    Args:
        backend: "gloo", also by the names of devices ("cpu:gloo"), and the default; "nccl" is
            refused, as it exchanges tensors between GPUs.
        init_method: an address. ``"env://"`` (the default) reads the environment variables
            MASTER_ADDR and MASTER_PORT, and WORLD_SIZE and RANK unless ``world_size`` and ``rank``
            are given; ``"tcp://host:port"`` names the process with rank 0, ``"file:///path"`` a
            file that does not exist yet.
        store: where they find each other, instead; then ``world_size`` and ``rank`` are needed.
        timeout: a timedelta: how long to wait for the others, here and in exchanges.
        group_name, pg_options: kept, and change nothing.
        device_id: a device of the CPU.

    Raises:
        DistStoreError: if processes do not come in time; it names their ranks.
        ValueError: if the group has begun already, or numbers are missing or out of range.

    Example::

        >>> rl.distributed.init_process_group("gloo", world_size=1, rank=0)
        >>> rl.distributed.get_world_size()
        1
        >>> rl.distributed.destroy_process_group()
    """
    from ._rendezvous import joined

    if is_initialized():
        raise ValueError("init_process_group: trying to initialize the default process group twice")
    timeout = DEFAULT_TIMEOUT if timeout is None else duration(timeout)
    name = _supported(backend)
    store, rank, world_size = joined(init_method, timeout, world_size, rank, store)
    _world["worlds"] += 1
    _world["group"] = _whole_world(name, store, rank, world_size, timeout)
    _world.update(groups=[_world["group"]], made={})


def _whole_world(name, store, rank, world_size, timeout):
    from ._store import PrefixStore

    mesh = None
    if world_size > 1:
        from ._meeting import meet

        store = PrefixStore(f"world/{_world['worlds']}", store)
        mesh = meet(store, rank, world_size, timeout)
    made = ProcessGroup(name, "default", range(world_size), rank, mesh, timeout)
    made.store, made.group_desc = store, "default_pg"
    return made


def _supported(backend):
    """The back end's name without those of devices."""
    name = Backend(backend or "gloo").partition(",")[0].rpartition(":")[2]
    if name == "nccl":
        raise RuntimeError("init_process_group: nccl needs GPUs, of which there are none: use gloo")
    if name in (Backend.MPI, Backend.UCC, Backend.XCCL):
        raise unsupported(f"init_process_group: the back end {name}", "use gloo")
    return name


def destroy_process_group(group=None):
    """Ends a group; by default all of them, and the connections to other processes.

    Raises:
        AssertionError: if none has begun.
    """
    assert is_initialized(), "destroy_process_group: no process group has begun"
    if group is None or group is _world["group"]:
        mesh = _world["group"].mesh
        for ending in _world["groups"]:
            ending.works.close()
        if mesh is not None:
            mesh.close()
        _world.update(group=None, groups=[], made={})
    elif not _outside(group):
        group.works.close()
        _world["groups"].remove(group)


def is_initialized():
    """Has `init_process_group` been called?"""
    return _world["group"] is not None


class _Outside(int):
    """A group that this process is not in: PyTorch's -100, that knows its ranks."""

    ranks = ()


def _outside(group):
    return isinstance(group, int) and group == GroupMember.NON_GROUP_MEMBER


def _member(group):
    """The group, or that of all processes; None for a group that this process is not in."""
    if _outside(group):
        return None
    if group is None and not is_initialized():
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    if group is not None and not isinstance(group, ProcessGroup):
        raise TypeError(f"expected a ProcessGroup, got {type(group).__name__}")
    return group or _world["group"]


def get_rank(group=None):
    """This process's rank within the group; -1 in a group that it is not in."""
    group = _member(group)
    return -1 if group is None else group.rank()


def get_world_size(group=None):
    """The number of processes in the group; -1 in a group that this process is not in."""
    group = _member(group)
    return -1 if group is None else group.size()


def get_backend(group=None):
    """The name that the group was begun with."""
    return _member(group).backend


def get_node_local_rank(fallback_rank=None):
    """The environment variable LOCAL_RANK, or `fallback_rank`; RuntimeError without both."""
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is None:
        raise RuntimeError("get_node_local_rank: LOCAL_RANK is not set; pass fallback_rank")
    return int(fallback_rank)


def get_process_group_ranks(group=None):
    """The ranks among all processes of those in the group."""
    member = _member(group)
    return list(getattr(group, "ranks", ()) if member is None else member.ranks)


def get_global_rank(group, group_rank):
    """The rank among all processes of a rank within the group."""
    ranks = get_process_group_ranks(group)
    if not 0 <= group_rank < len(ranks):
        raise ValueError(
            f"get_global_rank: no rank {group_rank} in a group of {len(ranks)} processes"
        )
    return ranks[group_rank]


def get_group_rank(group, global_rank):
    """The rank within the group of a rank among all processes."""
    ranks = get_process_group_ranks(group)
    if global_rank not in ranks:
        raise ValueError(f"get_group_rank: rank {global_rank} is not in the group of {ranks}")
    return ranks.index(global_rank)


def get_pg_count():
    """How many groups there are, that of all processes included; 0 before there is one."""
    return len(_world["groups"])


def is_backend_available(backend):
    """Can `init_process_group` be asked for it? "gloo" only."""
    return backend.lower() == "gloo"


def is_gloo_available():
    """True: processes exchange tensors on the CPU."""
    return True


def is_nccl_available():
    """False: there are no GPUs."""
    return False


is_mpi_available = is_ucc_available = is_xccl_available = is_nccl_available


def is_torchelastic_launched():
    """Was this process started by torchrun, which sets TORCHELASTIC_RUN_ID?"""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _forget_works_in_child():
    """The thread that carries them out is not in a process that is forked; its locks may be."""
    for each in _world["groups"]:
        each.works = Works()


os.register_at_fork(after_in_child=_forget_works_in_child)
