"""`vmap`: a function of one example as a function of a batch.

Here the arguments are taken apart and the results put together; how ops compute with batches is in
batching.py and the rules.
"""

import functools

import rushlight as rl
from rushlight import Tensor  # noqa: F401 - as in PyTorch's, from which packages take it
from rushlight.func.batching import VmapLevel
from rushlight.func.levels import current, level_at, payload, payload_at
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
        size, dims, values, spec = _process_batched_inputs(in_dims, args, func)
        if chunk_size is None or chunk_size >= size:
            return _run(func, size, dims, values, spec, kwargs, out_dims, randomness)
        return _in_chunks(func, size, dims, values, spec, kwargs, out_dims, randomness, chunk_size)

    return mapped


# Note [Parts of vmap]: the steps have the names and arguments of PyTorch's, and are looked up at
# each call, because packages whose containers are no trees of tensors put others in their place.


def _get_name(func):
    """A function's name, for messages."""
    return getattr(func, "__name__", repr(func))


def _process_batched_inputs(in_dims, args, func):
    """(the batch's size, the dimension that each leaf is mapped over, the leaves, their tree)."""
    where = f"vmap({_get_name(func)}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)) or isinstance(in_dims, bool):
        raise ValueError(f"{where}: expected in_dims to be an int or a tuple, got {in_dims!r}")
    if not args:
        raise ValueError(f"{where}: got no inputs to map over")
    values, spec = tree_flatten(tuple(args))
    dims = _broadcast_to_and_flatten(in_dims, spec, lambda x: x is None)
    if dims is None:
        raise ValueError(f"{where}: in_dims is not compatible with the structure of inputs, {spec}")
    dims = [_checked_dim(where, x, d) for x, d in zip(values, dims)]
    sizes = {x.shape[d] for x, d in zip(values, dims) if d is not None}
    if not sizes:
        raise ValueError(f"{where}: at least one argument has to be mapped (not None)")
    if len(sizes) > 1:
        raise ValueError(
            f"{where}: expected all tensors to have the same size in the mapped dimension, "
            f"got sizes {sorted(sizes)} for the mapped dimension"
        )
    return sizes.pop(), dims, values, spec


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


def _run(func, size, dims, values, spec, kwargs, out_dims, randomness):
    with VmapLevel(size, randomness) as level:
        inside = _create_batched_inputs(dims, values, level.depth, spec)
        result = func(*inside, **kwargs)
        return _unwrap_batched(result, out_dims, level.depth, size, func)


def _create_batched_inputs(flat_in_dims, flat_args, vmap_level, args_spec):
    """The arguments with wrappers in the place of what is mapped."""
    inside = [
        x if d is None else _add_batch_dim(x, d, vmap_level)
        for x, d in zip(flat_args, flat_in_dims)
    ]
    return tree_unflatten(inside, args_spec)


def _unwrap_batched(batched_outputs, out_dims, vmap_level, batch_size, func):
    """The results, each with its mapped dimension where `out_dims` says."""
    outputs, spec = tree_flatten(batched_outputs)
    dims = _flat_out_dims(out_dims, batched_outputs, spec)
    name = _get_name(func)
    ended = [
        _maybe_remove_batch_dim(name, x, vmap_level, batch_size, d) for x, d in zip(outputs, dims)
    ]
    return tree_unflatten(ended, spec)


def _vmap_increment_nesting(batch_size, randomness):
    """Opens a `vmap` of that many examples; its depth."""
    return VmapLevel(batch_size, randomness).__enter__().depth


def _vmap_decrement_nesting():
    """Closes the innermost transform; the depth that it had."""
    level = current()
    if level is None:
        raise RuntimeError("vmap: no function transform is active")
    level.__exit__()
    return level.depth


def _add_batch_dim(tensor, in_dim, level):
    """A wrapper that hides the dimension, for the `vmap` of that depth."""
    return level_at(level).batched(tensor if in_dim == 0 else tensor.movedim(in_dim, 0))


def _flat_out_dims(out_dims, result, spec):
    if isinstance(result, rl.Tensor):
        one = out_dims[0] if isinstance(out_dims, tuple) and len(out_dims) == 1 else out_dims
        dims = [one] if one is None or isinstance(one, int) else None
    else:
        dims = _broadcast_to_and_flatten(out_dims, spec, lambda x: x is None)
    if dims is None or not all([d is None or isinstance(d, int) for d in dims]):
        raise ValueError(
            f"vmap: out_dims={out_dims!r} is not compatible with the structure of the outputs, "
            f"{spec}"
        )
    return dims


def _maybe_remove_batch_dim(name, batched_output, vmap_level, batch_size, out_dim):
    """An output with its mapped dimension at `out_dim`; None: it has none."""
    if not isinstance(batched_output, rl.Tensor):
        if out_dim is None:
            return batched_output
        raise ValueError(
            f"vmap({name}, ...): expected the function to return only tensors, got type "
            f"{type(batched_output).__name__}"
        )
    if out_dim is not None:
        return _remove_batch_dim(batched_output, vmap_level, batch_size, out_dim)
    held = payload_at(level_at(vmap_level), batched_output)
    if held is not None and held.batched:
        raise ValueError(
            f"vmap({name}, ...): out_dims is None for an output that depends on mapped inputs"
        )
    return batched_output if held is None else held.value


def _remove_batch_dim(tensor, level, batch_size, out_dim):
    """What a wrapper holds, its mapped dimension at `out_dim`; others are repeated along it."""
    held = payload_at(level_at(level), tensor)
    value, is_batched = (tensor, False) if held is None else (held.value, held.batched)
    rank = value.dim() + (not is_batched)
    if not -rank <= out_dim < rank:
        raise IndexError(
            f"vmap: expected out_dim in the range [{-rank}, {rank - 1}] for an output with {rank} "
            f"dimensions, got {out_dim}"
        )
    if not is_batched:
        value = value.expand((batch_size, *value.shape))
    return value if out_dim % rank == 0 else value.movedim(0, out_dim)


def _in_chunks(func, size, dims, values, spec, kwargs, out_dims, randomness, chunk_size):
    results = []
    state = rl.get_rng_state() if randomness == "same" else None
    for start in range(0, size, chunk_size):
        if state is not None:  # every chunk draws what the first one did
            rl.set_rng_state(state)
        length = min(chunk_size, size - start)
        part = [x if d is None else x.narrow(d, start, length) for x, d in zip(values, dims)]
        result = _run(func, length, dims, part, spec, kwargs, out_dims, randomness)
        flat, made = tree_flatten(result)
        results.append(flat)
    places = _flat_out_dims(out_dims, result, made)
    joined = [
        parts[0] if d is None else rl.cat(parts, d) for parts, d in zip(zip(*results), places)
    ]
    return tree_unflatten(joined, made)


def is_mapped(tensor):
    """Does the tensor differ between the examples of a `vmap`?"""
    held = payload(tensor)
    while held is not None:
        if isinstance(held.level, VmapLevel) and held.batched:
            return True
        held = payload(held.outer)
    return False


def choose(condition, true, false):
    """`where` on two (trees of) tensors, by one truth value per example."""
    leaves, spec = tree_flatten(true)
    others, form = tree_flatten(false)
    if form != spec:
        raise RuntimeError(f"cond: the branches' results differ in form: {spec}, {form}")
    if condition.numel() != 1:
        raise RuntimeError(f"cond: expected a pred of one element, got {condition.numel()}")
    condition = condition.reshape(())
    return tree_unflatten([rl.where(condition, x, y) for x, y in zip(leaves, others)], spec)
