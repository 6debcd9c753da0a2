"""`associative_scan`: running results of a function of two values."""

from rushlight._higher_order_ops._slices import check_callable, slices_of, stacked


def associative_scan(combine_fn, xs, dim, reverse=False, combine_mode="pointwise"):
    """Results of ``combine_fn`` over growing parts: for addition, cumulative sums.

    Args:
        combine_fn: ``f(a, b)`` of two slices, or structures of slices.
        xs: a tensor, or a structure of tensors of one length along ``dim``.
        dim: the dimension along which to go.
        reverse: go from the end.
        combine_mode: "pointwise" or "generic"; both compute the same.

    Example::

        >>> from rushlight._higher_order_ops import associative_scan
        >>> associative_scan(lambda a, b: a + b, rl.arange(4), 0)
        tensor([0, 1, 3, 6])
    """
    if combine_mode not in ("pointwise", "generic"):
        raise ValueError(f"associative_scan: unknown combine_mode {combine_mode!r}")
    check_callable("associative_scan", combine_fn)
    slices = slices_of("associative_scan", xs, dim)
    if not slices:
        raise ValueError("associative_scan: expected at least one tensor of at least one slice")
    steps, state = [], None
    for here in slices[::-1] if reverse else slices:
        state = combine_fn(state, here) if steps else here
        steps.append(state)
    return stacked("associative_scan", steps[::-1] if reverse else steps, dim)
