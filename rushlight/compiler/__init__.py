"""`compile` and `torch.compiler`: programs that ask to be compiled run as they are, eagerly.

Results are the same. `compile` says once that it does not compile; the rest of this module are
switches of the compiler, which have nothing to switch.
"""

import functools
from contextlib import contextmanager

import rushlight as rl
from rushlight._notes import note

__all__ = [
    "allow_in_graph",
    "assume_constant_result",
    "compile",
    "cudagraph_mark_step_begin",
    "CacheInfo",
    "disable",
    "get_default_backend",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "keep_portable_guards_unsafe",
    "keep_tensor_guards_unsafe",
    "list_backends",
    "load_cache_artifacts",
    "load_compiled_function",
    "nested_compile_region",
    "reset",
    "save_cache_artifacts",
    "set_default_backend",
    "set_enable_guard_collectives",
    "set_stance",
    "skip_all_guards_unsafe",
    "skip_guard_on_all_nn_modules_unsafe",
    "skip_guard_on_globals_unsafe",
    "skip_guard_on_inbuilt_nn_modules_unsafe",
    "substitute_in_graph",
    "wrap_numpy",
]

#: names that `compile` takes: those that PyTorch knows by itself
_BACKENDS = {
    "aot_eager", "aot_eager_decomp_partition", "aot_eager_default_partitioner", "aot_ts",
    "cudagraphs", "eager", "eager_debug", "eager_noexcept", "inductor", "invoke_subgraph",
    "openxla", "openxla_eval", "pre_dispatch_eager", "ts", "tvm",
}  # fmt: skip

_MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile(  # noqa: A001
    model=None,
    *,
    fullgraph=False,
    dynamic=None,
    backend=None,
    mode=None,
    options=None,
    disable=False,
    **recipe,
):
    """A function or module that computes what the given one does. It is not compiled.

    Args:
        model: a function or a module; without it, returns a decorator. A module is wrapped in one
            whose state dict has the prefix ``_orig_mod.``, as with PyTorch.
        fullgraph, dynamic, backend, options: how it would be compiled.
        mode: how it would be compiled; only ``mode`` or ``options`` may be given.
        disable: return the module or function itself.

    Raises:
        RuntimeError: for an unknown mode, or both ``mode`` and ``options``.
        InvalidBackend: for the name of a backend that PyTorch does not have.
        AssertionError: for what cannot be called.

    Example::

        >>> rl.compile(lambda x: x + 1, disable=True)(rl.ones(1))
        tensor([2.])
    """
    if mode is not None and options is not None:
        raise RuntimeError("compile: give either mode or options, not both")
    if mode not in _MODES:
        raise RuntimeError(f"compile: unknown mode {mode!r}; expected one of {_MODES[1:]}")
    if model is None:
        return functools.partial(
            compile, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
            options=options, disable=disable,
        )  # fmt: skip
    if not callable(model):
        raise AssertionError(
            f"compile: a callable function is expected, but {type(model)} is provided"
        )
    if isinstance(backend, str) and backend not in _BACKENDS:
        from rushlight._dynamo.exc import InvalidBackend

        raise InvalidBackend(backend)
    if disable:
        return model
    note("compile", "torch.compile: rushlight runs this eagerly, without compiling it", 3)
    return as_compiled(model)


def as_compiled(model):
    """The wrapper that `compile` returns."""
    if isinstance(model, rl.nn.Module):
        from rushlight._dynamo import OptimizedModule

        return OptimizedModule(model)

    @functools.wraps(model)
    def compiled(*args, **kwargs):
        return model(*args, **kwargs)

    compiled._torchdynamo_orig_callable = model
    compiled.get_compiler_config = lambda: None
    return compiled


def disable(fn=None, recursive=True, *, reason=None):
    """Decorator: never compile a function. Nothing is compiled; the function itself.

    Example::

        >>> @rl.compiler.disable
        ... def f(x):
        ...     return x
        >>> f(3)
        3
    """
    if fn is None:
        return lambda function: function
    return fn


def allow_in_graph(fn):
    """Decorator: do not look into a function while compiling. The function (or list) itself."""
    functions = fn if isinstance(fn, (list, tuple)) else [fn]
    for function in functions:
        if not callable(function):
            raise AssertionError(f"allow_in_graph: expected a function, got {function!r}")
    return fn


def assume_constant_result(fn):
    """Decorator: a function's result never changes. The function itself."""
    return fn


def nested_compile_region(fn=None):
    """Decorator: compile a function once for all its places. The function itself."""
    return fn if fn is not None else nested_compile_region


def substitute_in_graph(
    original_fn, *, can_constant_fold_through=False, skip_signature_check=False
):
    """Decorator: what to compile instead of a function. The decorated function itself."""
    return lambda function: function


def wrap_numpy(fn):
    """A function of arrays as one of tensors.

    Example::

        >>> rl.compiler.wrap_numpy(lambda x: x.sum())(rl.ones(3))
        tensor(3.)
    """
    from rushlight.utils._pytree import tree_map

    @functools.wraps(fn)
    def wrapped(*args, **kwargs):
        args, kwargs = tree_map(_as_array, (args, kwargs))
        return tree_map(_as_tensor, fn(*args, **kwargs))

    return wrapped


def _as_array(value):
    return value.numpy() if isinstance(value, rl.Tensor) else value


def _as_tensor(value):
    import numpy

    return rl.as_tensor(value) if isinstance(value, (numpy.ndarray, numpy.generic)) else value


def is_compiling():
    """Is this code being compiled? False.

    Example::

        >>> rl.compiler.is_compiling()
        False
    """
    return False


def is_dynamo_compiling():
    """Is this code being compiled? False."""
    return False


def is_exporting():
    """Is this code being exported? False."""
    return False


def list_backends(exclude_tags=("debug", "experimental")):
    """The compilers that there are: none."""
    return []


def reset():
    """Forgets what has been compiled: nothing has."""


def cudagraph_mark_step_begin():
    """Marks the beginning of a step for recordings on a GPU: there are none."""


def set_enable_guard_collectives(enabled):
    """Whether processes compile together; returns the last value. Nothing is compiled."""
    before, _state["collectives"] = _state["collectives"], enabled
    return before


_state = {"collectives": False, "stance": "default", "backend": "inductor"}


def get_default_backend():
    """The compiler that `compile` would use where it is given none.

    Example::

        >>> rl.compiler.get_default_backend()
        'inductor'
    """
    return _state["backend"]


def set_default_backend(backend):
    """Names the compiler of `get_default_backend`; None for the first one, "inductor".

    Raises:
        TypeError: if it is no name, no function and not None.
    """
    if backend is not None and not isinstance(backend, str) and not callable(backend):
        raise TypeError(
            "set_default_backend: expected a name, a function or None, got "
            f"{type(backend).__name__}"
        )
    _state["backend"] = "inductor" if backend is None else backend


_STANCES = ("default", "force_eager", "eager_on_recompile", "fail_on_recompile",
            "eager_then_compile", "aot_eager_then_compile")  # fmt: skip


def set_stance(stance="default", *, skip_guard_eval_unsafe=False, force_backend=None):
    """When to compile: takes effect at once, and until the end of a ``with``. All mean never.

    Raises:
        RuntimeError: for an unknown stance.
    """
    if stance not in _STANCES:
        raise RuntimeError(f"set_stance: unknown stance {stance!r}; expected one of {_STANCES}")
    before, _state["stance"] = _state["stance"], stance
    return _restored(before)


@contextmanager
def _restored(before):
    try:
        yield
    finally:
        _state["stance"] = before


from ._artifacts import (  # noqa: E402
    CacheInfo,
    keep_portable_guards_unsafe,
    keep_tensor_guards_unsafe,
    load_cache_artifacts,
    load_compiled_function,
    save_cache_artifacts,
    skip_all_guards_unsafe,
    skip_guard_on_all_nn_modules_unsafe,
    skip_guard_on_globals_unsafe,
    skip_guard_on_inbuilt_nn_modules_unsafe,
)
