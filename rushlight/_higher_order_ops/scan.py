"""`scan`: a loop along a dimension that hands a state from step to step."""

import rushlight as rl
from rushlight._higher_order_ops._slices import check_callable, slices_of, stacked
from rushlight.utils._pytree import tree_flatten


def scan(combine_fn, init, xs, *, dim=0, reverse=False):
    """The last state, and what the steps gave, stacked along ``dim``.

    Args:
        combine_fn: ``f(state, slice)`` gives the next state, like this one in structure, shapes
            and dtypes, and a result.
        init: the first state: a tensor or a structure of tensors.
        xs: a tensor, or a structure of tensors of one length along ``dim``.
        dim: the dimension along which to go.
        reverse: go from the end; results lie where their slices do.

    Raises:
        RuntimeError: for a state that is not like the first, and what is no tensor.

    Example::

        >>> from rushlight._higher_order_ops import scan
        >>> scan(lambda s, x: (s + x, s * x), rl.tensor(0), rl.arange(4))
        (tensor(6), tensor([0, 0, 2, 9]))
    """
    check_callable("scan", combine_fn)
    leaves, form = tree_flatten(init)
    if not leaves or not all(isinstance(x, rl.Tensor) for x in leaves):
        raise RuntimeError("scan: expected init to be a tensor or a structure of tensors")
    slices = slices_of("scan", xs, dim)
    if not slices:
        if tree_flatten(xs)[0]:
            raise RuntimeError(f"scan: xs have no slices along dimension {dim}")
        return init, []
    state, results = init, []
    for here in slices[::-1] if reverse else slices:
        given = combine_fn(state, here)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            raise RuntimeError("scan: expected combine_fn to return a state and a result")
        state = _checked(given[0], leaves, form)
        results.append(given[1])
    return state, stacked("scan", results[::-1] if reverse else results, dim)


def _checked(state, first, form):
    leaves, own = tree_flatten(state)
    if own != form:
        raise RuntimeError(f"scan: expected a state of the form {form}, got {own}")
    for x, y in zip(leaves, first):
        if not isinstance(x, rl.Tensor) or (x.shape, x.dtype) != (y.shape, y.dtype):
            got = (tuple(x.shape), x.dtype) if isinstance(x, rl.Tensor) else type(x).__name__
            raise RuntimeError(
                f"scan: a state has to stay as it began, {tuple(y.shape)} of {y.dtype}; got {got}"
            )
    return state
