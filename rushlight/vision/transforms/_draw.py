"""How random transforms draw numbers: always from the default generator, one number a call.

The order of the draws is torchvision's, so that the same seed gives the same augmentation.
"""

import numbers

import rushlight as rl


def uniform(low, high):
    """A number between `low` and `high`."""
    return rl.empty(1).uniform_(float(low), float(high)).item()


def integer(low, high):
    """An integer from `low` up to, not including, `high`."""
    return int(rl.randint(low, high, size=(1,)).item())


def happens(p):
    """True with probability `p`."""
    return bool(rl.rand(1) < p)


def check_probability(p, owner):
    """`p`; ValueError unless it is a number in [0, 1]."""
    if not isinstance(p, numbers.Number) or not 0 <= p <= 1:
        raise ValueError(f"{type(owner).__name__}: expected a probability in [0, 1], got {p!r}")
    return p


def symmetric_range(value, name, sizes=(2,)):
    """`[-value, value]` of a number, or the sequence itself if its length is in `sizes`."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"{name}: a single number must be at least 0, got {value}")
        return [float(-value), float(value)]
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name}: expected a number or a sequence, got {type(value)}")
    if len(value) not in sizes:
        wanted = " or ".join(str(size) for size in sizes)
        raise ValueError(f"{name}: expected a number or a sequence of {wanted}, got {value!r}")
    return [float(v) for v in value]
