"""Groups of some of the processes.

All processes of the world call these with the same lists, those that are not in a group too;
nothing is exchanged for it.
"""

from rushlight._notes import unsupported

from ._group import (
    GroupMember,
    ProcessGroup,
    _member,
    _Outside,
    _supported,
    _world,
    get_process_group_ranks,
)
from ._store import duration


def _checked_ranks(ranks, world):
    """The ranks in order; ValueError for those that there are not, or twice."""
    ranks, size = list(ranks), world.size()
    if len(ranks) > size:
        raise ValueError(f"new_group: {len(ranks)} ranks in a world of {size}")
    for rank in ranks:
        if rank not in world.ranks:
            raise ValueError(f"new_group: ranks must be in 0 to {size - 1}, got {rank}")
    if len(set(ranks)) != len(ranks):
        raise ValueError(f"new_group: ranks must be different, got {ranks}")
    return ranks


def _next_name(ranks, local):
    """The same for all processes that make the group: all of them, or with ``local`` its own."""
    about = tuple(ranks) if local else None
    _world["made"][about] = _world["made"].get(about, 0) + 1
    return f"group {_world['made'][about]} of {list(ranks) if local else 'all'}"


def new_group(
    ranks=None,
    timeout=None,
    backend=None,
    pg_options=None,
    use_local_synchronization=False,
    group_desc=None,
    device_id=None,
):
    """A group of some of the ranks; `GroupMember.NON_GROUP_MEMBER` if this process is not in it.

    Args:
        ranks: among all processes; their order does not matter. All, by default.
        timeout: a timedelta: how long exchanges may take; that of the world, by default.
        backend: "gloo", the only one.
        pg_options, device_id: kept, and change nothing.
        use_local_synchronization: whether only the group's own processes call this.
        group_desc: what it is for.

    Raises:
        ValueError: for ranks that there are not.
    """
    world = _member(None)
    ranks = sorted(world.ranks if ranks is None else _checked_ranks(ranks, world))
    name = _next_name(ranks, use_local_synchronization)
    me = world.ranks[world.rank()]
    if me not in ranks:
        outside = _Outside(GroupMember.NON_GROUP_MEMBER)
        outside.ranks = ranks
        return outside
    timeout = world.timeout if timeout is None else duration(timeout)
    made = ProcessGroup(_supported(backend or world.backend), name, ranks, me, world.mesh, timeout)
    made.group_desc, made.store = group_desc or "undefined", world.store
    _world["groups"].append(made)
    return made


def new_subgroups(
    group_size=None, group=None, timeout=None, backend=None, pg_options=None, group_desc=None
):
    """This process's group among groups of `group_size` neighbours, and the list of all of them."""
    ranks = get_process_group_ranks(group)
    size = 1 if group_size is None and len(ranks) == 1 else group_size
    if size is None:
        raise ValueError("new_subgroups: pass group_size, as there are no GPUs to count")
    if not 0 < size <= len(ranks):
        raise ValueError(f"new_subgroups: groups of {size} in a world of {len(ranks)}")
    if len(ranks) % size:
        raise ValueError(f"new_subgroups: {len(ranks)} ranks do not divide into groups of {size}")
    lists = [ranks[i : i + size] for i in range(0, len(ranks), size)]
    return new_subgroups_by_enumeration(lists, timeout, backend, pg_options, group_desc)


def new_subgroups_by_enumeration(
    ranks_per_subgroup_list, timeout=None, backend=None, pg_options=None, group_desc=None
):
    """This process's group among those whose ranks are listed, and the list of all of them."""
    if not ranks_per_subgroup_list:
        raise ValueError("new_subgroups_by_enumeration: the list of groups is empty")
    seen = set()
    for ranks in ranks_per_subgroup_list:
        for rank in ranks:
            if rank in seen:
                raise ValueError(
                    f"new_subgroups_by_enumeration: rank {rank} is in more than one group"
                )
            seen.add(rank)
    made = [
        new_group(ranks, timeout, backend, pg_options, group_desc=group_desc)
        for ranks in ranks_per_subgroup_list
    ]
    mine = [group for group in made if isinstance(group, ProcessGroup)]
    return (mine[0] if mine else None), made


def split_group(
    parent_pg=None,
    split_ranks=None,
    timeout=None,
    pg_options=None,
    group_desc=None,
    backend=None,
):
    """This process's group among the parts of a group whose ranks within it are listed.

    Unlike PyTorch's, it needs no device that the group is bound to.
    """
    parent = _member(parent_pg)
    if not split_ranks:
        raise ValueError("split_group: split_ranks is empty")
    if parent is not _world["group"]:
        raise unsupported("split_group of a part of the world", "use new_group")
    backend = backend or parent.backend
    groups = new_subgroups_by_enumeration(split_ranks, timeout, backend, pg_options, group_desc)
    return groups[0]


def shrink_group(ranks_to_exclude, group=None, shrink_flags=0, pg_options=None):
    """A group without some of its ranks. With one process, ValueError: nobody can leave.

    Raises:
        NotImplementedError: with several processes.
    """
    group = _member(group)
    if group.size() > 1:
        raise unsupported("shrink_group", "use new_group with the ranks that stay")
    raise ValueError(
        f"shrink_group: cannot leave out {list(ranks_to_exclude)}, the group has one process"
    )
