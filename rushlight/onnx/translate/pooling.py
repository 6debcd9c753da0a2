"""Pooling: windows, adaptive windows and where maxima are. A pooling of another kind goes here;
other layers are in `layers.py`.
"""

import math

import rushlight as rl

from .._table import find, translates
from .layers import _batched, _layer, _spread, _unbatched


@_layer((1, 2, 3), "max_pool")
def _(g, dims, self, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
      return_indices=False):  # fmt: skip
    window = _spread(kernel_size, dims)
    return _maxima(g, dims, self, return_indices, kernel_shape=window,
                   strides=_spread(stride, dims) if stride not in (None, [], ()) else window,
                   pads=_spread(padding, dims) * 2, dilations=_spread(dilation, dims),
                   ceil_mode=int(ceil_mode))  # fmt: skip


@_layer((1, 2, 3), "max_pool", suffix="_with_indices")
def _(g, dims, *args, **kwargs):
    return find(f"max_pool{dims}d")(g, *args, **kwargs, return_indices=True)


def _maxima(g, dims, self, return_indices, **options):
    """MaxPool; its indices count through the whole tensor, PyTorch's through each image."""
    x, added = _batched(g, self, dims)
    if not return_indices:
        return _unbatched(g, g.op("MaxPool", x, **options), added)
    values, indices = g.op("MaxPool", x, outputs=2, **options)
    image = math.prod(g.length(self, d) for d in range(-dims, 0))
    indices = g.op("Mod", indices, g.value(image, rl.int64), dtype=rl.int64)
    return _unbatched(g, values, added), _unbatched(g, indices, added)


@_layer((1, 2, 3), "avg_pool")
def _(g, dims, self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
      divisor_override=None):  # fmt: skip
    x, added = _batched(g, self, dims)
    window = _spread(kernel_size, dims)
    y = g.op("AveragePool", x, kernel_shape=window,
             strides=_spread(stride, dims) if stride not in (None, [], ()) else window,
             pads=_spread(padding, dims) * 2, ceil_mode=int(ceil_mode),
             count_include_pad=int(count_include_pad or divisor_override is not None))  # fmt: skip
    if divisor_override is not None:
        y = g.op("Mul", y, g.constant(math.prod(window) / divisor_override, self.dtype))
    return _unbatched(g, y, added)


@translates("_avg_pool")
def _(g, self, kernel_size, *options):
    return find(f"avg_pool{len(kernel_size)}d")(g, self, kernel_size, *options)


# ---- adaptive: the sizes of the example's images are written into the graph


@_layer((1, 2, 3), "adaptive_avg_pool")
def _(g, dims, self, output_size):
    sizes, wanted = _sizes(self, output_size, dims)
    if any(n % w for n, w in zip(sizes, wanted)):
        return _averages(g, self, sizes, wanted)
    x, added = _batched(g, self, dims)
    if all(w == 1 for w in wanted):
        return _unbatched(g, g.op("GlobalAveragePool", x), added)
    window = [n // w for n, w in zip(sizes, wanted)]
    return _unbatched(g, g.op("AveragePool", x, kernel_shape=window, strides=window), added)


@_layer((1, 2, 3), "adaptive_max_pool")
def _(g, dims, self, output_size, return_indices=False):
    sizes, wanted = _sizes(self, output_size, dims)
    if not any(n % w for n, w in zip(sizes, wanted)):
        if all(w == 1 for w in wanted) and not return_indices:
            x, added = _batched(g, self, dims)
            return _unbatched(g, g.op("GlobalMaxPool", x), added)
        window = [n // w for n, w in zip(sizes, wanted)]
        return _maxima(g, dims, self, return_indices, kernel_shape=window, strides=window)
    if return_indices:
        reason = f"return_indices, with sizes {sizes} that are no multiples of {wanted}"
        raise g.unsupported(f"adaptive_max_pool{dims}d", reason)
    return _largest(g, self, sizes, wanted)


def _sizes(self, output_size, dims):
    sizes = [int(n) for n in self.shape[-dims:]]
    given = output_size
    if given is None or isinstance(given, int):
        given = [given] * dims
    return sizes, [n if w is None else int(w) for n, w in zip(sizes, given)]


def _windows(n, w):
    """The beginnings and ends of w windows over n elements."""
    return [(i * n // w, -((i + 1) * n // -w)) for i in range(w)]


def _averages(g, self, sizes, wanted):
    """Each dimension times a matrix whose columns average windows."""
    x, rank = g.value(self), self.dim()
    for at, (n, w) in enumerate(zip(sizes, wanted)):
        weights = rl.zeros(n, w, dtype=self.dtype)
        for column, (begin, end) in enumerate(_windows(n, w)):
            weights[begin:end, column] = 1 / (end - begin)
        order = list(range(rank))
        dim = rank - len(sizes) + at
        order[dim], order[-1] = order[-1], order[dim]
        x = g.op("Transpose", g.op("MatMul", g.op("Transpose", x, perm=order), weights), perm=order)
    return x


def _largest(g, self, sizes, wanted):
    """The maximum of each window, one dimension after another."""
    x, rank = g.value(self), self.dim()
    for at, (n, w) in enumerate(zip(sizes, wanted)):
        dim = rank - len(sizes) + at
        parts = []
        for begin, end in _windows(n, w):
            part = g.op("Slice", x, g.ints([begin]), g.ints([end]), g.ints([dim]))
            axes = {"axes": [dim]} if g.opset < 18 else {}
            parts.append(g.op("ReduceMax", part, None if axes else g.ints([dim]), **axes))
        x = g.op("Concat", *parts, axis=dim)
    return x
