"""`DeviceMesh`: processes arranged in a grid, with a group along each dimension."""

import math
import os

import rushlight as rl

from . import _group
from ._subgroups import new_group

__all__ = ["DeviceMesh", "init_device_mesh"]


def _begin_world():
    """The group of all processes, begun by the environment if it is not yet."""
    if not _group.is_initialized():
        alone = {} if "WORLD_SIZE" in os.environ else {"world_size": 1, "rank": 0}
        _group.init_process_group("gloo", **alone)
    return _group.group.WORLD


class DeviceMesh:
    """A grid of ranks. All processes of the world have to make it.

    Args:
        device_type: ``"cpu"``.
        mesh: the ranks as nested lists or a tensor of integers.
        mesh_dim_names: a name for each dimension.
    """

    def __init__(self, device_type, mesh, *, mesh_dim_names=None, _groups=None):
        self.device_type = device_type
        self.mesh = rl.as_tensor(mesh, dtype=rl.int32)
        self.mesh_dim_names = tuple(mesh_dim_names) if mesh_dim_names else None
        if self.mesh_dim_names and len(self.mesh_dim_names) != self.mesh.ndim:
            raise RuntimeError(
                f"DeviceMesh: {len(self.mesh_dim_names)} names for {self.mesh.ndim} dimensions"
            )
        world, ranks = _begin_world(), self.mesh.flatten().tolist()
        if len(set(ranks)) != len(ranks) or not set(ranks) <= set(world.ranks):
            raise RuntimeError(f"DeviceMesh: {ranks} are not different ranks of {world.size()}")
        self._rank = world.rank()
        self._groups = self._new_groups() if _groups is None else _groups

    def _new_groups(self):
        """This process's group along each dimension; all processes make all groups."""
        groups = []
        for dim in range(self.ndim):
            lines = self.mesh.movedim(dim, -1).reshape(-1, self.mesh.shape[dim]).tolist()
            made = [new_group(line) for line in lines]
            mine = [group for group in made if isinstance(group, _group.ProcessGroup)]
            groups.append(mine[0] if mine else _group.GroupMember.NON_GROUP_MEMBER)
        return groups

    @property
    def ndim(self):
        """The number of dimensions."""
        return self.mesh.ndim

    @property
    def shape(self):
        """The lengths of the dimensions."""
        return tuple(self.mesh.shape)

    def size(self, mesh_dim=None):
        """The number of processes, of one dimension if it is given."""
        return self.mesh.numel() if mesh_dim is None else self.mesh.size(mesh_dim)

    def get_rank(self):
        """This process's rank among all."""
        return self._rank

    def get_coordinate(self):
        """This process's place, or None if it has none."""
        places = (self.mesh == self._rank).nonzero().tolist()
        return places[0] if places else None

    def _dim(self, mesh_dim, name):
        if mesh_dim is None and self.ndim != 1:
            raise RuntimeError(f"{name}: pass mesh_dim, as there are {self.ndim} dimensions")
        if isinstance(mesh_dim, str):
            self._known([mesh_dim])
            return self.mesh_dim_names.index(mesh_dim)
        return 0 if mesh_dim is None else mesh_dim

    def _known(self, names):
        unknown = [name for name in names if name not in (self.mesh_dim_names or ())]
        if unknown:
            raise KeyError(f"DeviceMesh has no dimension {unknown[0]!r}: {self.mesh_dim_names}")

    def get_local_rank(self, mesh_dim=None):
        """This process's place along one dimension."""
        dim, place = self._dim(mesh_dim, "get_local_rank"), self.get_coordinate()
        if place is None:
            raise RuntimeError(f"get_local_rank: rank {self._rank} has no place in {self}")
        return place[dim]

    def get_group(self, mesh_dim=None):
        """The group of the processes along one dimension."""
        return self._groups[self._dim(mesh_dim, "get_group")]

    def get_all_groups(self):
        """A group for each dimension."""
        return list(self._groups)

    def __getitem__(self, names):
        names = (names,) if isinstance(names, str) else tuple(names)
        self._known(names)
        dims = [self.mesh_dim_names.index(name) for name in names]
        place = self.get_coordinate()
        if place is None:
            raise RuntimeError(f"DeviceMesh: rank {self._rank} has no place in {self}")
        index = tuple(slice(None) if d in dims else place[d] for d in range(self.ndim))
        kept = sorted(dims)
        mesh = self.mesh[index].permute([kept.index(d) for d in dims])
        groups = [self._groups[d] for d in dims]
        return DeviceMesh(self.device_type, mesh, mesh_dim_names=names, _groups=groups)

    def __repr__(self):
        return f"DeviceMesh({self.device_type!r}, {self.mesh.tolist()}, {self.mesh_dim_names})"


def init_device_mesh(device_type, mesh_shape, *, mesh_dim_names=None):
    """A grid of the given shape, which must have a place for each process.

    Example::

        >>> mesh = rl.distributed.init_device_mesh("cpu", (1,), mesh_dim_names=("data",))
        >>> mesh["data"].size()
        1
        >>> rl.distributed.destroy_process_group()
    """
    size = _begin_world().size()
    if math.prod(mesh_shape) != size:
        raise RuntimeError(
            f"init_device_mesh: shape {tuple(mesh_shape)} has not one place for each of {size} "
            "processes"
        )
    mesh = rl.arange(size, dtype=rl.int32).view(tuple(mesh_shape))
    return DeviceMesh(device_type, mesh, mesh_dim_names=mesh_dim_names)
