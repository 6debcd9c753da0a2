"""Rounding to the numbers that integers of a few bits, a scale and a zero point can express, with
gradients as if nothing had been rounded: networks are trained so before they are quantized.

They are no records, as the checks that those are put to include gradients, which these deny.
"""

import rushlight as rl
from rushlight._interpose import overridable
from rushlight.ops._record import namespaces


def _check_range(name, input, low, high):
    if not input.is_floating_point():
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}, expected a float")
    if low > high:
        raise RuntimeError(
            f"{name}: `quant_min` should be less than or equal to `quant_max`, got {low} and {high}"
        )


def _check_channels(name, input, scale, zero_point, axis):
    if scale.dtype not in (rl.float32, rl.bfloat16):
        raise RuntimeError(f"{name}: Scale must be Float or BFloat16, found {scale.dtype}")
    if zero_point.dtype not in (rl.int32, rl.float32, rl.float16):
        raise RuntimeError(
            f"{name}: Zero-point must be Int32, Float or Half, found {zero_point.dtype}"
        )
    if scale.dim() != 1 or zero_point.dim() != 1:
        raise RuntimeError(
            f"{name}: scale should be a 1-D tensor, and zero point, got {list(scale.shape)} and "
            f"{list(zero_point.shape)}"
        )
    if scale.numel() != zero_point.numel():
        raise RuntimeError(
            f"{name}: scale and zero-point need to have the same dimensions, got "
            f"{scale.numel()} and {zero_point.numel()} elements"
        )
    if scale.numel() != input.size(axis):
        raise RuntimeError(
            f"{name}: dimensions of scale and zero-point are not consistent with input tensor: "
            f"{scale.numel()} for a dimension of {input.size(axis)}"
        )


_made = []


def _straight_through():
    """The `Function`, made when it is first needed: this module is loaded before autograd."""
    if _made:
        return _made[0]

    class FakeQuantizeCachemask(rl.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(input, scale, zero_point, low, high):
            whole = input.float() * scale.reciprocal()
            if zero_point.is_floating_point():
                whole = (whole + zero_point).round() + 0.0  # integers have no negative zero
            else:
                whole = whole.round() + zero_point
            inside = (whole >= low) & (whole <= high)
            limited = whole.nan_to_num(low).clamp(low, high)
            return ((limited - zero_point) * scale).to(input.dtype), inside

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_non_differentiable(output[1])
            ctx.save_for_backward(output[1])

        @staticmethod
        def backward(ctx, grad, _):
            (inside,) = ctx.saved_tensors
            return grad * inside, None, None, None, None

    _made.append(FakeQuantizeCachemask.apply)
    return _made[0]


def _single(number, dtype, like):
    """A number, or a tensor of one, as a tensor with no dimensions."""
    if isinstance(number, rl.Tensor):
        return number.detach().reshape(()).to(dtype)
    return rl.tensor(number, dtype=dtype, device=like.device)


@overridable
def fake_quantize_per_tensor_affine(input, scale, zero_point, quant_min, quant_max):
    """The nearest ``(q - zero_point) * scale`` with an integer q from quant_min to quant_max.

    Gradients pass unchanged where q was not limited, and are 0 elsewhere. ``scale`` and
    ``zero_point`` are numbers, or tensors of one element.

    Example::

        >>> rl.fake_quantize_per_tensor_affine(rl.tensor([0.24, 9.]), 0.1, 0, -8, 7)
        tensor([0.2000, 0.7000])
    """
    name = "fake_quantize_per_tensor_affine"
    _check_range(name, input, quant_min, quant_max)
    if not isinstance(zero_point, rl.Tensor) and not quant_min <= zero_point <= quant_max:
        raise RuntimeError(
            f"{name}: `zero_point` must be between `quant_min` and `quant_max`, got {zero_point} "
            f"for {quant_min} to {quant_max}"
        )
    scale = _single(scale, rl.float32, input)
    zero_point = _single(zero_point, rl.int64, input)
    return _straight_through()(input, scale, zero_point, quant_min, quant_max)[0]


@overridable
def fake_quantize_per_channel_affine(input, scale, zero_point, axis, quant_min, quant_max):
    """`fake_quantize_per_tensor_affine` with a scale and a zero point for each index of ``axis``.

    Example::

        >>> x = rl.tensor([[0.24, 0.26], [0.24, 0.26]])
        >>> zero = rl.zeros(2, dtype=rl.int32)
        >>> rl.fake_quantize_per_channel_affine(x, rl.tensor([0.5, 0.1]), zero, 0, -8, 7)
        tensor([[0.0000, 0.5000],
                [0.2000, 0.3000]])
    """
    name = "fake_quantize_per_channel_affine"
    _check_range(name, input, quant_min, quant_max)
    _check_channels(name, input, scale, zero_point, axis)
    shape = [1] * input.dim()
    shape[axis] = -1
    scale = scale.detach().float().reshape(shape)
    zero_point = zero_point.detach().reshape(shape)
    return _straight_through()(input, scale, zero_point, quant_min, quant_max)[0]


for _function in (fake_quantize_per_tensor_affine, fake_quantize_per_channel_affine):
    namespaces["torch"][_function.__name__] = _function
