"""Gradients of convolutions with respect to input and weight, as functions of their own.

Each is computed by differentiating the convolution; autograd needs none of them.
"""

import rushlight as rl
from rushlight import _native

from . import functional as F


def _gradient(convolution, input, weight, grad_output, wanted, options):
    with rl.enable_grad():
        input, weight = _native.untaped(input), _native.untaped(weight)
        leaf = (input, weight)[wanted].requires_grad_()
        output = convolution(input, weight, None, *options)
        return rl.autograd.grad(output, leaf, grad_output)[0]


def _like(tensor, shape):
    return rl.zeros(shape, dtype=tensor.dtype, device=tensor.device)


def conv1d_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv1d` with respect to an input of size `input_size`."""
    return _gradient(
        F.conv1d,
        _like(weight, input_size),
        weight,
        grad_output,
        0,
        (stride, padding, dilation, groups),
    )


def conv1d_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv1d` with respect to a weight of size `weight_size`."""
    return _gradient(
        F.conv1d,
        input,
        _like(input, weight_size),
        grad_output,
        1,
        (stride, padding, dilation, groups),
    )


def conv2d_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv2d` with respect to an input of size `input_size`."""
    return _gradient(
        F.conv2d,
        _like(weight, input_size),
        weight,
        grad_output,
        0,
        (stride, padding, dilation, groups),
    )


def conv2d_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv2d` with respect to a weight of size `weight_size`."""
    return _gradient(
        F.conv2d,
        input,
        _like(input, weight_size),
        grad_output,
        1,
        (stride, padding, dilation, groups),
    )


def conv3d_input(input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv3d` with respect to an input of size `input_size`."""
    return _gradient(
        F.conv3d,
        _like(weight, input_size),
        weight,
        grad_output,
        0,
        (stride, padding, dilation, groups),
    )


def conv3d_weight(input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv3d` with respect to a weight of size `weight_size`."""
    return _gradient(
        F.conv3d,
        input,
        _like(input, weight_size),
        grad_output,
        1,
        (stride, padding, dilation, groups),
    )
