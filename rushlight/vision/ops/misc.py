"""Layers that vision models share: convolution with norm, squeeze and excitation, perceptrons.

Losses are in `losses.py`, pooling of regions in `roi.py`.
"""

import rushlight as rl
from rushlight import nn

__all__ = [
    "Conv2dNormActivation",
    "Conv3dNormActivation",
    "FrozenBatchNorm2d",
    "MLP",
    "Permute",
    "SqueezeExcitation",
]


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation of `(N, C, H, W)` whose statistics and scale are buffers that stay."""

    def __init__(self, num_features, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", rl.ones(num_features))
        self.register_buffer("bias", rl.zeros(num_features))
        self.register_buffer("running_mean", rl.zeros(num_features))
        self.register_buffer("running_var", rl.ones(num_features))

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        state_dict.pop(prefix + "num_batches_tracked", None)  # BatchNorm2d's files have it
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, x):
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale.view(1, -1, 1, 1) + shift.view(1, -1, 1, 1)

    def __repr__(self):
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


class _ConvNormActivation(nn.Sequential):
    """Convolution, normalisation, activation; the last two may be None."""

    _conv = None

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size=3,
        stride=1,
        padding=None,
        groups=1,
        norm_layer=None,
        activation_layer=nn.ReLU,
        dilation=1,
        inplace=True,
        bias=None,
    ):
        if padding is None:
            padding = _same_padding(kernel_size, dilation)
        bias = norm_layer is None if bias is None else bias
        layers = [
            self._conv(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding,
                dilation=dilation,
                groups=groups,
                bias=bias,
            )
        ]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


def _same_padding(kernel_size, dilation):
    """What keeps the size at stride one: a number, or a tuple if one of the two is a tuple."""
    if isinstance(kernel_size, int) and isinstance(dilation, int):
        return (kernel_size - 1) // 2 * dilation
    dims = len(kernel_size if isinstance(dilation, int) else dilation)
    kernel = (kernel_size,) * dims if isinstance(kernel_size, int) else kernel_size
    spread = (dilation,) * dims if isinstance(dilation, int) else dilation
    return tuple((k - 1) // 2 * d for k, d in zip(kernel, spread))


class Conv2dNormActivation(_ConvNormActivation):
    """`Conv2d`, `norm_layer`, `activation_layer` in a row; the padding keeps the size.

    Args:
        norm_layer: made with the number of channels; BatchNorm2d by default, or None.
        activation_layer: made with `inplace` unless that is None.
        bias: of the convolution; by default only without a norm.
    """

    _conv = nn.Conv2d

    def __init__(self, *args, norm_layer=nn.BatchNorm2d, **kwargs):
        super().__init__(*args, norm_layer=norm_layer, **kwargs)


class Conv3dNormActivation(_ConvNormActivation):
    """`Conv2dNormActivation` with one dimension more."""

    _conv = nn.Conv3d

    def __init__(self, *args, norm_layer=nn.BatchNorm3d, **kwargs):
        super().__init__(*args, norm_layer=norm_layer, **kwargs)


class SqueezeExcitation(nn.Module):
    """Scales channels by a function of their means (Hu, Shen, Albanie, Sun, Wu 2017).

    Args:
        squeeze_channels: width of the layer between.
        activation, scale_activation: of the first and the second layer.
    """

    def __init__(
        self, input_channels, squeeze_channels, activation=nn.ReLU, scale_activation=nn.Sigmoid
    ):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input):
        scale = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(scale)) * input


class MLP(nn.Sequential):
    """Linear layers with norm, activation and dropout between, and dropout at the end.

    Args:
        hidden_channels: the widths, the last of which is the output's.
        norm_layer: made with the width, or None.
        inplace: passed to activation and dropout unless None.
    """

    def __init__(
        self,
        in_channels,
        hidden_channels,
        norm_layer=None,
        activation_layer=nn.ReLU,
        inplace=None,
        bias=True,
        dropout=0.0,
    ):
        how = {} if inplace is None else {"inplace": inplace}
        layers, width = [], in_channels
        for hidden in hidden_channels[:-1]:
            layers.append(nn.Linear(width, hidden, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(hidden))
            layers += [activation_layer(**how), nn.Dropout(dropout, **how)]
            width = hidden
        layers += [nn.Linear(width, hidden_channels[-1], bias=bias), nn.Dropout(dropout, **how)]
        super().__init__(*layers)


class Permute(nn.Module):
    """`x.permute(dims)` as a layer."""

    def __init__(self, dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(self.dims)
