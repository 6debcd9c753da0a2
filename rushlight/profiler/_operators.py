"""``torch.ops.profiler``: the beginning and the end of a named part of a program as operators.

Graphs of `rushlight.fx` can hold them, where they hold no ``with record_function(...)``.
"""

from rushlight.fx.node import has_side_effect
from rushlight.library import Library
from rushlight.library._operator import namespaces

from . import record_function

_library = Library("profiler", "DEF")


def _enter(name, args=None):
    return record_function(name, args).__enter__()


def _exit(handle):
    if not isinstance(handle, record_function):
        raise RuntimeError(
            "profiler::_record_function_exit: expected what _record_function_enter gave, got "
            f"{type(handle).__name__}"
        )
    handle.__exit__(None, None, None)


for _schema, _kernel in (
    ("_record_function_enter(str name, str? args=None) -> Tensor", _enter),
    ("_record_function_enter_new(str name, str? args=None) -> Tensor", _enter),
    ("_record_function_exit(Any handle) -> ()", _exit),
):
    _name = _library.define(_schema)
    _library.impl(_name, _kernel, "CompositeExplicitAutograd")
    _packet = namespaces["profiler"][_name.rpartition("::")[2]]
    has_side_effect(_packet)
    has_side_effect(_packet.default)
