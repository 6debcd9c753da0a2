"""Sizes that `trace` follows through arithmetic, so that a trace serves other batch sizes."""

import operator

from ._script import tracers


class Size(int):
    """A size that remembers how it was computed from the inputs' shapes."""

    node = None

    def __reduce__(self):
        return int, (int(self),)


def size(value, node):
    made = Size(value)
    made.node = node
    return made


def _arithmetic(function, swapped=False):
    plain = getattr(int, f"__{'r' if swapped else ''}{function.__name__.rstrip('_')}__")

    def compute(self, other):
        result = plain(self, other)
        if not tracers or not isinstance(result, int) or isinstance(result, bool):
            return result
        args = (other, self) if swapped else (self, other)
        return size(result, tracers[-1].function_node(function, args))

    return compute


for _f in (operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod):
    setattr(Size, f"__{_f.__name__}__", _arithmetic(_f))
    setattr(Size, f"__r{_f.__name__}__", _arithmetic(_f, swapped=True))
Size.__neg__ = lambda self: 0 - self
