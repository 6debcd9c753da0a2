"""What packages ask of PyTorch's compiler by its private name; see `rushlight.compiler`."""

from types import SimpleNamespace

from rushlight.compiler import allow_in_graph, assume_constant_result, disable, reset
from rushlight.compiler import as_compiled as _as_compiled
from rushlight.compiler import is_compiling, list_backends, substitute_in_graph

from . import exc, utils
from .eval_frame import OptimizedModule

__all__ = [
    "OptimizedModule", "allow_in_graph", "assume_constant_result", "config", "disable",
    "exc", "explain", "forbid_in_graph", "graph_break", "is_compiling", "list_backends",
    "mark_dynamic", "mark_static", "mark_static_address", "maybe_mark_dynamic", "mark_unbacked",
    "optimize", "reset", "run", "substitute_in_graph", "utils",
]  # fmt: skip

#: settings of the compiler: they are kept, and there is nothing that reads them
config = SimpleNamespace(
    suppress_errors=False, cache_size_limit=8, recompile_limit=8, verbose=False,
    accumulated_cache_size_limit=256, accumulated_recompile_limit=256, dynamic_shapes=True,
    assume_static_by_default=True, automatic_dynamic_shapes=True, capture_scalar_outputs=False,
    capture_dynamic_output_shape_ops=False, optimize_ddp=True, inline_inbuilt_nn_modules=True,
    allow_unspec_int_on_nn_module=False, compiled_autograd=False,
    force_parameter_static_shapes=True,
)  # fmt: skip


def optimize(backend="inductor", *, nopython=False, guard_export_fn=None, disable=False, **how):
    """A decorator that compiles; nothing is compiled (see `rushlight.compile`)."""
    return _as_compiled


def run(fn=None):
    """The function without compiling anything new: itself."""
    return fn if fn is not None else run


def forbid_in_graph(fn):
    """Decorator: refuse to compile a function. Nothing is compiled; the function itself."""
    return fn


def graph_break(msg=""):
    """Where compiled code would be cut in two."""


def mark_dynamic(t, index, *, hint_override=None, min=None, max=None, specialize_on=None):  # noqa: A002
    """Tells the compiler that sizes change: there is nothing to tell."""


def maybe_mark_dynamic(t, index):
    """Tells the compiler that sizes may change."""


def mark_static(t, index=None):
    """Tells the compiler that sizes do not change."""


def mark_unbacked(t, index, hint_override=None, strict=False, specialize_on=None):
    """Tells the compiler that sizes depend on values."""


def mark_static_address(t, guard=False):
    """Tells the compiler that the memory stays where it is."""


def explain(f, *extra_args, **extra_kwargs):
    """Raises NotImplementedError: nothing is compiled that could be explained."""
    raise NotImplementedError("torch._dynamo.explain: rushlight does not compile functions")
