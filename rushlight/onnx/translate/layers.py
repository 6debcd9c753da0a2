"""Layers: convolution, normalization, losses of classes, dropout. Pooling is in `pooling.py`."""

import rushlight as rl

from .._table import translates


def _spread(value, dims):
    return [value] * dims if isinstance(value, int) else [int(v) for v in value] * (
        dims if len(value) == 1 else 1)  # fmt: skip


def _batched(g, self, dims):
    """The value with a batch dimension, and whether it had none."""
    if self.dim() == dims + 2:
        return g.value(self), False
    return g.op("Unsqueeze", self, g.ints([0])), True


def _unbatched(g, value, added):
    return g.op("Squeeze", value, g.ints([0])) if added else value


def _layer(dims, name, suffix=""):
    """`translates` for the functions of one to three dimensions."""

    def note(function):
        for n in dims:
            translates(f"{name}{n}d{suffix}")(_partial(function, n))
        return function

    return note


def _partial(function, dims):
    return lambda g, *args, **kwargs: function(g, dims, *args, **kwargs)


# ---- convolution -------------------------------------------------------------------------------


@_layer((1, 2, 3), "conv")
def _(g, dims, self, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    x, added = _batched(g, self, dims)
    dilations, window = _spread(dilation, dims), list(weight.shape[2:])
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilations, window)]
        pads = [t // 2 for t in total] + [t - t // 2 for t in total]
    else:
        pads = [0] * 2 * dims if padding == "valid" else _spread(padding, dims) * 2
    y = g.op("Conv", x, weight, bias, kernel_shape=window, strides=_spread(stride, dims),
             pads=pads, dilations=dilations, group=groups)  # fmt: skip
    return _unbatched(g, y, added)


@_layer((1, 2, 3), "conv_transpose")
def _(g, dims, self, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
      dilation=1):  # fmt: skip
    x, added = _batched(g, self, dims)
    y = g.op("ConvTranspose", x, weight, bias, kernel_shape=list(weight.shape[2:]),
             strides=_spread(stride, dims), pads=_spread(padding, dims) * 2, group=groups,
             output_padding=_spread(output_padding, dims),
             dilations=_spread(dilation, dims))  # fmt: skip
    return _unbatched(g, y, added)


# ---- normalization -----------------------------------------------------------------------------


def _ones(self, length, value=1.0):
    return rl.full((length,), value, dtype=self.dtype)


@translates("batch_norm")
def _(g, self, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1,
      eps=1e-5):  # fmt: skip
    if isinstance(training, rl.Tensor) or training:
        raise g.unsupported("batch_norm", "in training mode: call eval() on the model")
    channels = self.shape[1]
    weight = _ones(self, channels) if weight is None else weight
    bias = _ones(self, channels, 0.0) if bias is None else bias
    return g.op("BatchNormalization", self, weight, bias, running_mean, running_var,
                epsilon=float(eps))  # fmt: skip


@translates("batch_norm.torch")
def _(g, self, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled):
    batch_norm = _of("batch_norm")
    return batch_norm(g, self, running_mean, running_var, weight, bias, training, momentum, eps)


@translates("instance_norm")
def _(g, self, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
      momentum=0.1, eps=1e-5):  # fmt: skip
    if not use_input_stats:
        return _of("batch_norm")(g, self, running_mean, running_var, weight, bias, eps=eps)
    channels = self.shape[1]
    weight = _ones(self, channels) if weight is None else weight
    bias = _ones(self, channels, 0.0) if bias is None else bias
    return g.op("InstanceNormalization", self, weight, bias, epsilon=float(eps))


def _of(name):
    from .. import _table

    return _table.find(name)


@translates("group_norm")
def _(g, self, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    grouped = g.op("Reshape", self, g.ints([0, num_groups, -1]))
    ones, zeros = _ones(self, num_groups), _ones(self, num_groups, 0.0)
    y = g.op("InstanceNormalization", grouped, ones, zeros, epsilon=float(eps))
    y = g.op("Reshape", y, g.shape(self))
    per_channel = g.ints([-1] + [1] * (self.dim() - 2))
    y = y if weight is None else g.op("Mul", y, g.op("Reshape", weight, per_channel))
    return y if bias is None else g.op("Add", y, g.op("Reshape", bias, per_channel))


@translates("layer_norm")
def _(g, self, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    if weight is None:
        weight = rl.ones(tuple(normalized_shape), dtype=self.dtype)
    return g.op("LayerNormalization", self, weight, bias, axis=-len(normalized_shape),
                epsilon=float(eps))  # fmt: skip


@translates("local_response_norm")
def _(g, self, size, alpha=1e-4, beta=0.75, k=1.0):
    if size % 2 == 0 or self.dim() != 4:
        return NotImplemented
    return g.op("LRN", self, size=size, alpha=float(alpha), beta=float(beta), bias=float(k))


@translates("nll_loss")
def _(g, self, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
      reduction="mean"):  # fmt: skip
    if self.dim() < 2 or size_average is not None or reduce is not None:
        return NotImplemented
    return g.op("NegativeLogLikelihoodLoss", self, target, weight, ignore_index=ignore_index,
                reduction=reduction)  # fmt: skip


@translates("cross_entropy")
def _(g, self, target, weight=None, size_average=None, ignore_index=-100, reduce=None,
      reduction="mean", label_smoothing=0.0):  # fmt: skip
    plain = size_average is None and reduce is None and not label_smoothing
    if self.dim() < 2 or target.is_floating_point() or not plain:
        return NotImplemented
    return g.op("SoftmaxCrossEntropyLoss", self, target, weight, ignore_index=ignore_index,
                reduction=reduction)  # fmt: skip


@translates("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout",
            "feature_alpha_dropout", "feature_dropout")  # fmt: skip
def _(g, self, p=0.5, training=True, inplace=False, train=None):
    if (training if train is None else train) and p:
        raise g.unsupported("dropout", "in training mode: call eval() on the model")
    return g.value(self)


# ---- blocks of images --------------------------------------------------------------------------


@translates("_unfold")
def _(g, self, kernel_size, dilation, padding, stride):
    y, blocks = g.value(self), []
    if any(padding):
        y = g.op("Pad", y, g.ints([0, 0, *padding, 0, 0, *padding]), dtype=self.dtype)
    for i, axis in enumerate((2, 4)):
        size = self.shape[2 + i] + 2 * padding[i] - dilation[i] * (kernel_size[i] - 1)
        within = rl.arange(kernel_size[i]).unsqueeze(1) * dilation[i]
        places = within + rl.arange(0, size, stride[i])
        y = g.op("Gather", y, places, axis=axis, dtype=self.dtype)
        blocks.append(places.shape[1])
    y = g.op("Transpose", y, perm=[0, 1, 2, 4, 3, 5], dtype=self.dtype)
    columns = self.shape[1] * kernel_size[0] * kernel_size[1]
    return g.op("Reshape", y, g.ints([0, columns, blocks[0] * blocks[1]]), dtype=self.dtype)
