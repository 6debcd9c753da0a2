"""PyTorch's ``torch.jit``: `trace` records the ops of a run and replays them; `script` runs Python.

Tracing is in `_trace.py`; script functions and modules, which keep PyTorch's interface and run as
Python, in `_script.py`; files in `_files.py`. Decorators that steer the compiler are here: without
a compiler they leave a function as it is.
"""

import typing
from contextlib import contextmanager
from typing import Final

from rushlight.futures import Future, fork, wait

from ._files import load, save
from ._errors import Error
from ._script import (
    CompilationUnit,
    RecursiveScriptModule,
    ScriptFunction,
    ScriptModule,
    interface,
    script,
    script_method,
)
from ._trace import (
    TopLevelTracedModule,
    TracedModule,
    TracerWarning,
    TracingCheckError,
    is_tracing,
    script_if_tracing,
    trace,
    trace_module,
)

__all__ = [
    "Attribute", "CompilationUnit", "Error", "Final", "Future", "RecursiveScriptModule",
    "ScriptFunction", "ScriptModule", "TopLevelTracedModule", "TracedModule", "TracerWarning",
    "TracingCheckError", "annotate", "enable_onednn_fusion", "export", "fork", "freeze", "fuser",
    "ignore", "interface", "is_scripting", "is_tracing", "isinstance",
    "last_executed_optimized_graph", "load", "onednn_fusion_enabled", "optimize_for_inference",
    "optimized_execution", "save",
    "script", "script_if_tracing", "script_method", "set_fusion_strategy", "strict_fusion", "trace",
    "trace_module", "unused", "wait",
]  # fmt: skip

_builtin_isinstance = isinstance
_script_if_tracing = script_if_tracing


class Attribute(typing.NamedTuple):
    """A value with its type: in a script module's `__init__`, the value is what counts."""

    value: object
    type: object  # noqa: A003


def is_scripting():
    """Is this code being compiled? False: script functions run as Python.

    Example::

        >>> rl.jit.is_scripting()
        False
    """
    return False


def annotate(the_type, the_value):
    """The value."""
    return the_value


def isinstance(obj, target_type):  # noqa: A001
    """`isinstance` that knows ``List[int]``, ``Dict[str, Tensor]``, ``Optional[...]`` and unions.

    Example::

        >>> from typing import List
        >>> rl.jit.isinstance([1, 2], List[int]), rl.jit.isinstance(["a"], List[int])
        (True, False)
    """
    if _builtin_isinstance(target_type, tuple):
        return any(isinstance(obj, kind) for kind in target_type)
    origin, arguments = typing.get_origin(target_type), typing.get_args(target_type)
    if origin is None:
        kind = type(None) if target_type is None else target_type
        return kind is typing.Any or _builtin_isinstance(obj, kind)
    if origin in (list, set, frozenset):
        return _builtin_isinstance(obj, origin) and all(isinstance(x, arguments[0]) for x in obj)
    if origin is tuple:
        fits = _builtin_isinstance(obj, tuple) and len(obj) == len(arguments)
        return fits and all(isinstance(x, kind) for x, kind in zip(obj, arguments))
    if origin is dict:
        return _builtin_isinstance(obj, dict) and all(
            isinstance(key, arguments[0]) and isinstance(value, arguments[1])
            for key, value in obj.items()
        )
    return any(isinstance(obj, kind) for kind in arguments)  # unions


def ignore(drop=False, **kwargs):
    """Decorator: leave a function to Python. The function itself."""
    if callable(drop):
        return drop
    return lambda function: function


def unused(fn):
    """Decorator: a function that scripted code must not call. The function itself."""
    return fn


def export(fn):
    """Decorator: compile a method besides ``forward``. The method itself."""
    return fn


def _overload(func):
    """Decorator: one of several signatures. The function itself."""
    return func


_overload_method = _overload


def freeze(mod, preserved_attrs=None, optimize_numerics=True):
    """A copy of a script or traced module for inference: its parameters are constants, which take
    no gradient.

    Raises:
        RuntimeError: if it is no script module, or in training mode.
    """
    if not _builtin_isinstance(mod, ScriptModule):
        raise RuntimeError(
            "Freezing expects a ScriptModule as input. Please use torch.jit.script or "
            "torch.jit.trace to script your 'nn.Module'."
        )
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() "
            "on your module before freezing."
        )
    from copy import deepcopy

    return deepcopy(mod).requires_grad_(False)


def optimize_for_inference(mod, other_methods=None):
    """As `freeze`, of a module that is put in eval mode."""
    return freeze(mod.eval() if not mod.training else mod)


def run_frozen_optimizations(mod, optimize_numerics=True, preserved_methods=None):
    """Rewrites a module for speed: it stays as it is."""


def set_fusion_strategy(strategy):
    """How code would be compiled: nothing is. Returns the last one."""
    before, _state["strategy"] = _state["strategy"], list(strategy)
    return before


_state = {"strategy": [("STATIC", 2), ("DYNAMIC", 10)], "onednn": False}


def enable_onednn_fusion(enabled):
    """Whether compiled code would use oneDNN: nothing is compiled."""
    _state["onednn"] = bool(enabled)


def onednn_fusion_enabled():
    """What `enable_onednn_fusion` was last told."""
    return _state["onednn"]


def last_executed_optimized_graph():
    """Raises NotImplementedError: nothing is compiled."""
    raise NotImplementedError("last_executed_optimized_graph: rushlight compiles no functions")


@contextmanager
def optimized_execution(should_optimize):
    """``with``: whether to compile. Nothing is compiled."""
    yield


@contextmanager
def fuser(name):
    """``with``: what to compile with. Nothing is compiled."""
    yield


class strict_fusion:
    """``with``: insist on fused code. Nothing is compiled, and nothing is insisted on."""

    def __enter__(self):
        return None

    def __exit__(self, *exception):
        return None


def __getattr__(name):
    if name == "annotations":
        from importlib import import_module

        return import_module(f"{__name__}.annotations")
    from rushlight._removed import absent

    raise absent(__name__, name)
