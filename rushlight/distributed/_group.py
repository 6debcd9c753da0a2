"""Process groups of one process: beginning and ending one, and what can be asked of it.

Exchanging tensors is in `_collectives.py`.
"""

import os

from rushlight._notes import unsupported

_world = {"group": None, "parts": 0}


class Backend(str):
    """The name of a way to exchange tensors, in lower case."""

    UNDEFINED, GLOO, NCCL, MPI, UCC, XCCL = "undefined", "gloo", "nccl", "mpi", "ucc", "xccl"

    def __new__(cls, name):
        if not isinstance(name, str):
            raise ValueError(f"Backend constructor parameter must be a string, but got {name!r}")
        return super().__new__(cls, name.lower())


class ProcessGroup:
    """Some of the processes: here always this one alone, with rank 0."""

    def __init__(self, backend="gloo", name="default"):
        self.backend, self.group_name, self.group_desc = Backend(backend), name, name
        self.bound_device_id = None

    def rank(self):
        """0."""
        return 0

    def size(self):
        """1."""
        return 1

    def name(self):
        """The back end's name."""
        return str(self.backend)

    def __repr__(self):
        return f"ProcessGroup(backend={str(self.backend)!r}, size=1)"


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


def _size_and_rank(init_method, world_size, rank, store):
    """The numbers that were passed, or those of the environment or the address."""
    if store is None and (init_method is None or init_method.startswith("env://")):
        if world_size < 0:
            world_size = _from_environment("WORLD_SIZE")
        if rank < 0:
            rank = _from_environment("RANK")
    elif init_method and "?" in init_method:
        from urllib.parse import parse_qs, urlparse

        query = parse_qs(urlparse(init_method).query)
        world_size = int(query["world_size"][0]) if "world_size" in query else world_size
        rank = int(query["rank"][0]) if "rank" in query else rank
    return world_size, rank


def _from_environment(name):
    if name not in os.environ:
        raise ValueError(
            f"init_process_group: the environment variable {name} is not set; set it, or pass "
            "world_size and rank"
        )
    return int(os.environ[name])


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
    """Begins the group of all processes, which is this one.

    Args:
        backend: a name, such as "gloo"; it is kept, and changes nothing. "nccl" is refused, as it
            exchanges tensors between GPUs.
        init_method, store: how processes would find each other: ``"env://"`` (the default) reads
            the environment variables WORLD_SIZE and RANK unless ``world_size`` and ``rank`` are
            given; other addresses are not connected to, as there is nobody else.
        timeout, group_name, pg_options: for waiting and for logs, of which there is none.
        device_id: a device of the CPU.

    Raises:
        NotImplementedError: if ``world_size`` is not 1.
        ValueError: if the group has begun already, or numbers are missing or out of range.

    Example::

        >>> rl.distributed.init_process_group("gloo", world_size=1, rank=0)
        >>> rl.distributed.get_world_size()
        1
        >>> rl.distributed.destroy_process_group()
    """
    if is_initialized():
        raise ValueError("init_process_group: trying to initialize the default process group twice")
    world_size, rank = _size_and_rank(init_method, world_size, rank, store)
    if world_size > 1:
        raise unsupported(
            f"init_process_group: a world of {world_size} processes",
            "one process uses all cores through set_num_threads",
        )
    if world_size != 1 or rank != 0:
        raise ValueError(
            f"init_process_group: expected world_size 1 and rank 0, got {world_size} and {rank}"
        )
    name = Backend(backend or "gloo").partition(":")[0]
    if name == "nccl":
        raise RuntimeError("init_process_group: nccl needs GPUs, of which there are none: use gloo")
    _world.update(group=ProcessGroup(name), parts=0)


def destroy_process_group(group=None):
    """Ends a group; by default, that of all processes.

    Raises:
        AssertionError: if none has begun.
    """
    assert is_initialized(), "destroy_process_group: no process group has begun"
    if group is None or group is _world["group"]:
        _world.update(group=None, parts=0)
    elif group is not GroupMember.NON_GROUP_MEMBER:
        _world["parts"] -= 1


def is_initialized():
    """Has `init_process_group` been called?"""
    return _world["group"] is not None


def _member(group, op="This"):
    """The group, or that of all processes; None for a group that this process is not in."""
    if group is GroupMember.NON_GROUP_MEMBER:
        return None
    if group is None and not is_initialized():
        raise ValueError(
            "Default process group has not been initialized, please make sure to call "
            "init_process_group."
        )
    return group or _world["group"]


def get_rank(group=None):
    """0; -1 in a group that this process is not in."""
    return -1 if _member(group) is None else 0


def get_world_size(group=None):
    """1; -1 in a group that this process is not in."""
    return -1 if _member(group) is None else 1


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
    """[0]."""
    _member(group)
    return [0]


def get_global_rank(group, group_rank):
    """The rank among all processes of a rank within the group."""
    _member(group)
    if group_rank != 0:
        raise ValueError(f"get_global_rank: no rank {group_rank} in a group of one process")
    return 0


def get_group_rank(group, global_rank):
    """The rank within the group of a rank among all processes."""
    return get_global_rank(group, global_rank)


def new_group(
    ranks=None,
    timeout=None,
    backend=None,
    pg_options=None,
    use_local_synchronization=False,
    group_desc=None,
    device_id=None,
):
    """A group of some of the ranks: of this process, or one that it is not in.

    The other arguments say how to wait for other processes, of which there are none.
    """
    world = _member(None)
    ranks = [0] if ranks is None else list(ranks)
    if any(rank != 0 for rank in ranks):
        raise ValueError(f"new_group: ranks must be in a world of one process, got {ranks}")
    if not ranks:
        return GroupMember.NON_GROUP_MEMBER
    _world["parts"] += 1
    return ProcessGroup(backend or world.backend, group_desc or "group")


def new_subgroups(
    group_size=None, group=None, timeout=None, backend=None, pg_options=None, group_desc=None
):
    """This process's group among groups of `group_size` (1), and the list of all of them."""
    if group_size not in (None, 1):
        raise ValueError(f"new_subgroups: groups of {group_size} in a world of one process")
    made = new_group(None, timeout, backend, pg_options, group_desc=group_desc)
    return made, [made]


def new_subgroups_by_enumeration(
    ranks_per_subgroup_list, timeout=None, backend=None, pg_options=None, group_desc=None
):
    """This process's group among those whose ranks are listed, and the list of all of them."""
    if not ranks_per_subgroup_list:
        raise ValueError("new_subgroups_by_enumeration: the list of groups is empty")
    made = [
        new_group(ranks, timeout, backend, pg_options, group_desc=group_desc)
        for ranks in ranks_per_subgroup_list
    ]
    if sum(map(len, ranks_per_subgroup_list)) > 1:
        raise ValueError("new_subgroups_by_enumeration: rank 0 is in more than one group")
    return made[0], made


def split_group(
    parent_pg=None,
    split_ranks=None,
    timeout=None,
    pg_options=None,
    group_desc=None,
    backend=None,
):
    """This process's group among the parts of a group whose ranks are listed.

    Unlike PyTorch's, it needs no device that the group is bound to.
    """
    parent = _member(parent_pg)
    if not split_ranks:
        raise ValueError("split_group: split_ranks is empty")
    backend = backend or parent.backend
    groups = new_subgroups_by_enumeration(split_ranks, timeout, backend, pg_options, group_desc)
    return groups[0]


def shrink_group(ranks_to_exclude, group=None, shrink_flags=0, pg_options=None):
    """A group without some of its ranks. ValueError: nobody can leave a group of one process."""
    _member(group)
    raise ValueError(
        f"shrink_group: cannot leave out {list(ranks_to_exclude)}, the group has one process"
    )


def get_pg_count():
    """How many groups there are, that of all processes included; 0 before there is one."""
    return is_initialized() + _world["parts"]


def is_backend_available(backend):
    """Can `init_process_group` be asked for it? "gloo" only."""
    return backend.lower() == "gloo"


def is_gloo_available():
    """True: a name for the group of one process."""
    return True


def is_nccl_available():
    """False: there are no GPUs."""
    return False


is_mpi_available = is_ucc_available = is_xccl_available = is_nccl_available


def is_torchelastic_launched():
    """Was this process started by torchrun, which sets TORCHELASTIC_RUN_ID?"""
    return "TORCHELASTIC_RUN_ID" in os.environ
