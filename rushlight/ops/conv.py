"""Convolutions and transposed convolutions in one, two and three dimensions.

All are records over three native operators that are each other's gradients (see
csrc/kernels/conv.h), so derivatives of every order exist. Pooling is in ops/pool*.py.
"""

import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._record import op


def _spread(value, dims, name, function):
    """An int or a sequence of `dims` ints (or of one) as a tuple."""
    if isinstance(value, int):
        return (value,) * dims
    value = tuple(value)
    if len(value) == 1:
        return value * dims
    if len(value) != dims:
        raise RuntimeError(
            f"{function}: expected {name} to be one integer or {dims} of them, got {value}"
        )
    return value


def _bias_grad(g, input):
    return attached(g.sum((0,) + tuple(range(2, g.dim()))), input)


def _conj(x):
    return x.conj() if x.is_complex() else x


def _cut_to(x, shape):
    """The leading part of x's spatial dimensions:
    output padding may leave out the last positions.
    """
    for d in range(2, x.dim()):
        x = x if x.shape[d] == shape[d] else x.narrow(d, 0, shape[d])
    return x


@op(
    "_conv_forward(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, "
    "int[] dilation, int groups) -> Tensor",
    at=("internal",),
    grad_name="ConvolutionBackward0",
)
def _conv_forward(input, weight, bias, stride, padding, dilation, groups):
    """Batched convolution: input (N, C, *), weight (O, C / groups, *)."""
    ...


@_conv_forward.vjp_all
def _(g, needs, input, weight, bias, stride, padding, dilation, groups):
    where = (stride, padding, dilation, groups)
    return (
        _conv_input(g, _conj(weight), None, input.shape[2:], *where) if needs[0] else None,
        _conv_weight(g, _conj(input), weight.shape[2:], *where) if needs[1] else None,
        _bias_grad(g, input) if needs[2] else None,
    )


@op(
    "_conv_input(Tensor grad, Tensor weight, Tensor? bias, int[] input_size, int[] stride, "
    "int[] padding, int[] dilation, int groups) -> Tensor",
    at=("internal",),
    grad_name="ConvolutionBackward0",
)
def _conv_input(grad, weight, bias, input_size, stride, padding, dilation, groups):
    """The transposed convolution: what `grad` contributes to an input of spatial size
    `input_size`.
    """
    ...


@_conv_input.vjp_all
def _(g, needs, grad, weight, bias, stride, padding, dilation, groups):
    where = (stride, padding, dilation, groups)
    return (
        _cut_to(_conv_forward(g, _conj(weight), None, *where), grad.shape) if needs[0] else None,
        _conv_weight(_conj(grad), g, weight.shape[2:], *where) if needs[1] else None,
        _bias_grad(g, grad) if needs[2] else None,
    )


@op(
    "_conv_weight(Tensor grad, Tensor input, int[] kernel_size, int[] stride, int[] padding, "
    "int[] dilation, int groups) -> Tensor",
    at=("internal",),
    grad_name="ConvolutionBackward0",
)
def _conv_weight(grad, input, kernel_size, stride, padding, dilation, groups):
    """What `grad` contributes to a weight of spatial size `kernel_size`."""
    ...


@_conv_weight.vjp_all
def _(g, needs, grad, input, stride, padding, dilation, groups):
    where = (stride, padding, dilation, groups)
    return (
        _cut_to(_conv_forward(_conj(input), g, None, *where), grad.shape) if needs[0] else None,
        _conv_input(_conj(grad), g, None, input.shape[2:], *where) if needs[1] else None,
    )


def _batched(function, input, dims):
    """input with a batch dimension, and whether it was added."""
    if input.dim() == dims + 2:
        return input, False
    if input.dim() == dims + 1:
        return input.unsqueeze(0), True
    raise RuntimeError(
        f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {function}, but "
        f"got input of size: {list(input.shape)}"
    )


def _check_weight(function, weight, dims):
    if weight.dim() != dims + 2:
        raise RuntimeError(
            f"{function}: expected a {dims + 2}-dimensional weight, got shape {tuple(weight.shape)}"
        )


def _same_padding(x, weight, stride, dilation, dims, function):
    """(input, padding) for padding='same': the right side gets the odd element."""
    if any(s != 1 for s in stride):
        raise RuntimeError(
            f"{function}: padding='same' is not supported for strided convolutions, got "
            f"stride={stride}"
        )
    total = [dilation[d] * (weight.shape[d + 2] - 1) for d in range(dims)]
    if any(t % 2 for t in total):
        extra = []
        for t in reversed(total):
            extra += [0, t % 2]
        x = rl.nn.functional.pad(x, extra)
    return x, tuple([t // 2 for t in total])


def _conv(dims, input, weight, bias, stride, padding, dilation, groups):
    function = f"conv{dims}d"
    x, added = _batched(function, input, dims)
    _check_weight(function, weight, dims)
    stride = _spread(stride, dims, "stride", function)
    dilation = _spread(dilation, dims, "dilation", function)
    if padding == "valid":
        padding = (0,) * dims
    elif padding == "same":
        x, padding = _same_padding(x, weight, stride, dilation, dims, function)
    elif isinstance(padding, str):
        raise RuntimeError(
            f"{function}: padding must be an integer, a tuple, 'valid' or 'same', got {padding!r}"
        )
    else:
        padding = _spread(padding, dims, "padding", function)
    if any(p < 0 for p in padding):
        raise RuntimeError(f"{function}: negative padding is not supported, got {padding}")
    y = _conv_forward(x, weight, bias, stride, padding, dilation, groups)
    return y.squeeze(0) if added else y


_FORWARD = (
    "(Tensor input, Tensor weight, Tensor? bias=None, any stride=1, any padding=0, any dilation=1,"
    " int groups=1) -> Tensor"
)


@op("conv1d" + _FORWARD, at=("nn.functional", "torch"))
def conv1d(input, weight, bias, stride, padding, dilation, groups):
    """Cross-correlation along one dimension.

    Shapes: input (N, C, L) or (C, L), weight (O, C / groups, K), bias (O); result (N, O, L') with
    L' = (L + 2 padding - dilation (K - 1) - 1) // stride + 1. padding may be 'same' or 'valid'.

    Example::

        >>> rl.nn.functional.conv1d(rl.ones(1, 1, 4), rl.ones(1, 1, 2)).flatten().tolist()
        [2.0, 2.0, 2.0]
    """
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@op("conv2d" + _FORWARD, at=("nn.functional", "torch"))
def conv2d(input, weight, bias, stride, padding, dilation, groups):
    """Cross-correlation over images.

    Shapes: input (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW), bias (O); result
    (N, O, H', W'), each size as in `conv1d`. Channels-last inputs give channels-last results.

    Example::

        >>> rl.nn.functional.conv2d(rl.ones(1, 3, 8, 8), rl.ones(4, 3, 3, 3), padding=1).shape
        torch.Size([1, 4, 8, 8])
    """
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


@conv2d.samples
def _(make):
    yield make(2, 3, 6, 5), make(4, 3, 3, 2), make(4)
    yield make(2, 4, 5, 5), make(4, 2, 3, 3), None, 2, 1, 1, 2
    yield make(3, 5, 5), make(2, 3, 3, 3), make(2), 1, "same"


@op("conv3d" + _FORWARD, at=("nn.functional", "torch"))
def conv3d(input, weight, bias, stride, padding, dilation, groups):
    """Cross-correlation over volumes: input (N, C, D, H, W), weight (O, C / groups, KD, KH, KW).

    Example::

        >>> rl.nn.functional.conv3d(rl.ones(1, 1, 4, 4, 4), rl.ones(2, 1, 3, 3, 3)).shape
        torch.Size([1, 2, 2, 2, 2])
    """
    return _conv(3, input, weight, bias, stride, padding, dilation, groups)


def _transposed_size(x, weight, stride, padding, output_padding, dilation, function):
    """The spatial size of a transposed convolution's result."""
    sizes = []
    for d, (s, p, o, l) in enumerate(zip(stride, padding, output_padding, dilation)):
        if o >= s and o >= l:
            raise RuntimeError(
                f"{function}: output padding must be smaller than either stride or dilation, "
                f"but got output_padding={o}, stride={s}, dilation={l}"
            )
        sizes.append((x.shape[d + 2] - 1) * s - 2 * p + l * (weight.shape[d + 2] - 1) + o + 1)
    if any(size < 1 for size in sizes):
        raise RuntimeError(
            f"Given input size per channel: {list(x.shape[2:])}. Calculated output size per "
            f"channel: {sizes}. Output size is too small"
        )
    return tuple(sizes)


def _conv_transpose(dims, input, weight, bias, stride, padding, output_padding, groups, dilation):
    function = f"conv_transpose{dims}d"
    x, added = _batched(function, input, dims)
    stride = _spread(stride, dims, "stride", function)
    padding = _spread(padding, dims, "padding", function)
    output_padding = _spread(output_padding, dims, "output_padding", function)
    dilation = _spread(dilation, dims, "dilation", function)
    _check_weight(function, weight, dims)
    size = _transposed_size(x, weight, stride, padding, output_padding, dilation, function)
    y = _conv_input(x, weight, bias, size, stride, padding, dilation, groups)
    return y.squeeze(0) if added else y


_TRANSPOSED = (
    "(Tensor input, Tensor weight, Tensor? bias=None, any stride=1, any padding=0,"
    " any output_padding=0, int groups=1, any dilation=1) -> Tensor"
)


@op("conv_transpose1d" + _TRANSPOSED, at=("nn.functional", "torch"))
def conv_transpose1d(input, weight, bias, stride, padding, output_padding, groups, dilation):
    """The transposed convolution (gradient of `conv1d` for its input): weight (C, O / groups, K).

    Example::

        >>> rl.nn.functional.conv_transpose1d(rl.ones(1, 1, 2), rl.ones(1, 1, 2)).flatten().tolist()
        [1.0, 2.0, 1.0]
    """
    return _conv_transpose(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@op("conv_transpose2d" + _TRANSPOSED, at=("nn.functional", "torch"))
def conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation):
    """The transposed convolution over images: input (N, C, H, W), weight (C, O / groups, KH, KW).

    Example::

        >>> x, weight = rl.ones(1, 1, 2, 2), rl.ones(1, 3, 2, 2)
        >>> rl.nn.functional.conv_transpose2d(x, weight, stride=2).shape
        torch.Size([1, 3, 4, 4])
    """
    return _conv_transpose(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@op("conv_transpose3d" + _TRANSPOSED, at=("nn.functional", "torch"))
def conv_transpose3d(input, weight, bias, stride, padding, output_padding, groups, dilation):
    """The transposed convolution over volumes: input (N, C, D, H, W), weight (C, O / groups, *).

    Example::

        >>> rl.nn.functional.conv_transpose3d(rl.ones(1, 1, 2, 2, 2), rl.ones(1, 1, 2, 2, 2)).shape
        torch.Size([1, 1, 3, 3, 3])
    """
    return _conv_transpose(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@op(
    "convolution(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, "
    "int[] dilation, bool transposed, int[] output_padding, int groups) -> Tensor",
    method=False,
)
def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Any convolution, by its full list of parameters; see `conv2d` and `conv_transpose2d`.

    Example::

        >>> x, weight = rl.ones(1, 1, 3), rl.ones(1, 1, 2)
        >>> rl.convolution(x, weight, None, [1], [0], [1], False, [0], 1).shape
        torch.Size([1, 1, 2])
    """
    dims = input.dim() - 2
    if transposed:
        return _conv_transpose(
            dims, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return _conv(dims, input, weight, bias, stride, padding, dilation, groups)
