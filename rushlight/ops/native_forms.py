"""What PyTorch offers at its top level beside `nn.functional`: the same ops with the order of
arguments of its C++ side, reductions as numbers (0 none, 1 mean, 2 sum), and ``native_*`` forms
that also return statistics.

Nothing is computed here that another record computes. To add one: a record that calls it.
"""

import math

import rushlight as rl
from rushlight.ops._decisions import unset_like
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import namespaces, op
from rushlight.ops.embedding import _bag_ids, _bags, _embedding, _renormalize
from rushlight.ops.grid import MODES, PADDINGS, samples_at
from rushlight.ops.norm import _batch_norm, _check_normalized, _group_norm, _row_norm

_F = namespaces["nn.functional"]


def _named(name, what, number, choices):
    if not 0 <= number < len(choices):
        said = ", ".join([f"{i} ({choice})" for i, choice in enumerate(choices)])
        raise ValueError(f"{name}: {what} must be one of {said}, got {number}")
    return choices[number]


def _op(schema, **options):
    return op(schema, at="torch", method=False, **options)


# ---- dropout -----------------------------------------------------------------------------------


def _dropout(name, functional, in_place):
    def body(input, p, train):
        return functional(input, p, train, in_place)

    body.__doc__ = with_example(
        f"As `nn.functional.{functional.__name__}`" + (", in place." if in_place else "."),
        f"{name}(rl.ones(1, 2), 0.5, False)",
        "tensor([[1., 1.]])",
    )
    kind = "Tensor(a!)" if in_place else "Tensor"
    _op(f"{name}.native({kind} input, float p, bool train) -> Tensor")(body)


_dropout("alpha_dropout", _F["alpha_dropout"], False)
_dropout("feature_alpha_dropout", _F["feature_alpha_dropout"], False)
_dropout("dropout_", _F["dropout"], True)
_dropout("alpha_dropout_", _F["alpha_dropout"], True)
_dropout("feature_alpha_dropout_", _F["feature_alpha_dropout"], True)


@_op("feature_dropout_(Tensor(a!) input, float p, bool train) -> Tensor")
def _(input, p, train):
    """As `feature_dropout`, in place.

    Example::

        >>> rl.feature_dropout_(rl.ones(1, 2), 0.5, False)
        tensor([[1., 1.]])
    """
    return input.copy_(rl.feature_dropout(input, p, train))


@_op("native_dropout(Tensor input, float p, bool? train) -> (Tensor, Tensor)")
def native_dropout(input, p, train):
    """The input with elements zeroed with probability ``p`` and the others scaled by 1 / (1 - p);
    and the mask of those that stayed. With ``train=False`` all stay as they are.

    Example::

        >>> rl.native_dropout(rl.ones(2), 0.5, False)
        (tensor([1., 1.]), tensor([True, True]))
    """
    if train is False:
        return input.clone(), rl.ones_like(input, dtype=rl.bool)
    mask = unset_like(input).bernoulli_(1 - p)
    return input * mask * (1 / (1 - p) if p < 1 else 0), mask.to(rl.bool)


# ---- bags of embeddings ------------------------------------------------------------------------


@_op(
    "embedding_bag.native(Tensor weight, Tensor indices, Tensor offsets, "
    "bool scale_grad_by_freq=False, int mode=0, bool sparse=False, "
    "Tensor? per_sample_weights=None, bool include_last_offset=False, int? padding_idx=None)"
    " -> (Tensor, Tensor, Tensor, Tensor)"
)
def embedding_bag(
    weight,
    indices,
    offsets,
    scale_grad_by_freq,
    mode,
    sparse,
    per_sample_weights,
    include_last_offset,
    padding_idx,
):
    """`nn.functional.embedding_bag` with ``mode`` 0 (sum), 1 (mean) or 2 (max); also the bag of
    each index, the bags' sizes, and for ``max`` the row that each element came from.

    As in PyTorch, sums leave out the sizes, and plain sums the bags too.

    Example::

        >>> rl.embedding_bag(rl.ones(3, 2), rl.tensor([0, 1]), rl.tensor([0]))[0]
        tensor([[2., 2.]])
    """
    name = _named("embedding_bag", "mode", mode, ("sum", "mean", "max"))
    out = _F["embedding_bag"](
        indices,
        weight,
        offsets,
        mode=name,
        scale_grad_by_freq=scale_grad_by_freq,
        sparse=sparse,
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=padding_idx,
    )
    starts, bags = _bags(indices, offsets, include_last_offset)
    ids = _bag_ids(indices, starts, bags)
    if name == "sum":
        none = rl.zeros(len(offsets), dtype=rl.int64)
        return out, ids if padding_idx is not None else ids[:0], none, none.clone()
    counted = rl.ones_like(ids)
    if padding_idx is not None:
        counted = (indices != padding_idx % len(weight)).to(ids.dtype)
    sizes = rl.zeros(bags, dtype=ids.dtype, device=ids.device).index_add(0, ids, counted)
    rows = _rows_of_maxima(weight, indices, ids, out) if name == "max" else sizes.clone()
    return out, ids, sizes, rows


def _rows_of_maxima(weight, indices, ids, out):
    """Of each element of `out`, the first row in the bag that has its value; 0 in empty bags."""
    last, wide = len(indices), ids.unsqueeze(1).expand(-1, out.shape[1])
    place = rl.arange(last, device=ids.device).unsqueeze(1)
    place = rl.where(weight[indices] == out[ids], place, last)
    first = rl.full(out.shape, last, device=ids.device).scatter_reduce(0, wide, place, "amin")
    rows = rl.cat((indices, indices.new_zeros(1)))
    return rows[first]


@embedding_bag.samples
def _(make):
    offsets = rl.tensor([0, 2])
    for mode in range(3):
        yield make(4, 3), rl.tensor([0, 1, 2]), offsets, False, mode
    yield make(4, 3), rl.tensor([0, 1, 2]), offsets, False, 0, False, None, False, 1


# ---- normalisation -----------------------------------------------------------------------------


@_op(
    "native_layer_norm(Tensor input, int[] normalized_shape, Tensor? weight, Tensor? bias, "
    "float eps) -> (Tensor, Tensor, Tensor)"
)
def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """`layer_norm`, and the mean and the reciprocal standard deviation of each row.

    No gradient flows through the statistics, here and in `native_batch_norm`.

    Example::

        >>> rl.native_layer_norm(rl.tensor([[1., 3.]]), (2,), None, None, 0.0)[1]
        tensor([[2.]])
    """
    shape = tuple(normalized_shape)
    _check_normalized("native_layer_norm", input, shape, weight=weight, bias=bias)
    outer = tuple(input.shape[: input.dim() - len(shape)])
    y, *statistics = _row_norm(input, weight, bias, math.prod(outer), 1, 1, eps)
    shape = outer + (1,) * len(shape)
    return y, *[s.detach().to(input.dtype).reshape(shape) for s in statistics]


@native_layer_norm.samples
def _(make):
    yield make(2, 3, 4), (4,), make(4), make(4), 1e-5
    yield make(2, 3), (3,), None, None, 1e-5


@_op(
    "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, int N, int C, int HxW, "
    "int group, float eps) -> (Tensor, Tensor, Tensor)"
)
def native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    """`group_norm` of an input (N, C, *) of ``HxW`` places, and the mean and the reciprocal
    standard deviation of each group, (N, group); these have gradients too.

    Example::

        >>> rl.native_group_norm(rl.tensor([[1., 3.]]), None, None, 1, 2, 1, 1, 0.0)[1]
        tensor([[2.]])
    """
    if group <= 0 or C % group:
        raise RuntimeError(
            f"native_group_norm: expected a number of groups that divides C={C}, got {group}"
        )
    if input.numel() != N * C * HxW:
        raise RuntimeError(
            f"native_group_norm: expected N * C * HxW = {N * C * HxW} elements, got {input.numel()}"
        )
    y, *statistics = _group_norm(input, weight, bias, N * group, group, HxW, eps)
    return y, *[s.to(input.dtype).reshape(N, group) for s in statistics]


@_op(
    "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
    "Tensor? running_var, bool training, float momentum, float eps) -> (Tensor, Tensor, Tensor)"
)
def native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """`batch_norm`, and the mean and the reciprocal standard deviation of each channel when
    training (empty otherwise).

    Example::

        >>> rl.native_batch_norm(rl.tensor([[1.], [3.]]), None, None, None, None, True, 0.1,
        ...     0.0)[1]
        tensor([2.])
    """
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError(
            "native_batch_norm: running_mean and running_var must be given when training=False"
        )
    y, mean, rstd = _batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )
    if not training:
        return y, input.new_empty(0), input.new_empty(0)
    return y, mean.detach().to(input.dtype), rstd.detach().to(input.dtype)


@native_batch_norm.samples
def _(make):
    yield make(4, 3, 2), make(3), make(3), None, None, True, 0.1, 1e-5


@_op(
    "instance_norm.native(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, "
    "Tensor? running_var, bool use_input_stats, float momentum, float eps, bool cudnn_enabled)"
    " -> Tensor"
)
def _(
    input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled
):
    """As `nn.functional.instance_norm`, with another order of arguments.

    Example::

        >>> rl.instance_norm(rl.tensor([[[1., 3.]]]), None, None, None, None, True, 0.1, 0.0,
        ...     False)
        tensor([[[-1.,  1.]]])
    """
    return _F["instance_norm"](
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


@_op(
    "batch_norm_update_stats(Tensor input, Tensor? running_mean, Tensor? running_var, "
    "float momentum) -> (Tensor, Tensor)",
    differentiable=False,
)
def batch_norm_update_stats(input, running_mean, running_var, momentum):
    """Mean and (biased) variance of each channel; the running ones move towards them.

    Example::

        >>> rl.batch_norm_update_stats(rl.tensor([[1.], [3.]]), None, None, 0.1)
        (tensor([2.]), tensor([1.]))
    """
    if not input.numel():
        raise RuntimeError(
            f"batch_norm_update_stats: expected at least one element, got shape {input.shape}"
        )
    dims = (0,) + tuple(range(2, input.dim()))
    mean, var = input.mean(dims), input.var(dims, correction=0)
    count = input.numel() // max(input.shape[1], 1)
    for running, new in ((running_mean, mean), (running_var, var * count / (count - 1))):
        if running is not None:
            running.mul_(1 - momentum).add_(new, alpha=momentum)
    return mean, var


@_op("norm_except_dim(Tensor v, int pow=2, int dim=0) -> Tensor")
def norm_except_dim(v, pow, dim):
    """The norm of order ``pow`` over all dimensions but ``dim`` (all if it is -1).

    Example::

        >>> rl.norm_except_dim(rl.tensor([[3., 4.]]))
        tensor([[5.]])
    """
    if dim == -1:
        return v.norm(pow)
    others = [d for d in range(v.dim()) if d != dim % v.dim()]
    return v.norm(pow, others, keepdim=True)


@_op("frobenius_norm(Tensor self, int[1] dim, bool keepdim=False) -> Tensor")
def frobenius_norm(self, dim, keepdim):
    """The square root of the sum of squares over ``dim``; deprecated for `linalg.vector_norm`.

    Example::

        >>> rl.frobenius_norm(rl.tensor([[3., 4.]]), 1)
        tensor([5.])
    """
    return rl.linalg.vector_norm(self, 2, dim, keepdim)


@_op("nuclear_norm(Tensor self, bool keepdim=False) -> Tensor")
def nuclear_norm(self, keepdim):
    """The sum of the singular values of a matrix; deprecated for `linalg.matrix_norm`.

    Example::

        >>> rl.nuclear_norm(rl.eye(2)).round()
        tensor(2.)
    """
    if self.dim() != 2:
        raise RuntimeError(f"nuclear_norm: expected a matrix, got {self.dim()} dimensions")
    return rl.linalg.matrix_norm(self, "nuc", (0, 1), keepdim)


@_op("nuclear_norm.dim(Tensor self, int[2] dim, bool keepdim=False) -> Tensor")
def _(self, dim, keepdim):
    """Of the matrices in the dimensions ``dim``."""
    return rl.linalg.matrix_norm(self, "nuc", dim, keepdim)


# ---- convolution, pooling, sampling ------------------------------------------------------------


@op(
    "conv_tbc(Tensor self, Tensor weight, Tensor bias, int pad=0) -> Tensor",
    at=("torch", "nn.functional"),
    method=False,
)
def conv_tbc(self, weight, bias, pad):
    """Convolution over time of (time, batch, channels) with weight (width, channels in, out).

    Example::

        >>> rl.conv_tbc(rl.ones(3, 1, 2), rl.ones(2, 2, 1), rl.zeros(1)).flatten()
        tensor([4., 4.])
    """
    if self.dim() != 3 or weight.dim() != 3 or bias.dim() != 1:
        raise RuntimeError(
            "conv_tbc: expected an input and a weight of 3 dimensions and a bias of 1, got "
            f"{self.dim()}, {weight.dim()} and {bias.dim()}"
        )
    y = _F["conv1d"](self.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return y.permute(2, 0, 1)


@conv_tbc.samples
def _(make):
    yield make(5, 2, 3), make(3, 3, 4), make(4), 1


@_op("adaptive_max_pool1d.native(Tensor self, int[1] output_size) -> (Tensor, Tensor)")
def _(self, output_size):
    """As `nn.functional.adaptive_max_pool1d`, with the positions of the maxima.

    Example::

        >>> rl.adaptive_max_pool1d(rl.tensor([[1., 3., 2., 4.]]), 2)[0]
        tensor([[3., 4.]])
    """
    return _F["adaptive_max_pool1d"](self, output_size, True)


@_op("affine_grid_generator(Tensor theta, int[] size, bool align_corners) -> Tensor")
def _(theta, size, align_corners):
    """As `nn.functional.affine_grid`.

    Example::

        >>> rl.affine_grid_generator(rl.eye(2, 3)[None], (1, 1, 2, 2), True).shape
        torch.Size([1, 2, 2, 2])
    """
    return _F["affine_grid"](theta, size, align_corners)


def _grid_sampler(name, dims):
    def body(input, grid, interpolation_mode, padding_mode, align_corners):
        if dims and input.dim() != dims + 2:
            raise RuntimeError(
                f"{name}: expected an input of {dims + 2} dimensions, got {input.dim()}"
            )
        _named(name, "interpolation_mode", interpolation_mode, MODES)
        _named(name, "padding_mode", padding_mode, PADDINGS)
        return samples_at(input, grid, interpolation_mode, padding_mode, align_corners)

    space, places = ", 2" * (dims or 2), f"rl.zeros(1{', 1' * (dims or 2)}, {dims or 2})"
    body.__doc__ = with_example(
        "As `nn.functional.grid_sample`, with numbers for the modes: 0 bilinear, 1 nearest, "
        "2 bicubic; 0 zeros, 1 border, 2 reflection.",
        f"{name}(rl.ones(1, 1{space}), {places}, 0, 0, True).sum()",
        "tensor(1.)",
    )
    _op(
        f"{name}(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, "
        "bool align_corners) -> Tensor"
    )(body)


_grid_sampler("grid_sampler", None)
_grid_sampler("grid_sampler_2d", 2)
_grid_sampler("grid_sampler_3d", 3)


@op(
    "native_channel_shuffle(Tensor self, int groups) -> Tensor",
    at=("torch", "nn.functional"),
    method=False,
)
def _(self, groups):
    """As `nn.functional.channel_shuffle`.

    Example::

        >>> rl.native_channel_shuffle(rl.arange(4).reshape(1, 4, 1, 1), 2).flatten()
        tensor([0, 2, 1, 3])
    """
    return _F["channel_shuffle"](self, groups)


# ---- look-ups ----------------------------------------------------------------------------------


@_op(
    "embedding.native(Tensor weight, Tensor indices, int padding_idx=-1, "
    "bool scale_grad_by_freq=False, bool sparse=False) -> Tensor"
)
def _(weight, indices, padding_idx, scale_grad_by_freq, sparse):
    """As `nn.functional.embedding`, the table first; ``padding_idx=-1`` is none.

    Example::

        >>> rl.embedding(rl.tensor([[1.], [2.]]), rl.tensor([1, 0]))
        tensor([[2.],
                [1.]])
    """
    if sparse:
        raise NotImplementedError("embedding: sparse gradients are not supported; use sparse=False")
    return _embedding(weight, indices, padding_idx, scale_grad_by_freq)


@_op(
    "embedding_renorm_(Tensor(a!) self, Tensor indices, float max_norm, float norm_type) -> Tensor",
    differentiable=False,
)
def _(self, indices, max_norm, norm_type):
    """Scales the rows that ``indices`` names down to the norm ``max_norm``, in place.

    Example::

        >>> rl.embedding_renorm_(rl.tensor([[3., 4.]]), rl.tensor([0]), 1, 2)
        tensor([[0.6000, 0.8000]])
    """
    _renormalize(self, indices, max_norm, norm_type)
    return self
