"""Resizing images, sampling them on a grid, and padding."""

import rushlight as rl

from .._table import translates

_MODES = {"nearest": "nearest", "nearest-exact": "nearest", "linear": "linear",
          "bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}  # fmt: skip


@translates("interpolate", "upsample")
def _(g, self, size=None, scale_factor=None, mode="nearest", align_corners=None,
      recompute_scale_factor=None, antialias=False):  # fmt: skip
    if mode not in _MODES:  # "area" is an adaptive pooling
        return NotImplemented
    if antialias and g.opset < 18:
        raise g.unsupported("interpolate", "antialias", since=18)
    options = {"antialias": 1} if antialias else {}
    dims = self.dim() - 2
    sizes = scales = None
    if size is None and not recompute_scale_factor:
        factors = [scale_factor] * dims if isinstance(scale_factor, (int, float)) else scale_factor
        scales = rl.tensor([1.0, 1.0] + [float(f) for f in factors], dtype=rl.float32)
    else:
        sizes = _sizes(g, self, size, scale_factor, dims)
    return g.op("Resize", self, None, scales, sizes, mode=_MODES[mode], cubic_coeff_a=-0.75,
                coordinate_transformation_mode=_coordinates(mode, align_corners),
                nearest_mode="floor" if mode == "nearest" else "round_prefer_ceil",
                **options)  # fmt: skip


def _sizes(g, self, size, scale_factor, dims):
    if size is None:
        factors = [scale_factor] * dims if isinstance(scale_factor, (int, float)) else scale_factor
        size = [int(n * f) for n, f in zip(self.shape[2:], factors)]
    size = [size] * dims if isinstance(size, int) else list(size)
    return g.ints([g.length(self, 0), g.length(self, 1), *size])


def _coordinates(mode, align_corners):
    if mode == "nearest":
        return "asymmetric"
    return "align_corners" if align_corners else "half_pixel"


@translates("upsample_nearest")
def _(g, self, size=None, scale_factor=None):
    return _of("interpolate")(g, self, size, scale_factor)


@translates("upsample_bilinear")
def _(g, self, size=None, scale_factor=None):
    return _of("interpolate")(g, self, size, scale_factor, "bilinear", True)


def _of(name):
    from .. import _table

    return _table.find(name)


@translates("pad")
def _(g, self, pad, mode="constant", value=None):
    pairs = list(pad)
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode == "circular" and g.opset < 19:
        return _wrapped(g, self, pairs)
    befores = [0] * (self.dim() - len(pairs) // 2) + pairs[-2::-2]
    afters = [0] * (self.dim() - len(pairs) // 2) + pairs[::-2]
    fill = g.constant(value or 0, self.dtype) if mode == "constant" else None
    return g.op("Pad", self, g.ints(befores + afters), fill, mode=modes[mode])


def _wrapped(g, self, pairs):
    """Circular padding in pieces: the end, the whole, the beginning."""
    if min(pairs) < 0:
        raise g.unsupported("pad", "mode 'circular' with negative sizes", since=19)
    x = g.value(self)
    for at, (before, after) in enumerate(zip(pairs[::2], pairs[1::2])):
        dim = self.dim() - 1 - at
        parts = [x]
        if before:
            ends = g.ints([2**31 - 1])
            parts.insert(0, g.op("Slice", x, g.ints([-before]), ends, g.ints([dim])))
        if after:
            parts.append(g.op("Slice", x, g.ints([0]), g.ints([after]), g.ints([dim])))
        x = g.op("Concat", *parts, axis=dim)
    return x


@translates("fold")
def _(g, self, output_size, kernel_size, dilation=1, padding=0, stride=1):
    if g.opset < 18:
        raise g.unsupported("fold", since=18)

    def pair(n):
        return [n, n] if isinstance(n, int) else [int(v) for v in n]

    x = self if self.dim() == 3 else g.op("Unsqueeze", self, g.ints([0]))
    y = g.op("Col2Im", x, g.ints(pair(output_size)), g.ints(pair(kernel_size)),
             dilations=pair(dilation), pads=pair(padding) * 2, strides=pair(stride))  # fmt: skip
    return y if self.dim() == 3 else g.op("Squeeze", y, g.ints([0]))


@translates("constant_pad_nd")
def _(g, self, pad, value=0):
    return _of("pad")(g, self, pad, "constant", value)


@translates("grid_sample")
def _(g, self, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    modes = {"bilinear": "bilinear", "nearest": "nearest", "bicubic": "bicubic"}
    if g.opset >= 20:
        modes = {"bilinear": "linear", "nearest": "nearest", "bicubic": "cubic"}
    return g.op("GridSample", self, grid, mode=modes[mode], padding_mode=padding_mode,
                align_corners=int(bool(align_corners)))  # fmt: skip
