"""``x[...]`` and ``x[...] = v`` of wrappers, as ops: views first, then positions."""

import operator
import sys

import rushlight as rl
from rushlight import _native
from rushlight.func.levels import member
from rushlight.ops._record import table


def _items(index):
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and any(
        [isinstance(i, (slice, list, tuple, rl.Tensor)) or i in (None, ...) for i in index]
    ):
        return tuple(index)
    return (index,)


def _used(item):
    """The dimensions that an item stands for."""
    if item is None or item is ... or isinstance(item, bool):
        return 0
    is_mask = isinstance(item, rl.Tensor) and item.dtype in (rl.bool, rl.uint8)
    return item.dim() if is_mask else 1


def _normal(item):
    """Sequences as tensors; bools as masks without dimensions; numbers of dispatching classes."""
    if isinstance(item, bool):
        return rl.tensor(item)
    if item is None or item is ... or isinstance(item, slice):
        return item
    if isinstance(item, rl.Tensor):
        is_number = not item.dim() and not item.is_floating_point() and item.dtype is not rl.bool
        return item.item() if is_number and _native.has_torch_dispatch(item) else item
    return item.__index__() if hasattr(item, "__index__") else rl.as_tensor(item)


def _view(x, index):
    """The view that ints, slices, None and Ellipsis make, and the tensors left for `index`."""
    items = [_normal(i) for i in _items(index)]
    used = sum(map(_used, items))
    if used > x.dim():
        raise IndexError(f"too many indices for tensor of dimension {x.dim()}")
    at, tensors = 0, []
    for k, item in enumerate(items):
        if item is None:
            x, at = x.unsqueeze(at), at + 1
        elif item is ...:
            at = x.dim() - sum(map(_used, items[k + 1 :]))
        elif isinstance(item, slice):
            x, at = _slice(x, at, item), at + 1
        elif isinstance(item, rl.Tensor):
            if item.dim() == 0 and item.dtype is rl.bool:
                x = x.unsqueeze(at)
                item = item.reshape(1)
            tensors.append((at, item))
            at += max(_used(item), 1)
        else:
            x = x.select(at, item)
    return x, tensors


def _slice(x, at, item, skips=True):
    """The slice of a dimension, with the ends that were given; `skips`: x itself if it is all."""
    start = 0 if item.start is None else operator.index(item.start)
    stop = sys.maxsize if item.stop is None else operator.index(item.stop)
    step = 1 if item.step is None else operator.index(item.step)
    if step <= 0:
        raise ValueError(f"step must be greater than zero, got {step}")
    if skips and start == 0 and stop >= x.shape[at] and step == 1:
        return x
    return table["slice"](x, at, start, stop, step)


def whole(x):
    """A view of all."""
    if not _native.has_torch_dispatch(x) or (x.requires_grad and rl.is_grad_enabled()):
        return x.view_as(x)
    from rushlight import _dispatch

    return _dispatch.ask(rl.ops.aten.alias.default, (x,), {})


def _index_list(tensors):
    entries, at = [], 0
    for dim, tensor in tensors:
        entries += [None] * (dim - at) + [tensor]
        at = dim + max(_used(tensor), 1)
    return entries


@member("__getitem__")
def get_item(x, index):
    """``x[index]``, recorded as the ops that it consists of."""
    if type(index) is slice and x.dim():
        return _slice(x, 0, index, skips=False)
    view, tensors = _view(x, index)
    if not tensors:
        return whole(x) if view is x else view
    return table["index"](view, _index_list(tensors))


@member("__setitem__")
def set_item(x, index, value):
    """``x[index] = value``."""
    view, tensors = _view(x, index)
    if not isinstance(value, rl.Tensor):
        value = rl.tensor(value, dtype=x.dtype)
    value = value.to(x.dtype)
    while value.dim() > (1 if tensors else view.dim()) and value.shape[0] == 1:
        value = value.squeeze(0)
    if tensors:
        view.index_put_(_index_list(tensors), value)
    else:
        view.copy_(value)
