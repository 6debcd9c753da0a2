"""Norms of gradients, and limiting them."""

import rushlight as rl
from rushlight import _native

__all__ = [
    "clip_grad_norm_",
    "clip_grad_norm",
    "clip_grad_value_",
    "get_total_norm",
    "clip_grads_with_norm_",
]


def _grads(parameters):
    parameters = [parameters] if isinstance(parameters, rl.Tensor) else parameters
    return [grad for p in parameters if (grad := p.grad) is not None]


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors, as if they were one vector.

    Args:
        tensors: a tensor, or several.
        norm_type: which p-norm; `inf` for the largest absolute value.
        error_if_nonfinite: raise RuntimeError if the norm is NaN or infinite.
        foreach: accepted; the computation is the same.
    """
    tensors = [tensors] if isinstance(tensors, rl.Tensor) else list(tensors)
    if not tensors:
        return rl.tensor(0.0)
    device = tensors[0].device
    with rl.no_grad():
        norms = [rl.linalg.vector_norm(t, float(norm_type)).to(device) for t in tensors]
        total = rl.linalg.vector_norm(rl.stack(norms), float(norm_type))
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from `parameters` is "
            "non-finite, so it cannot be clipped. To disable this error and scale the gradients by "
            "the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale gradients, in place, by `max_norm / total_norm` where that is below 1."""
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    if _is_one(factor):
        return
    with rl.no_grad():
        for grad in _grads(parameters):
            grad.mul_(factor.to(grad.device))


def _is_one(factor):
    """Would multiplying by this change nothing? A number that is at hand tells, and saves reading
    and writing all gradients; what is traced or transformed has to be multiplied.
    """
    plain = type(factor) is rl.Tensor and factor.device.type == "cpu"
    plain = plain and not _native.kind_of(factor) and not _native.interposer_stack()
    return plain and factor.numel() == 1 and factor.item() == 1


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale gradients, in place, so that the norm of all of them is at most `max_norm`.

    Returns the norm before. Arguments as for `get_total_norm`.

    Example::

        >>> import rushlight as rl
        >>> p = rl.nn.Parameter(rl.ones(4)); p.grad = rl.ones(4)
        >>> rl.nn.utils.clip_grad_norm_([p], 1.0)
        tensor(2.)
    """
    parameters = [parameters] if isinstance(parameters, rl.Tensor) else list(parameters)
    if not parameters:
        import warnings

        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    with rl.no_grad():
        total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Deprecated name of `clip_grad_norm_`."""
    import warnings

    warnings.warn(
        "`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamp every gradient, in place, to [-clip_value, clip_value]."""
    bound = float(clip_value)
    clamp = rl.ops.internal["clamp_functor"]  # a kernel, which `clamp_` has to choose first
    with rl.no_grad():
        for grad in _grads(parameters):
            clamp(grad, -bound, bound, out=grad)
