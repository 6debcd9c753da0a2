"""`vmap`: a function of one example as a function of a batch.

Here the arguments are taken apart and the results put together; how ops compute with batches is in
batching.py and the rules.
"""

import functools

import rushlight as rl
from rushlight.func.batching import VmapLevel
from rushlight.func.levels import payload_at
from rushlight.utils._pytree import _broadcast_to_and_flatten, tree_flatten, tree_unflatten

_RANDOMNESS = ("error", "different", "same")


def vmap(func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
    """A function that maps ``func`` over a dimension of its arguments.

    Args:
        func: a function of (trees of) tensors that returns a (tree of) tensors. It sees one
            example: the mapped dimension is hidden. It may not make decisions that depend on data
            (``if x.sum() > 0``, ``x.item()``), nor write to tensors that are not mapped.
        in_dims: the dimension of each argument to map over; None for an argument that is the same
            for all examples. An int, or a tuple whose entries may be trees of the arguments' form.
        out_dims: where the mapped dimension goes in the results.
        randomness: what random ops do. ``"error"``: raise; ``"different"``: draw other numbers for
            each example; ``"same"``: draw the same for all.
        chunk_size: how many examples are computed at once; None for all.

    Raises:
        ValueError: if `in_dims` or `out_dims` do not fit, or mapped sizes differ.
        RuntimeError: for random ops with ``randomness="error"``, and for data-dependent decisions.

    Example::

        >>> rl.vmap(rl.dot)(rl.tensor([[1., 2.], [3., 4.]]), rl.tensor([[1., 0.], [0., 1.]]))
        tensor([1., 4.])
    """
    if randomness not in _RANDOMNESS:
        raise RuntimeError(
            f"vmap: expected randomness to be 'error', 'different' or 'same', got {randomness!r}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: expected chunk_size to be positive or None, got {chunk_size}")

    @functools.wraps(func)
    def mapped(*args, **kwargs):
        batch = Inputs(func, in_dims, args)
        if chunk_size is None or chunk_size >= batch.size:
            return _run(func, batch.values, batch, kwargs, out_dims, randomness)
        return _in_chunks(func, batch, kwargs, out_dims, randomness, chunk_size)

    return mapped


class Inputs:
    """The leaves of the arguments, the dimension that each is mapped over, and the batch's size."""

    def __init__(self, func, in_dims, args):
        name = getattr(func, "__name__", repr(func))
        where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
        if not isinstance(in_dims, (int, tuple, list)) or isinstance(in_dims, bool):
            raise ValueError(f"{where}: expected in_dims to be an int or a tuple, got {in_dims!r}")
        if not args:
            raise ValueError(f"{where}: got no inputs to map over")
        self.values, self.spec = tree_flatten(tuple(args))
        form = tuple(in_dims) if isinstance(in_dims, list) else in_dims
        dims = _broadcast_to_and_flatten(form, self.spec, lambda x: x is None)
        if dims is None:
            raise ValueError(
                f"{where}: in_dims is not compatible with the structure of inputs, {self.spec}"
            )
        self.dims = [_checked_dim(where, x, d) for x, d in zip(self.values, dims)]
        sizes = {x.shape[d] for x, d in zip(self.values, self.dims) if d is not None}
        if not sizes:
            raise ValueError(f"{where}: at least one argument has to be mapped (not None)")
        if len(sizes) > 1:
            raise ValueError(
                f"{where}: expected all tensors to have the same size in the mapped dimension, "
                f"got sizes {sorted(sizes)} for the mapped dimension"
            )
        (self.size,) = sizes


def _checked_dim(where, value, dim):
    if dim is None:
        return None
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise ValueError(f"{where}: got in_dim={dim!r}; it has to be an int or None")
    if not isinstance(value, rl.Tensor):
        raise ValueError(
            f"{where}: got in_dim={dim} for an input of type {type(value).__name__}, which cannot "
            "be mapped over; use None for it"
        )
    if not -value.dim() <= dim < value.dim():
        raise ValueError(
            f"{where}: got in_dim={dim} for an input with {value.dim()} dimensions; expected "
            f"{-value.dim()} <= in_dim < {value.dim()}"
        )
    return dim % value.dim()


def _run(func, values, batch, kwargs, out_dims, randomness):
    size = next(x.shape[d] for x, d in zip(values, batch.dims) if d is not None)
    with VmapLevel(size, randomness) as level:
        inside = [
            x if d is None else level.batched(x.movedim(d, 0)) for x, d in zip(values, batch.dims)
        ]
        result = func(*tree_unflatten(inside, batch.spec), **kwargs)
        outputs, spec = tree_flatten(result)
        dims = _flat_out_dims(out_dims, result, spec)
        ended = [_ended(level, o, d) for o, d in zip(outputs, dims)]
    return tree_unflatten(ended, spec)


def _flat_out_dims(out_dims, result, spec):
    if isinstance(result, rl.Tensor):
        one = out_dims[0] if isinstance(out_dims, tuple) and len(out_dims) == 1 else out_dims
        dims = [one] if one is None or isinstance(one, int) else None
    else:
        form = tuple(out_dims) if isinstance(out_dims, list) else out_dims
        dims = _broadcast_to_and_flatten(form, spec, lambda x: x is None)
        if dims is None and isinstance(form, tuple) and len(form) == 1:
            dims = _broadcast_to_and_flatten(form[0], spec, lambda x: x is None)
    if dims is None or not all([d is None or isinstance(d, int) for d in dims]):
        raise ValueError(
            f"vmap: out_dims={out_dims!r} is not compatible with the structure of the outputs, "
            f"{spec}"
        )
    return dims


def _ended(level, output, dim):
    """An output with its mapped dimension at `dim`."""
    if not isinstance(output, rl.Tensor):
        raise ValueError(
            f"vmap: expected the function to return only tensors, got type {type(output).__name__}"
        )
    held = payload_at(level, output)
    value, is_batched = (output, False) if held is None else (held.value, held.batched)
    if dim is None:
        if is_batched:
            raise ValueError("vmap: out_dims is None for an output that depends on mapped inputs")
        return value
    rank = value.dim() + (not is_batched)
    if not -rank <= dim < rank:
        raise IndexError(
            f"vmap: expected out_dim in the range [{-rank}, {rank - 1}] for an output with {rank} "
            f"dimensions, got {dim}"
        )
    if not is_batched:
        value = value.expand((level.size, *value.shape))
    return value.movedim(0, dim)


def _in_chunks(func, batch, kwargs, out_dims, randomness, chunk_size):
    results = []
    for start in range(0, batch.size, chunk_size):
        length = min(chunk_size, batch.size - start)
        values = [
            x if d is None else x.narrow(d, start, length) for x, d in zip(batch.values, batch.dims)
        ]
        result = _run(func, values, batch, kwargs, out_dims, randomness)
        flat, spec = tree_flatten(result)
        results.append(flat)
    dims = _flat_out_dims(out_dims, result, spec)
    joined = [parts[0] if d is None else rl.cat(parts, d) for parts, d in zip(zip(*results), dims)]
    return tree_unflatten(joined, spec)
