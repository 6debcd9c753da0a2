"""Batch normalisation in parts, for statistics gathered over several batches or processes: local
statistics, their merger, the normalisation, and the same of the gradient.

Whole layers are in norm.py. All parts are compositions; to change a formula, change its body.
"""

import rushlight as rl
from rushlight.ops._record import op


def _per_channel(x, like):
    """A vector shown as one value per channel, the second dimension of `like`."""
    return x.view(1, -1, *[1] * (like.dim() - 2))


def _without_channel(x):
    return [d for d in range(x.dim()) if d != 1]


def _scaled(x, weight):
    return x if weight is None else x * weight


@op("batch_norm_stats(Tensor input, float eps) -> (Tensor, Tensor)", method=False)
def batch_norm_stats(input, eps):  # noqa: A002
    """Mean of each channel of (N, C, *), and 1 / sqrt(variance + eps).

    Example::

        >>> rl.batch_norm_stats(rl.tensor([[1., 2.], [3., 2.]]), 0.0)[0]
        tensor([2., 2.])
    """
    variance, mean = rl.var_mean(input, _without_channel(input), correction=0)
    return mean, (variance + eps).rsqrt()


@batch_norm_stats.samples
def _(make):
    yield make(4, 3), 1e-5
    yield make(2, 3, 4, 2), 1e-3


@op(
    "batch_norm_gather_stats_with_counts(Tensor input, Tensor mean, Tensor invstd, "
    "Tensor? running_mean, Tensor? running_var, float momentum, float eps, Tensor counts)"
    " -> (Tensor, Tensor)",
    method=False,
)
def batch_norm_gather_stats_with_counts(
    input,  # noqa: A002
    mean,
    invstd,
    running_mean,
    running_var,
    momentum,
    eps,
    counts,
):
    """Mean and 1 / sqrt(variance + eps) of all parts together, from those of each part (a row of
    `mean` and `invstd`) and the number of elements in it; updates the running statistics.

    Example::

        >>> rl.batch_norm_gather_stats_with_counts(rl.ones(1, 1), rl.tensor([[1.], [3.]]),
        ...     rl.ones(2, 1), None, None, 0.1, 0.0, rl.tensor([1., 1.]))[0]
        tensor([2.])
    """
    counts = counts.to(mean.dtype).reshape(-1, 1)
    total = counts.sum()
    center = (mean * counts).sum(0) / total
    within = invstd.pow(-2) - eps
    squares = ((within + (mean - center).square()) * counts).sum(0)
    with rl.no_grad():
        if running_mean is not None:
            running_mean.lerp_(center.to(running_mean.dtype), momentum)
        if running_var is not None:
            running_var.lerp_((squares / (total - 1)).to(running_var.dtype), momentum)
    return center, (squares / total + eps).rsqrt()


@batch_norm_gather_stats_with_counts.samples
def _(make):
    yield make(4, 3), make(2, 3), make(2, 3, low=0.5), None, None, 0.1, 1e-5, rl.tensor([3, 1])


@op(
    "batch_norm_gather_stats(Tensor input, Tensor mean, Tensor invstd, Tensor? running_mean, "
    "Tensor? running_var, float momentum, float eps, int count) -> (Tensor, Tensor)",
    method=False,
)
def batch_norm_gather_stats(
    input,  # noqa: A002
    mean,
    invstd,
    running_mean,
    running_var,
    momentum,
    eps,
    count,
):
    """As `batch_norm_gather_stats_with_counts`, with the same count in each part.

    Example::

        >>> rl.batch_norm_gather_stats(rl.ones(1, 1), rl.tensor([[1.], [3.]]), rl.ones(2, 1),
        ...     None, None, 0.1, 0.0, 1)[0]
        tensor([2.])
    """
    counts = mean.new_full((mean.size(0),), count)
    return batch_norm_gather_stats_with_counts(
        input, mean, invstd, running_mean, running_var, momentum, eps, counts
    )


@batch_norm_gather_stats.samples
def _(make):
    yield make(4, 3), make(2, 3), make(2, 3, low=0.5), None, None, 0.1, 1e-5, 4


@op(
    "batch_norm_elemt(Tensor input, Tensor? weight, Tensor? bias, Tensor mean, Tensor invstd, "
    "float eps) -> Tensor",
    method=False,
)
def batch_norm_elemt(input, weight, bias, mean, invstd, eps):  # noqa: A002
    """``(input - mean) * invstd * weight + bias`` per channel; `eps` is in `invstd` already.

    Example::

        >>> rl.batch_norm_elemt(rl.tensor([[1.], [3.]]), None, None, rl.tensor([2.]),
        ...     rl.ones(1), 0.0)
        tensor([[-1.],
                [ 1.]])
    """
    factor = _scaled(invstd, weight)
    out = (input - _per_channel(mean, input)) * _per_channel(factor, input)
    return (out if bias is None else out + _per_channel(bias, input)).to(input.dtype)


@batch_norm_elemt.samples
def _(make):
    yield make(4, 3), make(3), make(3), make(3), make(3, low=0.5), 1e-5
    yield make(2, 3, 4), None, None, make(3), make(3, low=0.5), 1e-5


@op(
    "batch_norm_backward_reduce(Tensor grad_out, Tensor input, Tensor mean, Tensor invstd, "
    "Tensor? weight, bool input_g, bool weight_g, bool bias_g)"
    " -> (Tensor, Tensor, Tensor, Tensor)",
    method=False,
)
def batch_norm_backward_reduce(
    grad_out,
    input,  # noqa: A002
    mean,
    invstd,
    weight,
    input_g,
    weight_g,
    bias_g,
):
    """Per channel, the sums of ``grad_out`` and of ``grad_out * (input - mean)``, and the gradients
    of weight and bias; those that are not asked for are empty.

    Example::

        >>> rl.batch_norm_backward_reduce(rl.ones(2, 1), rl.tensor([[1.], [3.]]),
        ...     rl.tensor([1.]), rl.ones(1), None, True, False, False)[0]
        tensor([2.])
    """
    dims = _without_channel(input)
    total = grad_out.sum(dims)
    along = (grad_out * (input - _per_channel(mean, input))).sum(dims)
    none = total.new_empty(0)
    return (
        total if input_g else none,
        along if input_g else none,
        along * invstd if weight_g and weight is not None else none,
        total if bias_g and weight is not None else none,
    )


@batch_norm_backward_reduce.samples
def _(make):
    yield make(4, 3), make(4, 3), make(3), make(3, low=0.5), make(3), True, True, True


@op(
    "batch_norm_backward_elemt(Tensor grad_out, Tensor input, Tensor mean, Tensor invstd, "
    "Tensor? weight, Tensor sum_dy, Tensor sum_dy_xmu, Tensor count) -> Tensor",
    method=False,
)
def batch_norm_backward_elemt(
    grad_out,
    input,  # noqa: A002
    mean,
    invstd,
    weight,
    sum_dy,
    sum_dy_xmu,
    count,
):
    """The gradient of the input, from the sums over all parts and the number of elements in each
    part (`count`).

    Example::

        >>> rl.batch_norm_backward_elemt(rl.ones(2, 1), rl.tensor([[1.], [3.]]),
        ...     rl.tensor([2.]), rl.ones(1), None, rl.tensor([2.]), rl.tensor([0.]), rl.tensor([2]))
        tensor([[0.],
                [0.]])
    """
    total = count.sum().to(sum_dy.dtype)
    slope = invstd.square() * sum_dy_xmu / total
    centered = grad_out - _per_channel(sum_dy / total, input)
    centered = centered - (input - _per_channel(mean, input)) * _per_channel(slope, input)
    return (centered * _per_channel(_scaled(invstd, weight), input)).to(input.dtype)


@batch_norm_backward_elemt.samples
def _(make):
    vectors = make(3), make(3, low=0.5), make(3), make(3), make(3)
    yield make(4, 3), make(4, 3), *vectors, rl.tensor([3, 1])
