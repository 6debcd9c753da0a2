"""`associative_scan`: running results of a function of two values."""

import rushlight as rl
from rushlight.utils._pytree import tree_flatten, tree_unflatten


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
    leaves, structure = tree_flatten(xs)
    if not leaves:
        raise ValueError("associative_scan: expected at least one tensor")
    dim = dim % leaves[0].dim()
    slices = [leaf.unbind(dim) for leaf in leaves]
    order = range(len(slices[0]))
    steps, state = [], None
    for i in reversed(order) if reverse else order:
        here = tree_unflatten([s[i] for s in slices], structure)
        state = here if state is None else combine_fn(state, here)
        steps.append(tree_flatten(state)[0])
    steps = steps[::-1] if reverse else steps
    return tree_unflatten([rl.stack(list(parts), dim) for parts in zip(*steps)], structure)
