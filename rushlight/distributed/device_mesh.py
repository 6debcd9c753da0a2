"""`DeviceMesh`: processes arranged in a grid; here a grid with one place, in any number of
dimensions.
"""

import math

import rushlight as rl
from rushlight._notes import unsupported

from . import _group

__all__ = ["DeviceMesh", "init_device_mesh"]


class DeviceMesh:
    """A grid of ranks with one process.

    Args:
        device_type: ``"cpu"``.
        mesh: the ranks as nested lists or a tensor of integers: all 0.
        mesh_dim_names: a name for each dimension.
    """

    def __init__(self, device_type, mesh, *, mesh_dim_names=None):
        self.device_type = device_type
        self.mesh = rl.as_tensor(mesh, dtype=rl.int32)
        self.mesh_dim_names = tuple(mesh_dim_names) if mesh_dim_names else None
        if self.mesh.numel() != 1 or self.mesh.item() != 0:
            raise unsupported(f"DeviceMesh of ranks {self.mesh.tolist()}", "there is one process")
        if not _group.is_initialized():
            _group.init_process_group("gloo", world_size=1, rank=0)
        self._group = _group.new_group()

    @property
    def ndim(self):
        """The number of dimensions."""
        return self.mesh.ndim

    @property
    def shape(self):
        """The lengths of the dimensions."""
        return tuple(self.mesh.shape)

    def size(self, mesh_dim=None):
        """1."""
        return 1 if mesh_dim is None else self.mesh.size(mesh_dim)

    def get_rank(self):
        """0."""
        return 0

    def get_local_rank(self, mesh_dim=None):
        """0."""
        return 0

    def get_coordinate(self):
        """This process's place."""
        return [0] * self.ndim

    def get_group(self, mesh_dim=None):
        """The group of one dimension's processes."""
        return self._group

    def get_all_groups(self):
        """A group for each dimension."""
        return [self._group] * self.ndim

    def __getitem__(self, names):
        names = (names,) if isinstance(names, str) else tuple(names)
        unknown = [name for name in names if name not in (self.mesh_dim_names or ())]
        if unknown:
            raise KeyError(f"DeviceMesh has no dimension {unknown[0]!r}: {self.mesh_dim_names}")
        mesh = self.mesh.reshape([1] * len(names))
        return DeviceMesh(self.device_type, mesh, mesh_dim_names=names)

    def __repr__(self):
        return f"DeviceMesh({self.device_type!r}, {self.mesh.tolist()}, {self.mesh_dim_names})"


def init_device_mesh(device_type, mesh_shape, *, mesh_dim_names=None):
    """A grid of the given shape, which must have one place.

    Example::

        >>> mesh = rl.distributed.init_device_mesh("cpu", (1,), mesh_dim_names=("data",))
        >>> mesh["data"].size()
        1
        >>> rl.distributed.destroy_process_group()
    """
    if math.prod(mesh_shape) != 1:
        raise unsupported(f"init_device_mesh: {mesh_shape}", "there is one process")
    mesh = rl.zeros(mesh_shape, dtype=rl.int32)
    return DeviceMesh(device_type, mesh, mesh_dim_names=mesh_dim_names)
