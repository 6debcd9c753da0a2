"""Named tuples of ops with several results, as in ``values, indices = x.max(0)``.

They are made like a tuple, of one sequence, and have no `_fields`: who asks for those takes a
class for one of `collections.namedtuple`, which is called with an argument for each field.
"""

#: name -> class, as `rushlight.return_types` offers them
made = {}


class _Field:
    """Reads one position of a tuple by name."""

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index

    def __get__(self, owner, owner_type=None):
        return self if owner is None else owner[self.index]


def _new(cls, iterable=(), _rest=None):
    self = tuple.__new__(cls, iterable)
    if len(self) != cls.n_fields:
        raise TypeError(
            f"torch.return_types.{cls.__name__}() takes a {cls.n_fields}-sequence "
            f"({len(self)}-sequence given)"
        )
    return self


def _repr(self):
    inside = ",\n".join([f"{n}={v!r}" for n, v in zip(self.__match_args__, self)])
    return f"torch.return_types.{type(self).__name__}(\n{inside})"


def result_type(name, fields):
    """A tuple type with named fields. Made without `collections`, which is slow to import."""
    members = {f: _Field(i) for i, f in enumerate(fields)}
    members.update(
        __slots__=(),
        __new__=_new,
        __match_args__=fields,
        __repr__=_repr,
        __reduce__=_reduce,
        __module__="rushlight.return_types",
        n_fields=len(fields),
        n_sequence_fields=len(fields),
        n_unnamed_fields=0,
    )
    return made.setdefault(name, type(name, (tuple,), members))


def _reduce(self):
    return type(self), (tuple(self), {})


def name_of(record):
    """What the class of an op's results is called: linear algebra has its namespace before it."""
    name = record.public_name
    return f"linalg_{name}" if "linalg" in record.at else name


def results_of(record):
    """The class of an op's results; it makes one of a sequence of them."""
    return result_type(name_of(record), record.result_names)
