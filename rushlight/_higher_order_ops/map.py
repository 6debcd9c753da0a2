"""`map`: a function of slices, one after the other."""

from rushlight._higher_order_ops._slices import check_callable, slices_of, stacked


def map(f, xs, *args):
    """``f(slice, *args)`` of each slice along the first dimension, stacked.

    Args:
        f: a function of a slice of xs, or of a structure of slices, and ``args``.
        xs: a tensor, or a structure of tensors of one length.
        *args: what is the same for all slices.

    Raises:
        RuntimeError: for lengths that differ or are 0, and what is no tensor.

    Example::

        >>> from rushlight._higher_order_ops import map
        >>> map(lambda x, k: x.sum() * k, rl.ones(2, 3), 2)
        tensor([6., 6.])
    """
    check_callable("map", f)
    slices = slices_of("map", xs, 0)
    if not slices:
        raise RuntimeError("map: expected xs of at least one slice")
    return stacked("map", [f(here, *args) for here in slices], 0)
