"""Pooling of maxima, fixed and adaptive, unpooling, and the windows of every pooling.
Averages are in ops/pool_average.py, fractional pooling is in ops/pool_fractional.py.

Kernels are in csrc/kernels/pool_*.cpp; each works on one to three spatial dimensions.
"""

import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._decisions import some
from rushlight.ops._elementwise import shown
from rushlight.ops._record import op
from rushlight.ops.pad import lies_channels_last


def _spread(value, dims):
    if isinstance(value, int):
        return (value,) * dims
    return () if value is None else tuple(value)


def _windows(name, dims, kernel_size, stride, padding, dilation=1):
    """These as tuples: the kernel's of `dims`, the others of 1 or `dims`; a stride may be none."""
    if type(kernel_size) is type(padding) is type(dilation) is int:  # as they mostly are
        if stride is None or type(stride) is int:
            steps = () if stride is None else (stride,) * dims
            return (kernel_size,) * dims, steps, (padding,) * dims, (dilation,) * dims
    found = [_spread(v, dims) for v in (kernel_size, stride, padding, dilation)]
    if [len(v) for v in found] == [dims] * 4:
        return found
    for argument, value in zip(("kernel_size", "stride", "padding", "dilation"), found):
        if len(value) not in ((0, 1, dims) if argument == "stride" else (1, dims)):
            raise RuntimeError(
                f"{name}: {argument} must be one integer or {dims} of them, got {value}"
            )
    found[0] = found[0] * dims if len(found[0]) == 1 else found[0]
    return found


def _by_dims(name):
    """Graph names of 1-d, 2-d and 3-d pooling, by the dimensions of the batched result."""
    return ("SqueezeBackward1",) * 4 + (name.format(2), name.format(3))


# ---- native pieces
_WINDOWS = (
    "(Tensor input, int[] kernel_size, int[] stride, int[] padding, int[] dilation, bool ceil_mode)"
)


@op(
    f"_max_pool{_WINDOWS} -> (Tensor values, Tensor indices)",
    at=("internal",),
    grad_name=_by_dims("MaxPool{}DWithIndicesBackward0"),
)
def _max_pool(input, kernel_size, stride, padding, dilation, ceil_mode):
    """Maxima of windows and where in their plane they are."""
    ...


def _to_maxima(g, indices, input, kernel_size):
    """The gradient of maxima, put where they were found."""
    return attached(_pool_scatter(g, indices.detach(), input.shape[-len(kernel_size) :]), input)


_max_pool.vjp(
    input=lambda g_values, indices, input, kernel_size: _to_maxima(
        g_values, indices, input, kernel_size
    )
)


@op(
    f"_max_pool_values{_WINDOWS} -> Tensor",
    at=("internal",),
    grad_name=_by_dims("MaxPool{}DWithIndicesBackward0"),
)
def _max_pool_values(input, kernel_size, stride, padding, dilation, ceil_mode):
    """Maxima of windows alone: for inputs without a gradient, which would need the indices."""
    ...


_max_pool_values.vjp(
    input=lambda g, input, kernel_size, stride, padding, dilation, ceil_mode: _to_maxima(
        g,
        _max_pool(input.detach(), kernel_size, stride, padding, dilation, ceil_mode)[1],
        input,
        kernel_size,
    )
)


def some_grad(g):
    """g; as in PyTorch, adaptive pooling to nothing has no gradient."""
    if 0 in g.shape[1:]:
        raise RuntimeError(
            f"adaptive pooling: there is no gradient of an output of shape {tuple(g.shape)}"
        )
    return g


@op(
    "_adaptive_max_pool(Tensor input, int[] output_size) -> (Tensor values, Tensor indices)",
    at=("internal",),
    grad_name=_by_dims("AdaptiveMaxPool{}DBackward0"),
)
def _adaptive_max_pool(input, output_size):
    """Maxima of windows that divide each dimension into output_size parts."""
    ...


_adaptive_max_pool.vjp(
    input=lambda g_values, indices, input, output_size: attached(
        _pool_scatter(some_grad(g_values), indices.detach(), input.shape[-len(output_size) :]),
        input,
    )
)


@op("_pool_scatter(Tensor grad, Tensor indices, int[] size) -> Tensor", at=("internal",))
def _pool_scatter(grad, indices, size):
    """Adds each value to the cell of its plane (of spatial `size`) that `indices` names."""
    ...


_pool_scatter.vjp(grad=lambda g, indices, size: _pool_gather(g, indices, len(size)))


def _pool_gather(x, indices, dims):
    flat = x.flatten(-dims).gather(-1, indices.flatten(-dims))
    return flat.view(indices.shape)


@op(
    "_pool_take(Tensor input, Tensor indices, int dims) -> Tensor",
    at=("internal",),
    grad_name="PoolTakeBackward0",
)
def _pool_take(input, indices, dims):
    """The elements that `indices` name in each plane (the last `dims` dimensions) of the input."""
    return _pool_gather(input, indices, dims)


_pool_take.vjp(
    input=lambda g, input, indices, dims: attached(
        _pool_scatter(g, indices, input.shape[-dims:]), input
    )
)


# ---- max pooling
def _max(dims, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    kernel, stride, padding, dilation = _windows(
        f"max_pool{dims}d", dims, kernel_size, stride, padding, dilation
    )
    if not (return_indices or (input.requires_grad and rl.is_grad_enabled())):
        return _max_pool_values(input, kernel, stride, padding, dilation, ceil_mode)
    values, indices = _max_pool(input, kernel, stride, padding, dilation, ceil_mode)
    return (values, indices) if return_indices else values


_MAX = (
    "(Tensor input, any kernel_size, any stride=None, any padding=0, any dilation=1, "
    "bool ceil_mode=False, bool return_indices=False) -> Tensor"
)
_MAX_TORCH = (
    "(Tensor input, any kernel_size, any stride=None, any padding=0, any dilation=1,"
    " bool ceil_mode=False) -> Tensor"
)


@op("max_pool1d" + _MAX, at=("nn.functional",))
def max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Maximum of each window of a signal (N, C, L) or (C, L).

    Result size: (L + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1, rounded down, or up
    with ceil_mode. stride defaults to kernel_size; NaN wins. With return_indices also where the
    maxima are.

    Example::

        >>> rl.nn.functional.max_pool1d(rl.tensor([[[1., 3., 2., 4.]]]), 2).tolist()
        [[[3.0, 4.0]]]
    """
    return _max(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@op("max_pool2d" + _MAX, at=("nn.functional",))
def max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Maximum of each window of images (N, C, H, W) or (C, H, W); see `max_pool1d`.

    Example::

        >>> rl.nn.functional.max_pool2d(rl.ones(1, 2, 4, 4), 2).shape
        torch.Size([1, 2, 2, 2])
    """
    return _max(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@max_pool2d.samples
def _(make):
    yield make(2, 3, 6, 7), 2
    yield make(3, 6, 7), (3, 2), 1, 1, 1, True


@op("max_pool3d" + _MAX, at=("nn.functional",))
def max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    """Maximum of each window of volumes (N, C, D, H, W) or (C, D, H, W); see `max_pool1d`.

    Example::

        >>> rl.nn.functional.max_pool3d(rl.ones(1, 1, 4, 4, 4), 2).shape
        torch.Size([1, 1, 2, 2, 2])
    """
    return _max(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _halved(name, dims, arguments="2", what=".shape"):
    """An example: windows of two halve a plane of ones."""
    call = f"nn.functional.{name}(rl.ones(1, 1{', 4' * dims}), {arguments}){what}"
    return shown(call, f"torch.Size([1, 1{', 2' * dims}])")


def _torch_max_pool(dims):
    @op(f"max_pool{dims}d.torch" + _MAX_TORCH, at=("torch",), out=False)
    @shown(
        f"max_pool{dims}d(rl.ones(1, 1{', 4' * dims}), 2).shape",
        f"torch.Size([1, 1{', 2' * dims}])",
    )
    def pool(input, kernel_size, stride, padding, dilation, ceil_mode):
        """Maximum of each window; see `rushlight.nn.functional.max_pool2d`."""
        return _max(dims, input, kernel_size, stride, padding, dilation, ceil_mode, False)

    @op(
        f"max_pool{dims}d_with_indices"
        + _MAX.replace("return_indices=False", "return_indices=True"),
        at=("nn.functional", "torch") if dims == 1 else ("nn.functional",),
    )
    @_halved(f"max_pool{dims}d_with_indices", dims, what="[1].shape")
    def with_indices(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
        """Maximum of each window and where it is; see `rushlight.nn.functional.max_pool2d`."""
        return _max(dims, input, kernel_size, stride, padding, dilation, ceil_mode, True)


for _dims in (1, 2, 3):
    _torch_max_pool(_dims)


# ---- adaptive pooling
def _adaptive_size(input, output_size, dims):
    """output_size as a tuple, None meaning the input's size."""
    size = (
        (output_size,) * dims
        if output_size is None or isinstance(output_size, int)
        else tuple(output_size)
    )
    if len(size) == 1:
        size = size * dims
    if len(size) != dims:
        raise RuntimeError(
            f"adaptive pooling: output_size must be one integer or {dims} of them, got {size}"
        )
    if input.dim() <= dims and dims > 1:
        raise ValueError(
            f"Input dimension should be at least {dims + 1}, got shape {tuple(input.shape)}"
        )
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"adaptive pooling: expected a {dims + 1}D or {dims + 2}D input, got shape "
            f"{tuple(input.shape)}"
        )
    return tuple([n if s is None else s for n, s in zip(input.shape[-dims:], size)])


def _define_adaptive(dims):
    @op(
        f"adaptive_max_pool{dims}d(Tensor input, any output_size, "
        "bool return_indices=False) -> Tensor",
        at=("nn.functional",),
    )
    @_halved(f"adaptive_max_pool{dims}d", dims)
    def maximum(input, output_size, return_indices):
        """Maxima over windows that divide each spatial dimension into `output_size` parts."""
        values, indices = _adaptive_max_pool(input, _adaptive_size(input, output_size, dims))
        return (values, indices) if return_indices else values

    @op(
        f"adaptive_max_pool{dims}d_with_indices(Tensor input, any output_size, "
        "bool return_indices=True) -> Tensor",
        at=("nn.functional",),
    )
    @_halved(f"adaptive_max_pool{dims}d_with_indices", dims, what="[1].shape")
    def with_indices(input, output_size, return_indices):
        """Maxima over adaptive windows and where they are."""
        return _adaptive_max_pool(input, _adaptive_size(input, output_size, dims))


for _dims in (1, 2, 3):
    _define_adaptive(_dims)


# ---- unpooling
def _unpool_size(input, kernel, stride, padding, output_size, dims):
    default = [
        (input.shape[d - dims] - 1) * stride[d] - 2 * padding[d] + kernel[d] for d in range(dims)
    ]
    if output_size is None:
        return tuple(default)
    size = tuple(output_size)[-dims:]
    if len(size) != dims:
        raise ValueError(
            f"output_size should have {dims} or {dims + 2} elements, got {tuple(output_size)}"
        )
    for d, (want, s) in enumerate(zip(size, stride)):
        if not default[d] - s < want < default[d] + s:
            raise ValueError(
                f"invalid output_size {size} (dimension {d} must be between {default[d] - s} and "
                f"{default[d] + s})"
            )
    return size


def _define_unpool(dims):
    @op(
        f"max_unpool{dims}d(Tensor input, Tensor indices, any kernel_size, any stride=None, "
        "any padding=0, any output_size=None) -> Tensor",
        at=("nn.functional",),
        grad_name=f"MaxUnpool{dims}DBackward0" if dims > 1 else "SqueezeBackward1",
    )
    @shown(
        f"nn.functional.max_unpool{dims}d(*torch.nn.functional.max_pool{dims}d("
        f"rl.ones(1, 1{', 4' * dims}), 2, return_indices=True), 2).sum()",
        f"tensor({2**dims}.)",
    )
    def unpool(input, indices, kernel_size, stride, padding, output_size):
        """Puts values back where max pooling took them from (`indices`), zeros elsewhere."""
        rl._native._alert_undefined(f"max_unpool{dims}d")
        if input.shape != indices.shape:
            raise RuntimeError(
                f"max_unpool{dims}d: expected shape of indices to be the input's "
                f"{tuple(input.shape)}, but got {tuple(indices.shape)}"
            )
        kernel = _spread(kernel_size, dims)
        stride = _spread(stride, dims) or kernel
        padding = _spread(padding, dims)
        if dims > 1 and not len(kernel) == len(stride) == len(padding) == dims:
            raise RuntimeError(
                f"max_unpool{dims}d: kernel_size, stride and padding must be one number or {dims} "
                f"each, got {kernel}, {stride} and {padding}"
            )
        size = _unpool_size(input, kernel, stride, padding, output_size, dims)
        return _unpool(input, indices, size)


for _dims in (1, 2, 3):
    _define_unpool(_dims)


def _unpool(input, indices, size):
    """As `_pool_scatter`, but a cell named twice keeps one value instead of the sum."""
    dims, cells = len(size), 1
    for s in size:
        cells *= s
    flat = indices.flatten(-dims)
    if flat.numel() and some((flat < 0) | (flat >= cells)):
        raise RuntimeError(f"max_unpool: found an invalid index (output size {size})")
    lead = input.shape[:-dims]
    zeros = input.new_zeros(tuple(lead) + (cells,))
    out = zeros.scatter(-1, flat, input.flatten(-dims)).view(tuple(lead) + tuple(size))
    last = dims == 2 and lies_channels_last(input)
    return out.contiguous(memory_format=rl.channels_last) if last else out
