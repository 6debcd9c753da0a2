"""Optimizers: they change parameters by their gradients.

One file per optimizer, all on the loop in `optimizer.py`.  The less common ones, learning-rate
schedules and weight averaging load on first use; a new optimizer is added to `_LAZY`.
"""

from .adam import Adam as Adam, AdamW as AdamW
from .optimizer import Optimizer as Optimizer
from .sgd import SGD as SGD

_LAZY = {
    "ASGD": "asgd",
    "Adadelta": "adadelta",
    "Adafactor": "_adafactor",
    "Adagrad": "adagrad",
    "Adamax": "adamax",
    "LBFGS": "lbfgs",
    "Muon": "_muon",
    "NAdam": "nadam",
    "RAdam": "radam",
    "RMSprop": "rmsprop",
    "Rprop": "rprop",
    "SparseAdam": "sparse_adam",
    "swap_in_optimizer_params_and_state": "_stateless",
}
__all__ = ["Adam", "AdamW", "Optimizer", "SGD", *_LAZY, "lr_scheduler", "swa_utils"]
_SUBMODULES = frozenset(("adamw", "lr_scheduler", "swa_utils", *_LAZY.values()))


def __getattr__(name):
    from importlib import import_module

    if name in _LAZY:
        value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_LAZY, *_SUBMODULES})
