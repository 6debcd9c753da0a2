"""What ops have to know of `func.vmap`, under which a tensor may stand for many examples.

A check or a short cut asks about all examples at once: `some` and `every`. What differs between
examples has to be computed with `where` instead. Random numbers are drawn into `unset` memory.
"""

import sys

import rushlight as rl
from rushlight import _native

_FIRST_WRAPPER = 128  # kinds from here on are wrappers of function transforms


def is_wrapped(x):
    """Is this a wrapper of a function transform?"""
    return _native.kind_of(x) >= _FIRST_WRAPPER


def unwrapped(x):
    """The values of all examples, without the wrappers of function transforms."""
    while is_wrapped(x):
        x = _native.payload(x).outer
    return x


def recording(*tensors):
    """Will anything be differentiated by one of these: on the tape, or by a function transform?"""
    return any(map(is_wrapped, tensors)) or (
        rl.is_grad_enabled() and any(t.requires_grad for t in tensors)
    )


def written(zeros, method, dim, index, values):
    """``zeros.method(dim, index, values)``, in the memory of these fresh zeros unless that is to be
    differentiated.
    """
    apart = is_wrapped(index) or is_wrapped(values)
    apart = apart or (values.requires_grad and rl.is_grad_enabled())
    return getattr(zeros, method if apart else method + "_")(dim, index, values)


def reach(size, stride, offset):
    """How many elements of its memory a tensor of these steps needs; none if it is empty."""
    return 0 if 0 in size else offset + 1 + sum([(n - 1) * s for n, s in zip(size, stride)])


def extent_of(x):
    """The elements of the memory that x is a part of; under a transform, up to its last one."""
    if is_wrapped(x):
        return reach(x.shape, x.stride(), x.storage_offset())
    return x.untyped_storage().nbytes() // x.element_size()


def some(mask):
    """Is any element true, of any example?"""
    return bool(unwrapped(mask).any())


def every(mask):
    """Are all elements true, of all examples?"""
    return bool(unwrapped(mask).all())


def unset(shape, dtype=None, device=None):
    """Memory to draw random numbers into; with a part for each example if all are to differ."""
    levels = sys.modules.get("rushlight.func.levels")
    level = levels and levels.drawing()
    if level is None or level.randomness != "different":
        return rl.empty(shape, dtype=dtype, device=device)
    return level.batched(rl.empty((level.size, *shape), dtype=dtype, device=device))


def unset_like(x):
    """`unset` of x's shape and layout: numbers are dealt out in the order of memory."""
    memory = unset(x.shape, x.dtype, x.device)
    kinds = (_native.kind_of(x), _native.kind_of(memory))
    return memory if x.is_contiguous() or max(kinds) >= _FIRST_WRAPPER else rl.empty_like(x)


def writable_copy(x, source):
    """A copy of x that `source` can be written into, also where only that is a wrapper."""
    if not is_wrapped(source) or _native.kind_of(source) <= _native.kind_of(x):
        return x.clone()
    return source.new_empty(x.shape, dtype=x.dtype, device=x.device).copy_(x)
