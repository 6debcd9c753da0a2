"""How the models initialise their layers; each paper's recipe is a call here.

The order of the draws is that of `modules()`, so a seed gives torchvision's weights.
"""

from rushlight import nn


def initialize(model, conv, linear=None, conv_bias=True):
    """Applies `conv` to the convolutions and `linear` to the linear layers, in order.

    Biases become zero (of convolutions only if `conv_bias`), norms the identity. Linear layers keep
    their defaults if `linear` is None.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            conv(module.weight)
            _zero(module.bias if conv_bias else None)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(module.weight)
            _zero(module.bias)
        elif isinstance(module, nn.Linear) and linear is not None:
            linear(module.weight)
            _zero(module.bias)


def _zero(bias):
    if bias is not None:
        nn.init.zeros_(bias)


def he_fan_out(weight):
    """He et al. 2015, keeping the variance of gradients through rectifiers."""
    nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def normal(std):
    """Normal of standard deviation `std`."""
    return lambda weight: nn.init.normal_(weight, 0, std)


def truncated_normal(std):
    """Normal of standard deviation `std`, cut at -2 and 2."""
    return lambda weight: nn.init.trunc_normal_(weight, std=std)


def make_divisible(value, divisor=8):
    """The multiple of `divisor` nearest to `value`, at most a tenth below it."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest
