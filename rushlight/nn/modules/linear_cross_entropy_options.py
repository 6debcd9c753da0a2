"""Options of `linear_cross_entropy`: how it may split its work into pieces."""

__all__ = ["LinearCrossEntropyOptions"]


class LinearCrossEntropyOptions:
    """How `linear_cross_entropy` splits the batch so as not to hold all logits at once.

    Args:
        allow_retain_graph: whether backward may run more than once.
        batch_chunk_size: rows per piece; None chooses.
        chunking_method: 'auto' or the name of a rule that chooses the size of the pieces.
        acc_policy: 'auto' or the name of a rule for the dtype of sums.
        acc_dtype: the dtype of sums; None lets the rule decide.
    """

    __slots__ = (
        "allow_retain_graph",
        "batch_chunk_size",
        "chunking_method",
        "acc_policy",
        "acc_dtype",
    )

    def __init__(
        self,
        allow_retain_graph=False,
        batch_chunk_size=None,
        chunking_method="auto",
        acc_policy="auto",
        acc_dtype=None,
    ):
        self.allow_retain_graph = allow_retain_graph
        self.batch_chunk_size = batch_chunk_size
        self.chunking_method = chunking_method
        self.acc_policy = acc_policy
        self.acc_dtype = acc_dtype

    def _values(self):
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other):
        return type(other) is type(self) and self._values() == other._values()

    def __hash__(self):
        return hash(self._values())

    def __repr__(self):
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"LinearCrossEntropyOptions({fields})"
