"""What PyTorch's optimizers share under private names, for optimizers written outside of it.

The package's own optimizers do not use it.
"""

import functools
from collections.abc import Iterable
from typing import Any, TypeAlias

import rushlight as rl

ParamsT: TypeAlias = (
    Iterable[rl.Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, rl.Tensor]]
)
StateDict: TypeAlias = dict[str, Any]


def _use_grad_for_differentiable(func):
    """Decorator of `step`: records only if the optimizer was made with ``differentiable=True``."""

    @functools.wraps(func)
    def with_grad_mode(self, *args, **kwargs):
        with rl.set_grad_enabled(self.defaults.get("differentiable", False)):
            return func(self, *args, **kwargs)

    return with_grad_mode


def _get_value(x):
    """The number in a tensor, or the number."""
    return x.item() if isinstance(x, rl.Tensor) else x


def _stack_if_compiling(x):
    """`x`: nothing is compiled."""
    return x


def _disable_dynamo_if_unsupported(single_tensor_fn=None):
    """Decorator that changes nothing: nothing is compiled."""
    return lambda func: func


def _default_to_fused_or_foreach(params, differentiable, use_fused=False):
    """(fused, foreach), as PyTorch chooses on the CPU."""
    if differentiable:
        return False, False
    given = [p for p in params if p is not None]
    fused = use_fused and all(p.is_floating_point() for p in given)
    return fused, not fused and not given


def _view_as_real(params, *state_and_grads):
    """Puts views as pairs of reals in the place of complex tensors, in all lists."""
    for i, param in enumerate(params):
        if rl.is_complex(param):
            params[i] = rl.view_as_real(param)
            for values in state_and_grads:
                values[i] = rl.view_as_real(values[i])


def _get_scalar_dtype(is_fused=None):
    """The dtype of step counts."""
    double = rl.get_default_dtype() == rl.float64 and not is_fused
    return rl.float64 if double else rl.float32


def _get_capturable_supported_devices(supports_xla=True):
    """The kinds of devices whose steps can be captured in a graph."""
    return ["cuda", "xpu", "hpu", *(["xla"] if supports_xla else [])]


def _group_tensors_by_device_and_dtype(tensorlistlist, with_indices=False):
    """``{(device, dtype): (lists, indices)}`` of lists that run alongside the first one."""
    found = {}
    for i, tensor in enumerate(tensorlistlist[0]):
        empty = [[] for _ in tensorlistlist], []
        lists, indices = found.setdefault((tensor.device, tensor.dtype), empty)
        for to, source in zip(lists, tensorlistlist):
            if source:
                to.append(source[i])
        if with_indices:
            indices.append(i)
    return found
