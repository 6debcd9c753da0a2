"""The table of models by name, and what becomes of `weights=`.

A builder is a function decorated with `register_model`; it sees neither `weights` nor `progress`.
"""

import fnmatch
import functools
import inspect

from ._weights import refuse

__all__ = ["get_model", "get_model_builder", "list_models"]

_BUILDERS = {}


def register_model(name=None):
    """Decorator: makes a builder known under its own name or `name`.

    The builder gets two keyword arguments more: `weights`, which must be None (RuntimeError), and
    `progress`, torchvision's progress bar of the download that never happens.
    """

    def register(build):
        key = name or build.__name__

        @functools.wraps(build)
        def builder(*, weights=None, progress=True, **kwargs):
            refuse(key, weights, kwargs)
            return build(**kwargs)

        extra = [
            inspect.Parameter("weights", inspect.Parameter.KEYWORD_ONLY, default=None),
            inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=True),
        ]
        own = list(inspect.signature(build).parameters.values())
        builder.__signature__ = inspect.Signature(extra + own)
        _BUILDERS[key] = builder
        return builder

    return register


def _named(name, build):
    return lambda **kwargs: build(name, kwargs)


def define_models(names, build, what, namespace):
    """Registers a builder `name(**kwargs)` for each name: `build(name, kwargs)`.

    They are put into the module's `namespace` and its `__all__`; `what` ends their docstrings.
    """
    for name in names:
        builder = _named(name, build)

        builder.__name__ = builder.__qualname__ = name
        builder.__module__ = namespace["__name__"]
        builder.__doc__ = f"`{name}`: {what}."
        namespace[name] = register_model()(builder)
        namespace["__all__"].append(name)


def list_models(module=None, include=None, exclude=None):
    """Sorted names of the models, of one module or all.

    Args:
        include, exclude: shell patterns, one or several.

    Example::

        >>> from rushlight.vision import models
        >>> models.list_models(include="resnet1*")
        ['resnet101', 'resnet152', 'resnet18']
    """
    names = {n for n, b in _BUILDERS.items() if module is None or b.__module__ == module.__name__}
    if include:
        names = {n for n in names if _matches(n, include)}
    if exclude:
        names = {n for n in names if not _matches(n, exclude)}
    return sorted(names)


def _matches(name, patterns):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def get_model_builder(name):
    """The function that builds the model `name` (in any case); ValueError if there is none."""
    builder = _BUILDERS.get(name.lower())
    if builder is None:
        raise ValueError(f"Unknown model {name}; list_models() names the known ones")
    return builder


def get_model(name, **config):
    """The model `name`, built with the keyword arguments `config`."""
    return get_model_builder(name)(**config)
