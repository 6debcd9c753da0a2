"""Structures of tensors, cut along a dimension and put together again; for the functions here."""

import rushlight as rl
from rushlight.utils._pytree import tree_flatten, tree_unflatten


def check_callable(name, function):
    """RuntimeError if this cannot be called."""
    if not callable(function):
        raise RuntimeError(f"{name}: expected a function, got {type(function).__name__}")


def slices_of(name, xs, dim):
    """What each place along a dimension holds, as structures like xs.

    Raises:
        RuntimeError: for leaves that are no tensors or differ in length.
        IndexError: if a leaf does not have the dimension.
    """
    leaves, structure = tree_flatten(xs)
    for leaf in leaves:
        if not isinstance(leaf, rl.Tensor):
            raise RuntimeError(f"{name}: expected xs to hold tensors, got {type(leaf).__name__}")
        if not -leaf.dim() <= dim < leaf.dim():
            raise IndexError(
                f"{name}: dimension {dim} is out of range for a tensor of {leaf.dim()} dimensions"
            )
    lengths = {leaf.shape[dim] for leaf in leaves}
    if len(lengths) > 1:
        raise RuntimeError(f"{name}: xs have different lengths {sorted(lengths)} along {dim}")
    parts = zip(*[leaf.unbind(dim) for leaf in leaves])
    return [tree_unflatten(list(part), structure) for part in parts]


def stacked(name, steps, dim):
    """Structures of tensors as one structure, with a dimension for the steps."""
    columns, structure = [], None
    for step in steps:
        leaves, form = tree_flatten(step)
        if structure is not None and form != structure:
            raise RuntimeError(f"{name}: the results of steps differ in form: {structure}, {form}")
        structure = form
        columns.append(leaves)
    return tree_unflatten([rl.stack(list(parts), dim) for parts in zip(*columns)], structure)
