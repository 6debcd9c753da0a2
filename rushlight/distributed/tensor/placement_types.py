"""How a tensor would lie on a grid of processes: whole, in pieces, or as parts of a sum."""

from dataclasses import dataclass

__all__ = ["Partial", "Placement", "Replicate", "Shard"]


class Placement:
    """A way to lie along one dimension of a grid."""

    def is_shard(self, dim=None):
        """Is it `Shard`, along the dimension if one is given?"""
        return isinstance(self, Shard) and dim in (None, getattr(self, "dim", None))

    def is_replicate(self):
        """Is it `Replicate`?"""
        return isinstance(self, Replicate)

    def is_partial(self, reduce_op=None):
        """Is it `Partial`, of the operation if one is given?"""
        return isinstance(self, Partial) and reduce_op in (None, getattr(self, "reduce_op", None))


@dataclass(frozen=True)
class Shard(Placement):
    """In pieces along a dimension of the tensor."""

    dim: int


@dataclass(frozen=True)
class _StridedShard(Shard):
    """In pieces of pieces."""

    split_factor: int = 1


@dataclass(frozen=True)
class Replicate(Placement):
    """Whole everywhere."""


@dataclass(frozen=True)
class Partial(Placement):
    """As parts of a sum."""

    reduce_op: str = "sum"
