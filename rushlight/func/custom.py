"""Custom functions (`rushlight.autograd.Function`) inside transforms: their ``vmap`` and ``jvp``;
and operators that programs define, which are mapped by their rules.

Reverse mode needs nothing here: a wrapper is recorded like any tensor.
"""

from typing import NamedTuple

import rushlight as rl
from rushlight import _native
from rushlight.func.batching import VmapLevel
from rushlight.func.levels import innermost, map_tensors, outside, payload_at
from rushlight.func.tape import is_inexact
from rushlight.utils._pytree import tree_leaves, tree_map


class VmapInfo(NamedTuple):
    """What ``vmap`` of a custom function is told."""

    batch_size: int
    randomness: str


def apply(cls, args, run):
    """The results of ``cls.apply(*args)`` with wrappers among args, or NotImplemented: as ever.

    ``run(args)`` applies it to values further out, and returns its context and its result.
    """
    level = innermost(args)
    if _is_recorded(level, args):
        return NotImplemented
    with outside(level):
        if isinstance(level, VmapLevel):
            return _mapped(level, cls, args, run)
        return _pushed(level, cls, args, run)


def has_rule(cls, args):
    """Does a custom function say what it does in the innermost transform among its arguments?"""
    level = innermost(args)
    if not level.alive:
        return False
    if isinstance(level, VmapLevel):
        return cls.generate_vmap_rule or _overridden(cls, "vmap")
    return _overridden(cls, "jvp")


def _is_recorded(level, args):
    """Is there a gradient to be had of the level's own wrappers, further in?"""
    mine = [x for x in args if payload_at(level, x) is not None]
    return rl.is_grad_enabled() and any([x.requires_grad for x in mine])


def _held(level, tree, take):
    """A tree with ``take(value, is it mapped)`` of what each leaf holds at a level."""

    def of(x):
        held = payload_at(level, x)
        return take(x, False) if held is None else take(held.value, held.batched)

    return tree_map(of, tree)


def _dim(value, batched):
    return 0 if batched else None


def _value(value, batched):
    return value


def _example(i):
    return lambda value, batched: value.select(0, i) if batched else value


def _mapped(level, cls, args, run):
    if _overridden(cls, "vmap"):
        if cls.generate_vmap_rule:
            raise RuntimeError(
                f"{cls.__name__}: define the vmap staticmethod or set generate_vmap_rule=True, "
                "not both"
            )
        info = VmapInfo(level.size, level.randomness)
        values = _held(level, args, _value)
        given = _pair(cls, cls.vmap(info, _held(level, args, _dim), *values))
        changed = [x for x, v in zip(args, values) if given[0] is v and x is not v]
        return changed[0] if changed and given[1] == 0 else _wrapped(level, *given)
    if not cls.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please "
            "override its vmap staticmethod, or set generate_vmap_rule=True."
        )
    return _stacked(
        level,
        [run(_held(level, args, _example(i)))[1] for i in range(level.size)],
    )


def _pair(cls, given):
    if isinstance(given, tuple) and len(given) == 2:
        return given
    raise RuntimeError(
        f"{cls.__name__}.vmap: expected it to return a pair, the outputs and their mapped "
        f"dimensions, got {type(given).__name__}"
    )


def _stacked(level, results):
    if isinstance(results[0], (tuple, list)):
        return tuple([level.batched(rl.stack(column)) for column in zip(*results)])
    return level.batched(rl.stack(results))


def _overridden(cls, name):
    return getattr(cls, name) is not getattr(rl.autograd.Function, name)


def map_operator(function, rule, args, kwargs):
    """The results of an operator with wrappers among its arguments; NotImplemented: as ever.

    Args:
        function: the operator.
        rule: ``rule(info, in_dims, *args, **kwargs)`` gives its results and their mapped
            dimensions; without one it runs once for each example.
    """
    tensors = tree_leaves([args, kwargs])
    level = innermost(tensors)
    if not isinstance(level, VmapLevel) or not level.alive or _is_recorded(level, tensors):
        return NotImplemented

    with outside(level):
        if rule is not None:
            values, named = _held(level, (args, kwargs), _value)
            info = VmapInfo(level.size, level.randomness)
            return _wrapped(level, *rule(info, _held(level, args, _dim), *values, **named))
        results = []
        for i in range(level.size):
            values, named = _held(level, (args, kwargs), _example(i))
            results.append(function(*values, **named))
        return _stacked(level, results)


def _wrapped(level, result, dims):
    if isinstance(result, (tuple, list)):
        dims = dims if isinstance(dims, (tuple, list)) else (dims,) * len(result)
        make = list if isinstance(result, list) else tuple
        return make([_wrapped(level, r, d) for r, d in zip(result, dims)])
    if not isinstance(result, rl.Tensor):
        return result
    return level.lift(result) if dims is None else level.batched(result.movedim(dims, 0))


def _pushed(level, cls, args, run):
    context, result = run(map_tensors(lambda x: level.parts(x)[0], args))
    tangents = [_tangent(level, context, x) for x in args]
    context.to_read = context.saved_for_forward
    changes = cls.jvp(context, *tangents)
    if isinstance(result, tuple):
        if not isinstance(changes, tuple) or len(changes) != len(result):
            raise RuntimeError(
                f"{cls.__name__}.jvp: expected a tangent, or None, for each of {len(result)} "
                f"outputs, got {changes!r}"
            )
        return tuple([_dual(level, args, context, r, c) for r, c in zip(result, changes)])
    change = changes[0] if isinstance(changes, tuple) else changes
    return _dual(level, args, context, result, change)


def _dual(level, args, context, result, change):
    """A result with its tangent: the argument itself, if it was changed in place."""
    if not isinstance(result, rl.Tensor):
        return result
    made = level.dual(result, change)
    if any([result is x for x in context.dirty_tensors]):
        for x in args:
            if payload_at(level, x) is not None and level.parts(x)[0] is result:
                _native.become(x, made)
                return x
    return made


def _tangent(level, context, x):
    if not isinstance(x, rl.Tensor):
        return None
    primal, tangent = level.parts(x)
    if tangent is None and context.materialize_grads and is_inexact(primal):
        return rl.zeros_like(primal)
    return tangent
