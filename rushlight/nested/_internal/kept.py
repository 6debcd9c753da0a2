"""How the components of a nested tensor lie in ordinary tensors."""

from itertools import count

import rushlight as rl

_numbers = count(1)


class NestedInt(int):
    """The size of a dimension in which components differ: in a shape it stands for itself, and in
    ``view`` for -1.
    """

    def __new__(cls):
        made = super().__new__(cls, -1)
        made.number = next(_numbers)
        return made

    def __repr__(self):
        return f"j{self.number}"

    __str__ = __repr__

    def __eq__(self, other):
        return self is other

    def __ne__(self, other):
        return self is not other

    __hash__ = object.__hash__


# ---- how components are kept ---------------------------------------------------------------------


class Packed:
    """Components side by side in one tensor, along the dimension `at` of theirs."""

    def __init__(self, values, lengths, at, size):
        self.values, self.lengths, self.at, self.size = values, list(lengths), at, size

    def parts(self):
        return list(self.values.split(self.lengths, self.at))

    def map(self, function, *others):
        return Packed(
            function(self.values, *[o.values for o in others]), self.lengths, self.at, self.size
        )

    def tensors(self):
        return [self.values]

    def shapes(self):
        shape = list(self.values.shape)
        return [(*shape[: self.at], n, *shape[self.at + 1 :]) for n in self.lengths]


class Listed:
    """Components as they are."""

    def __init__(self, parts):
        self.list = list(parts)

    def parts(self):
        return self.list

    def map(self, function, *others):
        return Listed(map(function, self.list, *[o.parts() for o in others]))

    def tensors(self):
        return self.list

    def shapes(self):
        return [tuple(p.shape) for p in self.list]


def keep(parts, like=None):
    """The components as they are best kept; `like`: where sizes are those of another tensor's."""
    shapes = [tuple(p.shape) for p in parts]
    differ = [d for d in range(len(shapes[0])) if len({s[d] for s in shapes}) > 1]
    at = like.at if isinstance(like, Packed) and len(differ) < 2 else (differ or [0])[0]
    if len(differ) > 1 or not shapes[0] or (differ and differ[0] != at):
        return Listed(parts)
    lengths = [s[at] for s in shapes]
    size = like.size if isinstance(like, Packed) and like.lengths == lengths else NestedInt()
    return Packed(rl.cat(list(parts), at), lengths, at, size)
