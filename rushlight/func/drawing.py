"""Random ops under `vmap`: an error, other numbers for each example, or the same for all."""

import rushlight as rl
from rushlight.func.batching import Batch, aligned
from rushlight.func.levels import call, map_tensors, outside, payload_at

_NO_RULE = (
    "vmap: called random operation {} while in randomness error mode. Pass randomness='same' or "
    "randomness='different' to vmap to say what is wanted, or draw the numbers outside of vmap"
)


def draw(level, record, args, in_place):
    """Computes a random op for all examples of a level."""
    if level.randomness == "error":
        raise RuntimeError(_NO_RULE.format(record.public_name))
    with outside(level):
        batch = Batch(level, record, args)
        if in_place:
            return _in_place(level, record, args, batch)
        if level.randomness == "same":
            return _same(level, record, batch)
        if "size" not in record.arg_names and not _has_tensor(batch.args):  # randperm
            return level.batched(rl.stack([call(record, batch.args) for _ in range(batch.size)]))
        return map_tensors(level.batched, _different(record, batch))


def _different(record, batch):
    args = _for_each(record, batch)
    if record.name != "multinomial" or batch.rank(0) != 2:
        return call(record, args)
    weights = args[0]  # the op takes rows only
    drawn = call(record, (weights.flatten(0, 1), *args[1:]))
    return drawn.unflatten(0, weights.shape[:2])


#: ops that take an input for its size only
_LIKE = ("bernoulli.p", "rand_like", "randint_like", "randint_like.low", "randn_like")


def _same(level, record, batch):
    if batch.any and record.name in _LIKE:
        blank = batch.args[0].new_empty(batch.args[0].shape[1:])
        return map_tensors(level.lift, call(record, (blank, *batch.args[1:])))
    if batch.any:
        raise RuntimeError(
            f"vmap: {record.public_name} with randomness='same' needs arguments that are the same "
            "for all examples, but one is mapped over"
        )
    return map_tensors(level.lift, call(record, batch.args))


def _has_tensor(args):
    return any([isinstance(a, rl.Tensor) for a in args])


def _for_each(record, batch):
    """Arguments that make the op draw for the whole batch at once."""
    args = list(batch.args)
    rank = max([batch.rank(i) for i, a in enumerate(args) if isinstance(a, rl.Tensor)], default=0)
    for i, arg in enumerate(args):
        if isinstance(arg, rl.Tensor):
            args[i] = aligned(batch.front(i), True, rank)
        elif record.arg_names[i] == "size":
            args[i] = (batch.size, *arg)
    return args


def _in_place(level, record, args, batch):
    held = payload_at(level, args[0])
    if level.randomness == "same":
        if batch.any and (held is None or not held.batched or any(batch.flags[1:])):
            raise RuntimeError(f"vmap: {record.public_name} with randomness='same' is not possible")
        if not batch.any:
            call(record, batch.args)
            return args[0]
        one = held.value.new_empty(held.value.shape[1:])
        call(record, (one, *batch.args[1:]))
        held.value.copy_(one)
        return args[0]
    if held is None or not held.batched:
        raise RuntimeError(
            f"vmap: {record.public_name} with randomness='different' would draw different numbers "
            "into a tensor that is the same for all examples; use the op that is not in-place"
        )
    call(record, _for_each(record, batch))
    return args[0]
