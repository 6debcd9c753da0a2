"""Pooling of averages: fixed and adaptive windows, power averages.

Kernels are in csrc/kernels/pool_average.cpp and pool_spread.cpp, the adjoint.
"""

import rushlight as rl
from rushlight.ops._attach import attached
from rushlight.ops._record import op
from rushlight.ops.pad import lies_channels_last
from rushlight.ops.pool import _adaptive_size, _by_dims, _halved, _spread, _windows, some_grad


def _as_laid(g, input):
    """A gradient, with its channels last if those of images are: the input's is as it is."""
    return g.contiguous(memory_format=rl.channels_last) if lies_channels_last(input) else g


# ---- native pieces
_AVERAGE = (
    "int[] kernel_size, int[] stride, int[] padding, bool ceil_mode, bool count_include_pad, "
    "int? divisor"
)


@op(
    f"_avg_pool(Tensor input, {_AVERAGE}) -> Tensor",
    at=("internal",),
    grad_name=_by_dims("AvgPool{}DBackward0"),
)
def _avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    """Means of windows."""
    ...


_avg_pool.vjp(
    input=lambda g, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor: (
        attached(
            _avg_pool_backward(
                _as_laid(g, input),
                input.shape[-len(kernel_size) :],
                kernel_size,
                stride,
                padding,
                ceil_mode,
                count_include_pad,
                divisor,
            ),
            input,
        )
    )
)


@op(f"_avg_pool_backward(Tensor grad, int[] size, {_AVERAGE}) -> Tensor", at=("internal",))
def _avg_pool_backward(
    grad, size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor
):
    """The adjoint of `_avg_pool`: spreads each value evenly over its window."""
    ...


_avg_pool_backward.vjp(
    grad=lambda g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor: _avg_pool(
        g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor
    )
)


@op(
    "_adaptive_avg_pool(Tensor input, int[] output_size) -> Tensor",
    at=("internal",),
    grad_name=_by_dims("AdaptiveAvgPool{}DBackward0"),
)
def _adaptive_avg_pool(input, output_size):
    """Means of windows that divide each dimension into output_size parts."""
    ...


_adaptive_avg_pool.vjp(
    input=lambda g, input, output_size: attached(
        _adaptive_avg_pool_backward(
            _as_laid(some_grad(g), input), input.shape[-len(output_size) :]
        ),
        input,
    )
)


@op("_adaptive_avg_pool_backward(Tensor grad, int[] size) -> Tensor", at=("internal",))
def _adaptive_avg_pool_backward(grad, size):
    """The adjoint of `_adaptive_avg_pool`."""
    ...


_adaptive_avg_pool_backward.vjp(
    grad=lambda g, grad, size: _adaptive_avg_pool(g, grad.shape[-len(size) :])
)


# ---- average pooling
def _average(dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor):
    name = f"avg_pool{dims}d"
    kernel, stride, padding, _ = _windows(name, dims, kernel_size, stride, padding)
    if divisor is not None and divisor == 0:
        raise RuntimeError("divisor must be not zero")
    return _avg_pool(input, kernel, stride, padding, ceil_mode, count_include_pad, divisor)


@op(
    "avg_pool1d(Tensor input, any kernel_size, any stride=None, any padding=0, "
    "bool ceil_mode=False, bool count_include_pad=True) -> Tensor",
    at=("nn.functional", "torch"),
)
def avg_pool1d(input, kernel_size, stride, padding, ceil_mode, count_include_pad):
    """Mean of each window of a signal (N, C, L) or (C, L);
    zero padding counts unless told otherwise.

    Example::

        >>> rl.nn.functional.avg_pool1d(rl.tensor([[[1., 3., 2., 4.]]]), 2).tolist()
        [[[2.0, 3.0]]]
    """
    return _average(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


_AVG = (
    "(Tensor input, any kernel_size, any stride=None, any padding=0, bool ceil_mode=False,"
    " bool count_include_pad=True, int? divisor_override=None, *, Tensor? out=None) -> Tensor"
)


@op("avg_pool2d" + _AVG, at=("nn.functional",))
def avg_pool2d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Mean of each window of images (N, C, H, W) or (C, H, W); see `avg_pool1d`.

    Example::

        >>> rl.nn.functional.avg_pool2d(rl.ones(1, 1, 4, 4), 2).sum().item()
        4.0
    """
    return _average(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@op("avg_pool3d" + _AVG, at=("nn.functional",))
def avg_pool3d(input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Mean of each window of volumes (N, C, D, H, W) or (C, D, H, W); see `avg_pool1d`.

    Example::

        >>> rl.nn.functional.avg_pool3d(rl.ones(1, 1, 2, 2, 2), 2).item()
        1.0
    """
    return _average(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# ---- adaptive pooling
def _define_adaptive(dims):
    @op(
        f"adaptive_avg_pool{dims}d(Tensor input, any output_size) -> Tensor",
        at=("nn.functional", "torch") if dims == 1 else ("nn.functional",),
    )
    @_halved(f"adaptive_avg_pool{dims}d", dims)
    def average(input, output_size):
        """Means over windows that divide each spatial dimension into `output_size` parts.

        Part i of n covers elements floor(i L / n) to ceil((i + 1) L / n). None keeps a size.
        """
        return _adaptive_avg_pool(input, _adaptive_size(input, output_size, dims))


for _dims in (1, 2, 3):
    _define_adaptive(_dims)


# ---- power-average pooling
def _lp(dims, input, norm_type, kernel_size, stride, ceil_mode):
    kernel = _spread(kernel_size, dims)
    kernel = kernel * dims if len(kernel) == 1 else kernel
    count = 1
    for k in kernel:
        count *= k
    mean = _average(dims, input.pow(norm_type), kernel, stride, 0, ceil_mode, True, None)
    relu = rl.nn.functional.relu
    return (mean.sign() * relu(mean.abs())).mul(count).pow(1.0 / norm_type)


def _define_lp(dims):
    @op(
        f"lp_pool{dims}d(Tensor input, any norm_type, any kernel_size, any stride=None, "
        "bool ceil_mode=False) -> Tensor",
        at=("nn.functional",),
    )
    @_halved(f"lp_pool{dims}d", dims, "2, 2")
    def pool(input, norm_type, kernel_size, stride, ceil_mode):
        """(sum of x^p over each window)^(1/p) with p = norm_type."""
        return _lp(dims, input, norm_type, kernel_size, stride, ceil_mode)


for _dims in (1, 2, 3):
    _define_lp(_dims)
