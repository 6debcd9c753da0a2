"""Private names of ``torch.jit`` that packages touch."""

from rushlight.futures import Future  # noqa: F401
from rushlight.jit import (  # noqa: F401
    Final,
    _overload,
    _overload_method,
    export,
    ignore,
    is_scripting,
    unused,
)
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar, Union  # noqa: F401, UP035

T = TypeVar("T")
BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = List  # noqa: UP006


def _copy_to_script_wrapper(fn):
    """Decorator: the function itself."""
    return fn


def boolean_dispatch(arg_name, arg_index, default, if_true, if_false, module_name, func_name):
    """A function that calls one of two by the value of an argument."""

    def dispatched(*args, **kwargs):
        given = args[arg_index] if len(args) > arg_index else kwargs.get(arg_name, default)
        return (if_true if given else if_false)(*args, **kwargs)

    return dispatched


def is_tracing():
    """Is a function being traced?"""
    from rushlight.jit import is_tracing as tracing

    return tracing()
