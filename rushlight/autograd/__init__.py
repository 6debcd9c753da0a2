"""Automatic differentiation as users see it: `backward`, `grad`, and the names of this package.

The graph and the engine are native; here arguments are checked and first gradients made.
"""

import rushlight as rl
from rushlight._notes import early_arguments
from rushlight import _native

from . import anomaly_mode, grad_mode, graph
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .function import Function, FunctionCtx, NestedIOFunction, once_differentiable
from .grad_mode import (
    enable_grad,
    enforce_grad_layout_policy,
    inference_mode,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .graph import GradientEdge
from .variable import Variable

__all__ = [
    "Function",
    "FunctionCtx",
    "GradcheckError",
    "NestedIOFunction",
    "SavedTensor",
    "Variable",
    "anomaly_mode",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "enforce_grad_layout_policy",
    "forward_ad",
    "functional",
    "grad",
    "grad_mode",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]

SavedTensor = _native.SavedTensor


@early_arguments(variables="tensors", retain_variables="retain_graph")
def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Add to the ``.grad`` of leaves the gradients of the sum of ``tensors``.

    Args:
        tensors: a tensor (or gradient edge), or a sequence of them, to differentiate.
        grad_tensors: for each, the gradient to start from, of its shape; None stands for 1 and is
            allowed for tensors with one element.
        retain_graph: keep what the graph has saved, for another pass; as ``create_graph`` if None.
        create_graph: record the backward pass itself, so that it can be differentiated.
        grad_variables: the old name of ``grad_tensors``.
        inputs: the tensors whose ``.grad`` is wanted (a tensor, sequence or dict); all leaves if
            None.

    Raises:
        RuntimeError: if a tensor requires no gradient, a first gradient is missing or has another
            shape than its tensor, or the graph has been freed.

    Example::

        >>> x = rl.tensor([1., 2.], requires_grad=True)
        >>> rl.autograd.backward((x * x).sum())
        >>> x.grad
        tensor([2., 4.])
    """
    if grad_variables is not None:
        grad_tensors = _merge_old_name(grad_tensors, grad_variables)
    if create_graph:
        _warn_of_cycle()
    retain_graph = create_graph if retain_graph is None else retain_graph
    if grad_tensors is None and inputs is None:  # mostly of a loss
        run = _native.run_from_one
        if run(tensors, retain_graph, create_graph, (), True, True) is None:
            return
    targets = () if inputs is None else _as_tuple(inputs, "backward")
    if inputs is not None and not targets:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    roots = _as_tuple(tensors, "backward")
    grads = _first_gradients(roots, _spread(grad_tensors, len(roots)), False)
    _check_roots(roots)
    _native.run_backward(roots, grads, retain_graph, create_graph, targets, True, True)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of the sum of ``outputs`` with respect to ``inputs``, returned.

    Args:
        outputs: a tensor (or gradient edge), or a sequence of them, to differentiate.
        inputs: a tensor, a sequence, or a dict of tensors; no ``.grad`` is touched.
        grad_outputs: for each output, the gradient to start from, of its shape; None stands for 1
            and is allowed for outputs with one element.
        retain_graph: keep what the graph has saved, for another pass; as ``create_graph`` if None.
        create_graph: record the backward pass itself, so that it can be differentiated.
        only_inputs: deprecated; gradients are computed for ``inputs`` only.
        allow_unused: whether an input that the outputs do not depend on yields None instead of an
            error; as ``materialize_grads`` if None.
        is_grads_batched: the first dimension of each of ``grad_outputs`` numbers gradients to
            start from; the results get it too. One pass, mapped by `vmap`, computes them all.
        materialize_grads: zeros instead of None for unused inputs.

    Returns:
        A tuple with a tensor, or None, for each input; a dict if ``inputs`` is one.

    Raises:
        RuntimeError: if an output or input requires no gradient, a first gradient is missing or
            has another shape than its output, an input is unused, or the graph has been freed.

    Example::

        >>> x = rl.tensor(3., requires_grad=True)
        >>> rl.autograd.grad(x ** 2, x)
        (tensor(6.),)
    """
    unused_is_fine = _unused_is_fine(allow_unused, materialize_grads)
    if not only_inputs:
        _warn("grad(): only_inputs is deprecated and has no effect; use backward() instead")
    retain_graph = create_graph if retain_graph is None else retain_graph
    if grad_outputs is None and isinstance(inputs, rl.Tensor) and not materialize_grads:
        run = _native.run_from_one
        found = run(outputs, retain_graph, create_graph, (inputs,), unused_is_fine, False)
        if found is not NotImplemented:
            return found
    roots, targets = _as_tuple(outputs, "grad"), _as_tuple(inputs, "grad")
    if not targets:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    starts = _first_gradients(roots, _spread(grad_outputs, len(roots)), is_grads_batched)
    _check_roots(roots)
    _check_inputs(targets)
    run = _run_batched if is_grads_batched else _native.run_backward
    found = run(roots, starts, retain_graph, create_graph, targets, unused_is_fine, False)
    if materialize_grads:
        found = tuple(map(_zeros_if_none, found, targets, (create_graph,) * len(targets)))
    return dict(zip(inputs, found)) if type(inputs) is dict else found


def _unused_is_fine(allow_unused, materialize_grads):
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "grad(): expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    return materialize_grads if allow_unused is None else allow_unused


def _merge_old_name(grad_tensors, grad_variables):
    _warn("backward(): `grad_variables` is deprecated. Use `grad_tensors` instead.")
    if grad_tensors is not None:
        raise RuntimeError(
            "backward(): `grad_tensors` and `grad_variables` (deprecated) arguments both passed. "
            "Please only use `grad_tensors`."
        )
    return grad_variables


def _warn(message):
    from warnings import warn

    warn(message, FutureWarning, stacklevel=3)


def _as_tuple(tensors, function):
    if isinstance(tensors, (rl.Tensor, GradientEdge)):
        return (tensors,)
    if type(tensors) is dict:
        return tuple(tensors.values())
    if hasattr(tensors, "keys"):
        raise TypeError(
            f"`inputs` argument to `{function}()` must be a dict, not {type(tensors).__name__}. "
            "Other Mapping types are not supported."
        )
    return tuple(tensors)


def _spread(grads, count):
    if grads is None:
        return (None,) * count
    if isinstance(grads, rl.Tensor) or not hasattr(grads, "__iter__"):
        return (grads,)
    return tuple(grads)


def _warn_of_cycle():
    import warnings

    warnings.warn(
        "Using backward() with create_graph=True: each .grad holds the graph that holds its "
        "parameter, until it is set to None. autograd.grad() makes no such cycle.",
        stacklevel=4,
    )


def _check_roots(roots):
    for i, root in enumerate(roots):
        if isinstance(root, rl.Tensor) and not root.requires_grad:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )


def _check_inputs(targets):
    for target in targets:
        if not isinstance(target, (rl.Tensor, GradientEdge)):
            raise RuntimeError(
                f"all inputs have to be Tensors or GradientEdges, but got {type(target).__name__}"
            )
        if isinstance(target, rl.Tensor) and not target.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")


# ---- first gradients -------------------------------------------------------------------------


def _first_gradients(roots, grads, is_batched):
    if len(roots) != len(grads):
        raise RuntimeError(
            f"got {len(roots)} tensors and {len(grads)} gradients; give one gradient, or None, "
            "for each tensor"
        )
    return tuple(
        [
            _first_gradient(i, root, grad, is_batched)
            for i, (root, grad) in enumerate(zip(roots, grads))
        ]
    )


def _first_gradient(i, root, grad, is_batched):
    about = root if isinstance(root, rl.Tensor) else root.node._input_metadata[root.output_nr]
    if grad is None:
        return _implicit_gradient(root, about)
    if not isinstance(grad, rl.Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    shape = grad.shape[1:] if is_batched else grad.shape
    if tuple(about.shape) != tuple(shape):
        without = " (without its first dimension: is_grads_batched=True)" if is_batched else ""
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of {shape}{without} and "
            f"output[{i}] has a shape of {about.shape}."
        )
    if about.dtype.is_complex != grad.dtype.is_complex:
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same "
            f"dtype. Mismatch in dtype: grad_output[{i}] has a dtype of {grad.dtype} and "
            f"output[{i}] has a dtype of {about.dtype}."
        )
    return grad if grad.dtype == about.dtype else grad.to(about.dtype)


def _implicit_gradient(root, about):
    is_tensor = root is about
    if is_tensor and not root.requires_grad:
        return None
    if not all(size == 1 for size in about.shape):
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    if not about.dtype.is_floating_point:
        raise RuntimeError(
            f"grad can be implicitly created only for real scalar outputs but got {about.dtype}"
        )
    if is_tensor:
        return rl.ones_like(root)
    return rl.ones(tuple(about.shape), dtype=about.dtype, device=about.device)


def _run_batched(roots, starts, retain_graph, create_graph, targets, allow_unused, accumulate):
    """One pass, mapped over the first dimension of the gradients to start from."""
    from rushlight.func import vmap

    sizes = {len(start) for start in starts if start is not None}
    if len(sizes) != 1:
        raise ValueError(
            f"grad(): is_grads_batched=True needs one batch size for all grad_outputs, got {sizes}"
        )
    used = []

    def one(*grads):
        found = _native.run_backward(
            roots, grads, retain_graph, create_graph, targets, allow_unused, accumulate
        )
        used.extend([g is not None for g in found])
        return tuple([g for g in found if g is not None])

    found = iter(vmap(one, randomness="same")(*starts))
    return tuple([next(found) if is_used else None for is_used in used])


def _zeros_if_none(grad, target, requires_grad):
    if grad is not None:
        return grad
    if not isinstance(target, rl.Tensor):
        raise RuntimeError(
            "materialize_grads cannot be used when the given input is a GradientEdge"
        )
    return rl.zeros_like(target, requires_grad=requires_grad)


def _profiler_enabled():
    from rushlight.profiler import _active

    return bool(_active)


_PROFILER = ("DeviceType", "ProfilerActivity", "ProfilerConfig", "ProfilerEvent", "ProfilerState")
_PROFILER += ("kineto_available",)


def __getattr__(name):
    from importlib import import_module

    if name in ("forward_ad", "functional", "profiler", "profiler_types"):
        return import_module(f"rushlight.autograd.{name}")
    if name in _PROFILER:
        return getattr(import_module("rushlight.autograd.profiler_types"), name)
    from rushlight._removed import absent

    raise absent("rushlight.autograd", name)
