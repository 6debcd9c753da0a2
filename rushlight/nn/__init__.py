"""Neural networks: parameters, layers, losses, initial values, and functions of them.

Layers are in `modules/`, functions without state in `functional.py`, tools in `utils/`.
"""

from .parameter import (
    Buffer as Buffer,
    Parameter as Parameter,
    UninitializedBuffer as UninitializedBuffer,
    UninitializedParameter as UninitializedParameter,
)
from . import functional as functional, init as init
from . import modules as modules
from .modules import *  # noqa: F403

_SUBMODULES = ("attention", "common_types", "grad", "parallel", "utils")


def factory_kwargs(kwargs):
    """The `device`, `dtype` and `memory_format` among `kwargs`, those in its `factory_kwargs` too.

    Raises TypeError for other names and for one given in both places.
    """
    if kwargs is None:
        return {}
    simple = {"device", "dtype", "memory_format"}
    unknown = kwargs.keys() - simple - {"factory_kwargs"}
    if unknown:
        raise TypeError(f"unexpected kwargs {unknown}")
    inner = kwargs.get("factory_kwargs", {})
    result = dict(inner)
    for name in simple & kwargs.keys():
        if name in result:
            raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
        result[name] = kwargs[name]
    return result


functional.sys.modules[__name__].__class__ = functional._native.module


def __getattr__(name):
    if name in _SUBMODULES:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    if name == "DataParallel":
        from .parallel import DataParallel

        return DataParallel
    if name in modules._LAZY:
        return getattr(modules, name)
    from rushlight._removed import absent

    raise absent(__name__, name)


def __dir__():
    return sorted({*globals(), *_SUBMODULES, *modules._LAZY, "DataParallel"})
