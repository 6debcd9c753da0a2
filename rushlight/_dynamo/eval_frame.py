"""`OptimizedModule`: what `rl.compile` makes of a module."""

from rushlight.compiler import as_compiled
from rushlight.nn.modules.module import Module

__all__ = ["OptimizedModule"]


class OptimizedModule(Module):
    """Calls the module ``_orig_mod``; attributes are those of that module.

    Its parameters are named ``_orig_mod.*``, as state dicts of PyTorch's class are.

    Attributes:
        dynamo_ctx: what compiles functions of the module; as nothing is compiled, it wraps them.
    """

    def __init__(self, mod, dynamo_ctx=None):
        super().__init__()
        self._orig_mod = mod
        self.dynamo_ctx = as_compiled if dynamo_ctx is None else dynamo_ctx
        self.training = mod.training

    def __reduce__(self):
        return type(self), (self._orig_mod, self.dynamo_ctx)

    def forward(self, *args, **kwargs):
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name):
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name, value):
        if name == "_orig_mod" or name in _OWN or name not in _delegated(self):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __dir__(self):
        return sorted({*super().__dir__(), *dir(self._orig_mod)})


_OWN = frozenset({"training", "dynamo_ctx"})


def _delegated(module):
    """What a user sets on the wrapped module: its parameters, buffers, modules and attributes."""
    original = module.__dict__.get("_modules", {}).get("_orig_mod")
    if original is None:
        return ()
    own = module.__dict__
    return {
        *original._parameters,
        *original._buffers,
        *original._modules,
        *(name for name in original.__dict__ if name not in own),
    }
