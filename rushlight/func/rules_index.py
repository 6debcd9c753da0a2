"""Batching rules of ops that take positions: gathering, scattering, indexing, searching.

As in rules.py.
"""

import rushlight as rl
from rushlight.func.batching import aligned, flat_examples, rule, shift


@rule("gather", "scatter.src", "scatter.value", "scatter.reduce", "scatter.value_reduce")
@rule("scatter_add", "scatter_reduce")
def _along(batch, *args):
    """Index tensors of the input's rank: all get the mapped dimension."""
    names = batch.record.arg_names
    rank = batch.rank(0)
    places = [names.index(n) for n in ("self", "input", "index", "src") if n in names]
    if any([max(batch.rank(i), 1) != max(rank, 1) for i in places]):
        return NotImplemented
    if len(places) < sum([isinstance(a, rl.Tensor) for a in args]):
        return NotImplemented  # a value that is a tensor
    changes = {}
    for i in places:  # an example without dimensions counts as a vector of one element
        x = batch.front(i)
        changes[names[i]] = x if x.dim() > 1 else x.unsqueeze(1)
    result = batch.replaced(dim=shift(args[1], max(rank, 1)), **changes)
    like = names.index("index") if batch.record.name == "gather" else 0
    return result if batch.rank(like) else result.reshape(-1)


@rule("take")
def _take(batch, x, index):
    if not batch.flags[0]:
        return batch.run(x, index)
    flat, at = flat_examples(x), batch.front(1)
    picked = flat_examples(at)
    picked = picked.where(picked >= 0, picked + flat.shape[1])
    return flat.gather(1, picked).reshape(at.shape)


@rule("put")
def _put(batch, x, index, source, accumulate):
    """Into all examples in a row."""
    x, index, source = batch.front(0), batch.front(1), batch.front(2)
    flat = flat_examples(x)
    at = flat_examples(index)
    at = at.where(at >= 0, at + flat.shape[1])
    add = flat.scatter_add if accumulate else flat.scatter
    return add(1, at, source.reshape(at.shape)).reshape(x.shape)


@rule("_searchsorted")
def _searchsorted(batch, rows, x, right, out_int32, sorter):
    if not batch.flags[0] and batch.rank(0) == 1 and (sorter is None or not batch.flags[4]):
        return batch.run(rows, x, right, out_int32, sorter)
    values = batch.front(1)
    if batch.rank(0) == 1:
        values = flat_examples(values)
    sorter = None if sorter is None else batch.front(4)
    found = batch.run(batch.front(0), values, right, out_int32, sorter)
    return found.reshape(batch.front(1).shape)


def _is_number(batch, i):
    return isinstance(batch.args[i], rl.Tensor) and batch.rank(i) == 0


@rule("index_select", "index_add", "index_copy", "index_fill", "index_reduce")
def _along_one(batch, x, dim, index, *rest):
    """The same positions for all examples; other tensors get the mapped dimension."""
    rank = batch.rank(0)
    if batch.record.name == "index_fill":
        return _filled(batch, x, dim, index, *rest)
    if rank == 0:
        vectors = [a.unsqueeze(-1) if i in (0, 3) and _is_number(batch, i) else a
                   for i, a in enumerate(batch.args)]  # fmt: skip
        return _along_one(batch.of(batch.record.name, vectors, batch.flags), *vectors).squeeze(-1)
    if batch.flags[2]:
        return _by_example(batch, dim, index, *rest)
    index = index if index.dim() else index.reshape(1)
    changes = {"self": batch.front(0), "dim": shift(dim, rank), "index": index}
    if "source" in batch.record.arg_names:
        if batch.rank(3) != rank:
            return NotImplemented
        changes["source"] = batch.front(3)
    return batch.replaced(**changes)


def _filled(batch, x, dim, index, value):
    """index_fill, through the mask of what is filled."""
    at, x = shift(dim, max(batch.rank(0), 1)), batch.front(0)
    at_least_1d = x if x.dim() > 1 else x.unsqueeze(1)
    index = index.reshape(batch.size if batch.flags[2] else 1, -1).long()
    count = at_least_1d.shape[at]
    index = index.where(index >= 0, index + count)
    mask = rl.zeros((index.shape[0], count), dtype=rl.bool).scatter(1, index, True)
    shape = [1] * at_least_1d.dim()
    shape[0], shape[at] = mask.shape
    if isinstance(value, rl.Tensor):
        value = aligned(value, batch.flags[3], at_least_1d.dim() - 1).to(x.dtype)
    filled = rl.where(mask.reshape(shape), value, at_least_1d)
    return filled.to(x.dtype).reshape(x.shape)


def _by_example(batch, dim, index, *rest):
    """Positions that differ between examples: through gather and scatter."""
    name, x, at = batch.record.name, batch.front(0), shift(dim, batch.rank(0))
    index = index if index.dim() > 1 else index.unsqueeze(1)
    size, wide = [1] * x.dim(), list(x.shape)
    size[0], size[at] = index.shape
    wide[at] = index.shape[1]
    index = index.reshape(size).expand(wide).long()
    if name == "index_select":
        return x.gather(at, index)
    source = batch.front(3).expand(wide)
    if name == "index_copy":
        return x.scatter(at, index, source)
    if name == "index_reduce":
        include = rest[2] if len(rest) > 2 else True
        return x.scatter_reduce(at, index, source, rest[1], include_self=include)
    alpha = rest[1] if len(rest) > 1 else 1
    return x.scatter_add(at, index, source if alpha == 1 else source * alpha)


def _positions(batch, indices, flags):
    """Indices of the batch, or None if they have masks or leave the first dimension whole."""
    if not indices or any([i is None for i in indices]):
        return None
    if any([i.dtype in (rl.bool, rl.uint8) for i in indices]):
        return None
    rank = max([i.dim() - f for i, f in zip(indices, flags)])
    own = rl.arange(batch.size).reshape((batch.size,) + (1,) * rank)
    return (own, *[aligned(i, f, rank) for i, f in zip(indices, flags)])


def _is_block(indices):
    """Do the index tensors follow each other?"""
    used = [i for i, x in enumerate(indices) if x is not None]
    return bool(used) and used[-1] - used[0] + 1 == len(used)


@rule("index")
def _index(batch, x, indices):
    flags = batch.flags[1]
    masks = [i is not None and i.dtype in (rl.bool, rl.uint8) for i in indices]
    if any([m and f for m, f in zip(masks, flags)]):
        raise RuntimeError(
            "vmap: the size of x[mask] depends on the data of a mapped mask, and so would differ "
            "between examples; use torch.where"
        )
    if not any(flags) and _is_block(indices):
        return batch.run(x, (None, *indices))
    used = [i for i, at in enumerate(indices) if at is not None]
    at = _positions(batch, [indices[i] for i in used], [flags[i] for i in used])
    if at is None:
        return NotImplemented
    x = batch.front(0)
    others = [d for d in range(x.dim()) if d - 1 not in used][1:]
    found = batch.run(x.permute(0, *[i + 1 for i in used], *others), at)
    if not _is_block(indices) or not used[0]:
        return found
    rank = found.dim() - 1 - len(others)  # of the positions, which go where the first index was
    return found.movedim([1 + d for d in range(rank)], [1 + used[0] + d for d in range(rank)])


@rule("index_put", "index_put_")
def _index_put(batch, x, indices, values, accumulate):
    flags, x = batch.flags[1], batch.front(0)
    if not any(flags) and _is_block(indices):
        blank = rl.empty(x.shape[1:], device="meta")
        rank = blank[tuple([slice(None) if i is None else i for i in indices])].dim()
        return batch.run(x, (None, *indices), aligned(values, batch.flags[2], rank), accumulate)
    at = _positions(batch, indices, flags)
    if at is None:
        return _put_masked(batch, x, indices, values, accumulate)
    rank = max([i.dim() for i in at]) - 1 + x.dim() - 1 - len(indices)
    return batch.run(x, at, aligned(values, batch.flags[2], rank), accumulate)


def _put_masked(batch, x, indices, values, accumulate):
    """One number for all that a mapped mask chooses."""
    (mask, *more), (flag, *_) = indices, batch.flags[1]
    if more or mask is None or mask.dtype is not rl.bool or batch.rank(2):
        return NotImplemented
    mask = mask if flag else mask.unsqueeze(0)
    mask = mask.reshape(mask.shape + (1,) * (x.dim() - mask.dim()))
    values = aligned(values, batch.flags[2], x.dim() - 1)
    changed = rl.where(mask, x + values if accumulate else values, x)
    return x.copy_(changed) if batch.record.mutated >= 0 else changed


@rule("masked_select")
def _masked_select(batch, x, mask):
    if batch.flags[1]:
        return _of_unknown_size(batch)
    rank = max(batch.rank(0), mask.dim())
    mask = mask.expand(rl.broadcast_shapes(x.shape[1:], mask.shape))
    return aligned(x, True, rank).expand(batch.size, *mask.shape)[:, mask]


@rule("masked_scatter")
def _masked_scatter(batch, x, mask, source):
    if batch.flags[1]:
        return _scattered(batch, x, mask, source)
    x, source = batch.front(0), batch.front(2)
    size = rl.broadcast_shapes(x.shape[1:], mask.shape)
    x = aligned(x, True, len(size)).expand(batch.size, *size)
    at = mask.expand(size).reshape(-1).nonzero().squeeze(1)
    rows = flat_examples(source)[:, : at.shape[0]]
    return flat_examples(x).index_copy(1, at, rows).reshape(x.shape)


def _scattered(batch, x, mask, source):
    """masked_scatter with a mask for each example: the n-th that is true gets the n-th element."""
    x, source = batch.front(0), flat_examples(batch.front(2))
    rank = max(batch.rank(0), batch.rank(1))
    x, mask = rl.broadcast_tensors(aligned(x, True, rank), aligned(mask, True, rank))
    rows = flat_examples(mask)
    if rows.numel() and int(rows.sum(1).max()) > source.shape[1]:
        raise RuntimeError(
            f"masked_scatter: expected a source of at least {int(rows.sum(1).max())} elements, got "
            f"{source.shape[1]}"
        )
    at = (rows.cumsum(1) - 1).clamp_min(0)
    picked = source.gather(1, at) if source.shape[1] else rows.new_zeros(rows.shape, dtype=x.dtype)
    return rl.where(rows, picked, flat_examples(x)).reshape(x.shape)


@rule("nonzero", "_unique", "_unique_consecutive", "_unique_rows")
def _of_unknown_size(batch, *args):
    raise RuntimeError(
        f"vmap: the size of {batch.record.public_name.lstrip('_')}() depends on data, and so would "
        "differ between examples; use torch.where, or a Python loop"
    )
