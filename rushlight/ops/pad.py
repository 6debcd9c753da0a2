"""Padding in all modes, and the rearrangements of images: pixel and channel shuffle,
fold and unfold.
"""

import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._decisions import is_wrapped
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow

_NN = ("nn.functional",)


@op("_pick_cells(Tensor self, Tensor index) -> Tensor", at=("internal",))
def _pick_cells(self, index):
    """The cells of each row, along the last dimension, that `index` names."""
    return self.index_select(-1, index)


@op("_sum_cells(Tensor self, Tensor index, int size) -> Tensor", at=("internal",))
def _sum_cells(self, index, size):
    """Rows of `size` cells to which the elements are added where `index` says, in their order,
    which decides how 16 bits round.
    """
    ...


_pick_cells.vjp(self=lambda g, self_meta, index: _sum_cells(g, index, self_meta.shape[-1]))
_sum_cells.vjp(self=lambda g, index: _pick_cells(g, index))


def _constant(x, pad, value):
    """Adds (or cuts, where negative) `pad` cells per side, last dimension first."""
    dims = len(pad) // 2
    sizes = list(x.shape)
    inner = x
    for i in range(dims):
        d, before, after = x.dim() - 1 - i, pad[2 * i], pad[2 * i + 1]
        sizes[d] += before + after  # the kernel has refused negative ones
        start, end = max(0, -before), x.shape[d] - max(0, -after)
        inner = inner.narrow(d, start, max(0, end - start))
    if max(pad, default=0) <= 0:
        return inner.clone()
    outer = x.new_full(sizes, value)
    target = outer
    for i in range(dims):
        d = x.dim() - 1 - i
        target = target.narrow(d, max(0, pad[2 * i]), inner.shape[d])
    target.copy_(inner)
    return outer


@op(
    "_repeat_pad(Tensor input, int[] pad, str mode) -> Tensor",
    at=("internal",),
    grad_name="PadBackward0",
)
def _repeat_pad(input, pad, mode):
    """Padding that repeats elements of the input, of the last one to three dimensions."""
    ...


@op("_repeat_pad_backward(Tensor grad, int[] pad, str mode) -> Tensor", at=("internal",))
def _repeat_pad_backward(grad, pad, mode):
    """The adjoint of `_repeat_pad`: sums of the elements that one of the input became."""
    ...


def _repeat_pad_grad(g, input, pad, mode):
    if not is_narrow(g):
        return attached(_repeat_pad_backward(g, pad, mode), input)
    # In 16 bits, where the order decides what is rounded away, by dimension or by plane.
    sum_up = _sum_by_dimension if mode == "circular" else _sum_planes
    return attached(sum_up(g, input.shape, pad, mode), input)


def _sum_by_dimension(g, shape, pad, mode):
    for d in range(len(shape) - len(pad) // 2, len(shape)):
        own = pad[2 * (len(shape) - 1 - d) :][:2]
        if any(own):
            index = _repeat_pad(rl.arange(shape[d]), own, mode)
            smaller = g.shape[:d] + shape[d : d + 1] + g.shape[d + 1 :]
            g = rl.zeros(smaller, dtype=g.dtype).index_add(d, index, g)
    return g


def _sum_planes(g, shape, pad, mode):
    dims = len(pad) // 2
    sizes = shape[-dims:]
    index = _repeat_pad(rl.arange(sizes.numel()).view(sizes), pad, mode).flatten()
    return _sum_cells(g.flatten(-dims), index, sizes.numel()).view(shape)


_repeat_pad.vjp(input=_repeat_pad_grad)
_repeat_pad_backward.vjp(grad=lambda g, pad, mode: _repeat_pad(g, pad, mode))


def _indexed(x, pad, mode):
    dims = len(pad) // 2
    if x.dim() not in (dims + 1, dims + 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now; got "
            f"mode {mode!r} with {len(pad)} values for a {x.dim()}D input"
        )
    if (mode, dims) not in _NAMED:
        return _repeat_pad(x, pad, mode) if any(pad) else x.clone()
    if not x.shape[-dims - 1]:
        raise RuntimeError(f"pad: expected at least one channel, got an input of shape {x.shape}")
    return _NAMED[mode, dims](x, pad)


def _named(mode, node, dims):
    """`_repeat_pad` by one mode, named in the graph after it and the number of dimensions."""

    def padded(input, pad):
        """Padding of one mode and number of dimensions (internal)."""
        return _repeat_pad(input, pad, mode)

    return op(
        f"_pad_{mode}{dims}d(Tensor input, any pad) -> Tensor",
        at="internal",
        out=False,
        grad_name=f"{node}Pad{dims}DBackward0",
        no_float8="all",
    )(padded)


_NAMED = {
    (mode, dims): _named(mode, node, dims)
    for mode, node in (("reflect", "Reflection"), ("replicate", "Replication"))
    for dims in (1, 2, 3)
}


@op("pad(Tensor input, int[] pad, str mode='constant', float? value=None) -> Tensor", at=_NN)
def pad(input, pad, mode, value):
    """Pads the last dimensions: pad = (before last, after last, before second-last, ...).

    mode is 'constant' (any number of dimensions, with `value`, default 0), 'reflect', 'replicate'
    or 'circular' (the last one to three dimensions). Negative amounts cut.

    Example::

        >>> rl.nn.functional.pad(rl.tensor([1, 2]), (1, 1)).tolist()
        [0, 1, 2, 0]
    """
    pad = tuple(pad)
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {pad}")
    if len(pad) // 2 > input.dim():
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return constant_pad_nd(input, pad, 0.0 if value is None else value)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if value is not None and value != 0:
        raise ValueError(f"Padding mode '{mode}' doesn't take in value argument")
    return _indexed(input, pad, mode)


@op(
    "constant_pad_nd(Tensor input, int[] pad, Scalar value=0) -> Tensor",
    at=("torch",),
    grad_name=True,
)
def constant_pad_nd(input, pad, value):
    """Pads with a constant; see `rushlight.nn.functional.pad`.

    Example::

        >>> rl.constant_pad_nd(rl.ones(2), (1, 0), 9)
        tensor([9., 1., 1.])
    """
    return _constant(input, tuple(pad), value)


constant_pad_nd.vjp(input=lambda g, pad: constant_pad_nd(g, [-amount for amount in pad]))


def lies_channels_last(x):
    """Whether the channels of images lie last in memory, be it with gaps after rows."""
    if x.dim() != 4 or x.is_contiguous() or is_wrapped(x):
        return False
    batch, channel, row, column = x.stride()
    return channel == 1 and x.shape[1] <= column <= row <= batch


@op(
    "pixel_shuffle(Tensor input, int upscale_factor) -> Tensor",
    at=_NN + ("torch",),
    grad_name=True,
    no_float8="all",
)
def pixel_shuffle(input, upscale_factor):
    """Moves channels into space: (*, C r^2, H, W) gives (*, C, H r, W r) (Shi et al. 2016).

    Example::

        >>> rl.pixel_shuffle(rl.arange(4).reshape(1, 4, 1, 1), 2)
        tensor([[[[0, 1],
                  [2, 3]]]])
    """
    r = upscale_factor
    if input.dim() < 3 or r <= 0:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions and a positive factor, got "
            f"shape {tuple(input.shape)} and factor {r}"
        )
    if input.shape[-3] % (r * r) or not lies_channels_last(input):
        return _pixel_shuffle(input, r)
    n, c, h, w = input.shape
    x = input.permute(0, 2, 3, 1).reshape(n, h, w, c // (r * r), r, r)
    x = x.permute(0, 1, 4, 2, 5, 3).reshape(n, h * r, w * r, c // (r * r))
    return x.permute(0, 3, 1, 2)


@op("_pixel_shuffle(Tensor input, int factor) -> Tensor", at=("internal",))
def _pixel_shuffle(input, factor):
    """`pixel_shuffle` into row-major order."""
    ...


@op(
    "pixel_unshuffle(Tensor input, int downscale_factor) -> Tensor",
    at=_NN + ("torch",),
    grad_name=True,
    no_float8="all",
)
def pixel_unshuffle(input, downscale_factor):
    """The inverse of `pixel_shuffle`: (*, C, H r, W r) gives (*, C r^2, H, W).

    Example::

        >>> rl.pixel_unshuffle(rl.arange(4).reshape(1, 1, 2, 2), 2).shape
        torch.Size([1, 4, 1, 1])
    """
    r = downscale_factor
    if input.dim() < 3 or r <= 0:
        raise RuntimeError(
            "pixel_unshuffle expects input to have at least 3 dimensions and a positive factor, "
            f"got shape {tuple(input.shape)} and factor {r}"
        )
    c, h, w = input.shape[-3:]
    if h % r or w % r:
        raise RuntimeError(
            "pixel_unshuffle expects height and width to be divisible by downscale_factor, but "
            f"got ({h}, {w}) and {r}"
        )
    if lies_channels_last(input):
        x = input.permute(0, 2, 3, 1).reshape(len(input), h // r, r, w // r, r, c)
        x = x.permute(0, 1, 3, 5, 2, 4).reshape(len(input), h // r, w // r, c * r * r)
        return x.permute(0, 3, 1, 2)
    return _pixel_unshuffle(input, r)


@op("_pixel_unshuffle(Tensor input, int factor) -> Tensor", at=("internal",))
def _pixel_unshuffle(input, factor):
    """`pixel_unshuffle` by a factor that divides height and width."""
    ...


_pixel_shuffle.vjp(input=lambda g, factor: rl.pixel_unshuffle(g, factor))
_pixel_unshuffle.vjp(input=lambda g, factor: rl.pixel_shuffle(g, factor))


@op(
    "channel_shuffle(Tensor input, int groups) -> Tensor",
    at=_NN + ("torch",),
    grad_name=True,
    no_float8="all",
)
def channel_shuffle(input, groups):
    """Interleaves `groups` groups of channels of (N, C, *) (Zhang et al. 2018).

    Example::

        >>> rl.channel_shuffle(rl.arange(4).reshape(1, 4, 1, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    if input.dim() < 3:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    n, c = input.shape[:2]
    if groups <= 0 or c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    x = input.reshape((n, groups, c // groups) + tuple(input.shape[2:]))
    return x.transpose(1, 2).reshape(input.shape)


@op(
    "_channel_shuffle(Tensor input, int groups) -> Tensor",
    at=(),
    grad_name="ChannelShuffleBackward0",
    no_float8="all",
)
def _channel_shuffle(input, groups):
    """`channel_shuffle` in one pass."""
    ...


_channel_shuffle.vjp(input=lambda g, groups: rl.channel_shuffle(g, g.shape[1] // groups))


def _pair(v):
    return (v, v) if isinstance(v, int) else (tuple(v) * 2 if len(v) == 1 else tuple(v))


@op(
    "_unfold(Tensor self, int[] kernel_size, int[] dilation, int[] padding, int[] stride)"
    " -> Tensor",
    at=("internal",),
    grad_name="Im2ColBackward0",
)
def _unfold(self, kernel_size, dilation, padding, stride):
    """The sliding blocks of images (N, C, H, W) as columns (N, C KH KW, L)."""
    ...


@op(
    "_fold(Tensor self, int[] output_size, int[] kernel_size, int[] dilation, int[] padding,"
    " int[] stride) -> Tensor",
    at=("internal",),
    grad_name="Col2ImBackward0",
)
def _fold(self, output_size, kernel_size, dilation, padding, stride):
    """Columns (N, C KH KW, L) summed into images, in the order that decides how 16 bits round."""
    ...


_unfold.vjp(
    self=lambda g, self_meta, kernel_size, dilation, padding, stride: _fold(
        g, self_meta.shape[2:], kernel_size, dilation, padding, stride
    )
)
_fold.vjp(
    self=lambda g, kernel_size, dilation, padding, stride: _unfold(
        g, kernel_size, dilation, padding, stride
    )
)


def _block_counts(sizes, kernel, dilation, padding, stride):
    """How many blocks there are along each dimension."""
    return [
        (sizes[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) // stride[d] + 1
        for d in range(2)
    ]


@op(
    "unfold.nn(Tensor input, any kernel_size, any dilation=1, any padding=0, "
    "any stride=1) -> Tensor",
    at=_NN,
    grad_name="Im2ColBackward0",
    no_float8="all",
)
def unfold(input, kernel_size, dilation, padding, stride):
    """The sliding blocks of images as columns: (N, C, H, W) gives (N, C KH KW, L).

    Example::

        >>> rl.nn.functional.unfold(rl.ones(1, 1, 3, 3), 2).shape
        torch.Size([1, 4, 4])
    """
    kernel, dilation, padding, stride = (_pair(v) for v in (kernel_size, dilation, padding, stride))
    if input.dim() < 3:
        raise IndexError(
            f"unfold: expected an input of 3 or 4 dimensions, (C, H, W) or (N, C, H, W), but got: "
            f"{list(input.shape)}"
        )
    if input.dim() > 4:
        raise RuntimeError(
            f"Expected 3D or 4D (batch mode) tensor for input with possibly 0 batch size, but got: "
            f"{list(input.shape)}"
        )
    x = input if input.dim() == 4 else input.unsqueeze(0)
    blocks = _block_counts(x.shape[2:], kernel, dilation, padding, stride)
    if min(blocks) < 1:
        raise RuntimeError(
            f"unfold: the array of sliding blocks has shape {tuple(blocks)}, which is too small; "
            f"input {tuple(input.shape)}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}"
        )
    x = _unfold(x, kernel, dilation, padding, stride)
    return x if input.dim() == 4 else x.squeeze(0)


@op(
    "fold(Tensor input, any output_size, any kernel_size, any dilation=1, any padding=0,"
    " any stride=1) -> Tensor",
    at=_NN,
)
def fold(input, output_size, kernel_size, dilation, padding, stride):
    """Sums columns of blocks back into images, the adjoint of `unfold`:
    (N, C KH KW, L) gives (N, C, H, W).

    Example::

        >>> rl.nn.functional.fold(rl.ones(1, 4, 4), (3, 3), 2).sum().item()
        16.0
    """
    size, kernel, dilation, padding, stride = (
        _pair(v) for v in (output_size, kernel_size, dilation, padding, stride)
    )
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"Expected 2D or 3D (batch mode) tensor for input, but got: {list(input.shape)}"
        )
    x = input if input.dim() == 3 else input.unsqueeze(0)
    blocks = _block_counts(size, kernel, dilation, padding, stride)
    taps = kernel[0] * kernel[1]
    if min(blocks) < 1 or x.shape[1] % taps or x.shape[2] != blocks[0] * blocks[1]:
        raise RuntimeError(
            f"fold: expected input with a multiple of {taps} rows and {blocks[0] * blocks[1]} "
            f"columns for output_size={size}, got shape {tuple(input.shape)}"
        )
    x = _fold(x, size, kernel, dilation, padding, stride)
    return x if input.dim() == 3 else x.squeeze(0)
