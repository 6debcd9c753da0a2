"""RMS norm: rows over the root of their mean square. The kernel is layer norm's (norm_rows.cpp)."""

import rushlight as rl
from rushlight import _native
from rushlight.ops._attach import through_formula
from rushlight.ops._record import op
from rushlight.ops._rounding import widen
from rushlight.ops.norm import _check_normalized, _empty_gradients, _numel


@op(
    "_rms_norm(Tensor input, Tensor? weight, int rows, float? eps) -> (Tensor output, Tensor rstd)",
    at=("internal",),
)
def _rms_norm(input, weight, rows, eps):
    """Rows over the root of their mean square; see norm_rows.cpp."""
    ...


@op(
    "_rms_norm_backward(Tensor grad, Tensor input, Tensor rstd, Tensor? weight, int rows, "
    "bool affine) -> (Tensor grad_input, Tensor grad_weight)",
    at=("internal",),
)
def _rms_norm_backward(grad, input, rstd, weight, rows, affine):
    """The gradients of `_rms_norm` in one pass; that of the weight if ``affine``."""
    ...


def _rms_in_ops(x, weight, rows, eps):
    """`_rms_norm` in recorded ops."""
    eps = rl.finfo(x.dtype).eps if eps is None else eps
    wide = x.reshape(rows, x.numel() // max(rows, 1))
    y = (wide * (wide.square().mean(1, keepdim=True) + eps).rsqrt()).reshape(x.shape)
    return y if weight is None else y * weight


@_rms_norm.vjp_all
def _(g_output, needs, input, weight, rows, eps, rstd):
    if not input.numel():
        return _empty_gradients(needs, (input, weight))
    if rl.is_grad_enabled() or any(_native.kind_of(t) for t in (g_output, input, rstd)):
        return through_formula(_rms_in_ops, [g_output], needs, (input, weight), rows, eps)
    gx, gw = _rms_norm_backward(g_output, input, rstd, weight, rows, needs[1])
    return gx if needs[0] else None, gw.view(weight.shape) if needs[1] else None


@op(
    "rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, "
    "float? eps=None) -> Tensor",
    at=("nn.functional", "torch"),
)
def rms_norm(input, normalized_shape, weight, eps):
    """x / sqrt(mean(x^2) + eps) over the last dimensions, times weight (Zhang and Sennrich 2019).

    eps defaults to the dtype's machine epsilon.

    Example::

        >>> rl.nn.functional.rms_norm(rl.tensor([3., 3.]), (2,), eps=0.0).tolist()
        [1.0, 1.0]
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    _check_normalized("rms_norm", input, shape, weight=weight)
    x = widen(input)
    if not x.dtype.is_floating_point and not x.is_complex():
        raise NotImplementedError(f"rms_norm: not implemented for {x.dtype}; convert the input")
    rows = _numel(input.shape[: -len(shape)])
    if x.is_complex() or (weight is not None and widen(weight).dtype != x.dtype):
        return _rms_in_ops(x, weight, rows, eps).to(input.dtype)
    return _rms_norm(x, weight, rows, eps)[0].to(input.dtype)


@rms_norm.samples
def _(make):
    yield make(2, 3, 4), (4,), make(4)
    yield make(2, 3, 4), (3, 4)
