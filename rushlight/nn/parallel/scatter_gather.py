"""The module in which PyTorch keeps `scatter` and `gather`."""

from rushlight.nn.parallel import gather, scatter  # noqa: F401


def is_namedtuple(obj):
    """Is it a named tuple?"""
    return isinstance(obj, tuple) and hasattr(obj, "_asdict") and hasattr(obj, "_fields")
