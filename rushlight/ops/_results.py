"""Named tuples of ops with several results, as in ``values, indices = x.max(0)``."""


class _Field:
    """Reads one position of a tuple by name."""

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index

    def __get__(self, owner, owner_type=None):
        return self if owner is None else owner[self.index]


def _repr(self):
    inside = ",\n".join([f"{n}={v!r}" for n, v in zip(self._fields, self)])
    return f"torch.return_types.{type(self).__name__}(\n{inside})"


def result_type(name, fields):
    """A tuple type with named fields. Made without `collections`, which is slow to import."""
    members = {f: _Field(i) for i, f in enumerate(fields)}
    members.update(
        __slots__=(),
        _fields=fields,
        __repr__=_repr,
        __module__="torch.return_types",
        n_fields=len(fields),
        n_sequence_fields=len(fields),
        n_unnamed_fields=0,
    )
    return type(name, (tuple,), members)
