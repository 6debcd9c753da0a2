"""Normalisation over batches, layers, groups, instances and channels.

Kernels are in csrc/kernels/norm_*.cpp. Gradients are one pass each, and differentiated by a
formula in recorded ops. RMS norm is in ops/norm_rms.py, vector norms in ops/reduce_moments.py.
"""

import rushlight as rl
from rushlight.ops._attach import attached, through_formula
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow, widen


# ---- rows: layer norm and group norm
_ROWS = (
    "(Tensor input, Tensor? weight, Tensor? bias, int rows, int groups, int inner, float eps)"
    " -> (Tensor output, Tensor mean, Tensor rstd)"
)


@op("_row_norm" + _ROWS, at=("internal",), grad_name="NativeLayerNormBackward0")
def _row_norm(input, weight, bias, rows, groups, inner, eps):
    """Normalises rows of the input seen as (rows, cols); see norm_rows.h for the layout."""
    ...


@op(
    "_row_norm_backward(Tensor grad, Tensor input, Tensor mean, Tensor rstd, Tensor? weight, "
    "int rows, int groups, int inner, float eps, bool affine=True) -> (Tensor grad_input, "
    "Tensor grad_weight, Tensor grad_bias)",
    at=("internal",),
)
def _row_norm_backward(grad, input, mean, rstd, weight, rows, groups, inner, eps, affine):
    """The gradients of `_row_norm` in one pass; those of the parameters if ``affine``."""
    ...


def _row_norm_gradient(grad, input, weight, rows, groups, inner, eps):
    """`_row_norm_backward` in recorded ops, from the input alone."""
    x, g = widen(input).reshape(rows, -1), widen(grad).reshape(rows, -1)
    spread = (rows // groups, groups, x.shape[1] // inner, inner)
    center = x - x.mean(1, keepdim=True)
    rstd = (center.square().mean(1, keepdim=True) + eps).rsqrt()
    y = center * rstd
    g_weight = (g * y).reshape(spread).sum((0, 3)).flatten()
    g_bias = g.reshape(spread).sum((0, 3)).flatten()
    if weight is not None:
        g = (g.reshape(spread) * widen(weight).reshape(groups, -1, 1)).reshape(rows, -1)
    g = rstd * (g - g.mean(1, keepdim=True) - y * (g * y).mean(1, keepdim=True))
    return _as_given(input, weight, g.reshape(input.shape), g_weight, g_bias)


def _as_given(input, weight, g, *parameters):
    """Gradients in the dtypes of what they belong to."""
    kind = (input if weight is None else weight).dtype
    return g.to(input.dtype), *[p.to(kind) for p in parameters]


@_row_norm_backward.vjp_all
def _(given, needs, grad, input, mean, rstd, weight, rows, groups, inner, eps):
    inputs, wanted = (grad, input, weight), (needs[0], needs[1], needs[4])
    if groups == inner == 1 and _second_in_steps(*inputs):
        from rushlight.ops._norm_steps import layer_norm_second

        g, gx, gw = layer_norm_second(given, grad, input, mean, rstd, weight, rows)
        return g, gx, None, None, gw
    g, gx, gw = through_formula(_row_norm_gradient, given, wanted, inputs, rows, groups, inner, eps)
    return g, gx, None, None, gw


def _second_in_steps(grad, input, weight):
    """Is all of 16 bits, and the second derivative the last?"""
    narrow = is_narrow(input) and grad.dtype == input.dtype
    return narrow and (weight is None or is_narrow(weight)) and not rl.is_grad_enabled()


def _saved(statistic, input, weight):
    """A statistic as it is kept for the gradient: with 16 bits if all else has."""
    narrow = is_narrow(input) and (weight is None or is_narrow(weight))
    return statistic.to(input.dtype) if narrow else statistic


def _empty_gradients(needs, tensors):
    return tuple(
        [attached(rl.zeros_like(t), tensors[0]) if n else None for t, n in zip(tensors, needs)]
    )


def _row_gradients(g, needs, input, weight, bias, rows, groups, inner, eps, mean, rstd):
    mean, rstd = (_saved(s.detach(), input, weight) for s in (mean, rstd))
    gx, gw, gb = _row_norm_backward(
        g, input, mean, rstd, weight, rows, groups, inner, eps, needs[1] or needs[2]
    )
    return (
        gx if needs[0] else None,
        gw.view(weight.shape) if needs[1] else None,
        gb.view(bias.shape) if needs[2] else None,
    )


@_row_norm.vjp_all
def _(g_output, needs, input, weight, bias, rows, groups, inner, eps, mean, rstd):
    if not input.numel():
        return _empty_gradients(needs, (input, weight, bias))
    return _row_gradients(
        g_output, needs, input, weight, bias, rows, groups, inner, eps, mean, rstd
    )


@op(
    "_group_norm" + _ROWS,
    at=("internal",),
    kernel="_row_norm",
    grad_name="NativeGroupNormBackward0",
)
def _group_norm(input, weight, bias, rows, groups, inner, eps):
    """`_row_norm` of groups of channels, whose statistics have gradients too."""
    ...


@_group_norm.vjp_all
def _(given, needs, input, weight, bias, rows, groups, inner, eps, mean, rstd):
    if not input.numel():
        return _empty_gradients(needs, (input, weight, bias))
    g, g_mean, g_rstd = given
    if g is not None and g_mean is None and g_rstd is None and not rl.is_grad_enabled():
        return _row_gradients(g, needs, input, weight, bias, rows, groups, inner, eps, mean, rstd)
    from rushlight.ops._norm_steps import group_gradients

    mean, rstd = (_saved(s, input, weight).reshape(-1, groups, 1, 1) for s in (mean, rstd))
    x = input.reshape(mean.shape[0], groups, -1, inner)
    w = weight if weight is None else weight.reshape(1, groups, -1, 1)
    g = g if g is None else g.reshape(x.shape)
    g_mean, g_rstd = [t if t is None else t.view(mean.shape).to(x.dtype) for t in (g_mean, g_rstd)]
    gx, gw, gb = group_gradients(g, g_mean, g_rstd, x, w, mean, rstd)
    return (
        gx.reshape(input.shape) if needs[0] else None,
        gw.view(weight.shape) if needs[1] and gw is not None else None,
        gb.view(bias.shape) if needs[2] and gb is not None else None,
    )


def _numel(shape):
    n = 1
    for s in shape:
        n *= s
    return n


def _check_normalized(name, input, shape, weight=None, bias=None):
    if not shape or input.shape[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )
    for which, t in (("weight", weight), ("bias", bias)):
        if t is not None and t.shape != shape:
            raise RuntimeError(
                f"{name}: expected {which} to be of same shape as normalized_shape, but got "
                f"{which} of shape {list(t.shape)} and normalized_shape = {list(shape)}"
            )


@op(
    "layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, Tensor? bias=None,"
    " float eps=1e-05, bool cudnn_enable=True) -> Tensor",
    at=("nn.functional", "torch"),
)
def layer_norm(input, normalized_shape, weight, bias, eps, cudnn_enable):
    """Normalises the last dimensions to mean 0 and variance 1,
    then scales and shifts (Ba et al. 2016).

    Shapes: input (*, normalized_shape), weight and bias (normalized_shape). eps is added to the
    (biased) variance. cudnn_enable has no meaning on the CPU.

    Example::

        >>> rl.nn.functional.layer_norm(rl.tensor([[1., 3.]]), (2,), eps=0.0).tolist()
        [[-1.0, 1.0]]
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    _check_normalized("layer_norm", input, shape, weight=weight, bias=bias)
    rows = _numel(input.shape[: -len(shape)])
    return _row_norm(input, weight, bias, rows, 1, 1, eps)[0]


@layer_norm.samples
def _(make):
    yield make(2, 3, 4), (4,), make(4), make(4)
    yield make(2, 3, 4), (3, 4)


@op(
    "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, "
    "float eps=1e-05, bool cudnn_enabled=True) -> Tensor",
    at=("torch",),
    method=False,
)
def group_norm(input, num_groups, weight, bias, eps, cudnn_enabled):
    """Normalises groups of channels of each sample (Wu and He 2018).

    Shapes: input (N, C, *), weight and bias (C); C is divided into num_groups groups.

    Example::

        >>> rl.group_norm(rl.tensor([[1., 3.]]), 1, eps=0.0).tolist()
        [[-1.0, 1.0]]
    """
    if input.dim() < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.dim()}"
        )
    n, c = input.shape[:2]
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    if c % num_groups:
        raise RuntimeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input "
            f"of shape {list(input.shape)} and num_groups={num_groups}"
        )
    for which, t in (("weight", weight), ("bias", bias)):
        if t is not None and tuple(t.shape) != (c,):
            raise RuntimeError(
                f"Expected {which} to be a vector of size equal to the number of channels in "
                f"input, but got {which} of shape {list(t.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    inner = _numel(input.shape[2:])
    return _group_norm(input, weight, bias, n * num_groups, num_groups, inner, eps)[0]


@group_norm.samples
def _(make):
    yield make(2, 6, 3), 3, make(6), make(6)


@op(
    "group_norm.nn(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, "
    "float eps=1e-05) -> Tensor",
    at=("nn.functional",),
)
def _(input, num_groups, weight, bias, eps):
    """Normalises groups of channels of each sample (Wu and He 2018).

    Shapes: input (N, C, *), weight and bias (C); C is divided into num_groups groups, each of which
    has more than one value.

    Example::

        >>> rl.nn.functional.group_norm(rl.tensor([[1., 3.]]), 1, eps=0.0).tolist()
        [[-1.0, 1.0]]
    """
    if input.dim() > 1 and input.numel() == num_groups:
        _only_value(input)
    return group_norm(input, num_groups, weight, bias, eps)


# ---- batch norm
@op(
    "_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
    "Tensor? running_var, bool training, float momentum, float eps) -> (Tensor output, "
    "Tensor mean, Tensor rstd)",
    at=("internal",),
    grad_name="NativeBatchNormBackward0",
)
def _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """Normalises channels, updates the running statistics, and gives the statistics used."""
    ...


@op(
    "_batch_norm_backward(Tensor grad, Tensor input, Tensor mean, Tensor rstd, Tensor? weight, "
    "bool training, float eps) -> (Tensor grad_input, Tensor grad_weight, Tensor grad_bias)",
    at=("internal",),
)
def _batch_norm_backward(grad, input, mean, rstd, weight, training, eps):
    """The gradients of `_batch_norm` in one pass."""
    ...


def _batch_norm_gradient(grad, input, weight, mean, rstd, training, eps):
    """`_batch_norm_backward` in recorded ops; in training from the input alone."""
    x, g = widen(input), widen(grad)
    dims = (0,) + tuple(range(2, input.dim()))
    shape = (1, -1) + (1,) * (input.dim() - 2)
    if training:
        center = x - x.mean(dims, keepdim=True)
        rstd = (center.square().mean(dims, keepdim=True) + eps).rsqrt()
    else:
        center, rstd = x - mean.view(shape), rstd.view(shape)
    y = center * rstd
    g_weight, g_bias = (g * y).sum(dims), g.sum(dims)
    g = g if weight is None else g * widen(weight).view(shape)
    if training:
        g = g - g.mean(dims, keepdim=True) - y * (g * y).mean(dims, keepdim=True)
    return _as_given(input, weight, g * rstd, g_weight, g_bias)


@_batch_norm_backward.vjp_all
def _(given, needs, grad, input, mean, rstd, weight, training, eps):
    inputs, wanted = (grad, input, weight), (needs[0], needs[1], needs[4])
    if training and _second_in_steps(*inputs):
        from rushlight.ops._norm_steps import batch_norm_second

        g, gx, gw = batch_norm_second(given, grad, input, mean, rstd, weight)
        return g, gx, None, None, gw
    g, gx, gw = through_formula(
        _batch_norm_gradient, given, wanted, inputs, mean, rstd, training, eps
    )
    return g, gx, None, None, gw


@_batch_norm.vjp_all
def _(g_output, needs, input, weight, bias, training, eps, mean, rstd):
    mean, rstd = (_saved(s.detach(), input, weight) if training else s for s in (mean, rstd))
    gx, gw, gb = _batch_norm_backward(g_output, input, mean, rstd, weight, training, eps)
    return gx if needs[0] else None, gw if needs[1] else None, gb if needs[2] else None, None, None


def _check_batch(input, training):
    count = input.shape[0] * _numel(input.shape[2:])
    if training and count == 1:
        _only_value(input)


def _only_value(input):
    raise ValueError(
        f"Expected more than 1 value per channel when training, got input size {input.shape}"
    )


@op(
    "batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None,"
    " Tensor? bias=None, bool training=False, float momentum=0.1, float eps=1e-05) -> Tensor",
    at=("nn.functional",),
)
def batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps):
    """Normalises each channel over the batch (Ioffe and Szegedy 2015).

    Shapes: input (N, C, *), all others (C). When training, the batch's statistics are used and the
    running ones move towards them by `momentum` (the running variance is the unbiased one);
    otherwise the running ones are used.

    Example::

        >>> y = rl.nn.functional.batch_norm(rl.tensor([[1.], [3.]]), None, None, training=True)
        >>> y.round().tolist()
        [[-1.0], [1.0]]
    """
    if input.dim() < 2 and not input.numel():
        return input.clone()
    _check_batch(input, training)
    if training and eps <= 0.0:
        raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if training and not input.numel():
        running_mean = running_var = None  # an empty batch says nothing about the statistics
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when training=False"
        )
    return _batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)[0]


@batch_norm.samples
def _(make):
    yield make(4, 3, 2), None, None, make(3), make(3), True
    yield make(4, 3), None, None, None, None, True


@op(
    "batch_norm.torch(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
    "Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor",
    at=("torch",),
)
def _torch_batch_norm(
    input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled
):
    """As `rushlight.nn.functional.batch_norm`, with another order of arguments.

    Example::

        >>> x, zeros, ones = rl.ones(2, 1), rl.zeros(1), rl.ones(1)
        >>> rl.batch_norm(x, None, None, zeros, ones, False, 0.1, 0.0, False)
        tensor([[1.],
                [1.]])
    """
    return rl.nn.functional.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )


@op(
    "instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, "
    "Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, float momentum=0.1, "
    "float eps=1e-05) -> Tensor",
    at=("nn.functional",),
)
def instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps):
    """Normalises each channel of each sample (Ulyanov et al. 2016).

    Shapes: input (N, C, *), all others (C). Running statistics are averaged over the samples.

    Example::

        >>> rl.nn.functional.instance_norm(rl.tensor([[[1., 3.]]]), eps=0.0).tolist()
        [[[-1.0, 1.0]]]
    """
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is False"
        )
    n, c = input.shape[:2]
    if use_input_stats and _numel(input.shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )

    def repeated(t):
        return None if t is None else t.repeat(n)

    mean, var = repeated(running_mean), repeated(running_var)
    y = _batch_norm(
        input.reshape((1, n * c) + tuple(input.shape[2:])).contiguous(),
        repeated(weight),
        repeated(bias),
        mean,
        var,
        use_input_stats,
        momentum,
        eps,
    )[0]
    if use_input_stats:
        with rl.no_grad():
            for running, new in ((running_mean, mean), (running_var, var)):
                if running is not None:
                    running.copy_(new.view(n, c).mean(0))
    return y.view(input.shape)


@op(
    "local_response_norm(Tensor input, int size, float alpha=1e-04, float beta=0.75, float k=1.0) "
    "-> Tensor",
    at=("nn.functional",),
)
def local_response_norm(input, size, alpha, beta, k):
    """x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta
    (Krizhevsky et al. 2012).

    Example::

        >>> rl.nn.functional.local_response_norm(rl.zeros(1, 2, 3), 2).shape
        torch.Size([1, 2, 3])
    """
    if input.dim() < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    n, c = input.shape[:2]
    squares = input.square().reshape(n, 1, c, -1)
    squares = rl.nn.functional.pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = rl.nn.functional.avg_pool2d(squares, (size, 1), stride=1)
    return input / (means.reshape(input.shape) * alpha + k).pow(beta)


@op(
    "normalize(Tensor input, float p=2.0, any dim=1, float eps=1e-12, *, "
    "Tensor? out=None) -> Tensor",
    at=("nn.functional",),
)
def normalize(input, p, dim, eps):
    """x / max(norm(x), eps), the p-norm taken along `dim`.

    Example::

        >>> rl.nn.functional.normalize(rl.tensor([3., 4.]), dim=0)[0].item()
        0.6000000238418579
    """
    return input / rl.norm(input, p, dim, keepdim=True).clamp_min(eps).expand_as(input)
