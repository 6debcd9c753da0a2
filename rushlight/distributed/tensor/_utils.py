"""Where the pieces of spread tensors lie; with one process, the piece is the tensor."""

from rushlight._notes import unsupported


def compute_local_shape_and_global_offset(global_shape, mesh, placements):
    """The shape of this process's piece, and where it begins."""
    if any(placement.is_shard() for placement in placements) and mesh.size() > 1:
        raise unsupported("compute_local_shape_and_global_offset with several processes")
    return tuple(global_shape), (0,) * len(global_shape)
