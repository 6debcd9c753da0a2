"""The package ``functorch``: `torch.func` under its first names, each of which warns.

Programs find it as ``import functorch`` (see `_as_torch`).
"""

import functools
import warnings

import rushlight as rl
from rushlight._functorch import make_functional as _modules
from rushlight._functorch.make_functional import (  # noqa: F401
    FunctionalModule,
    FunctionalModuleWithBuffers,
)

__version__ = rl.__version__
_OF_FUNC = "functionalize grad grad_and_value hessian jacfwd jacrev jvp vjp vmap"
_REPLACED = {
    "combine_state_for_ensemble": "torch.func.stack_module_state",
    "make_functional": "torch.func.functional_call",
    "make_functional_with_buffers": "torch.func.functional_call",
}


def _warning(function, new_name):
    name = function.__name__

    @functools.wraps(function)
    def warned(*args, **kwargs):
        warnings.warn(
            "We've integrated functorch into PyTorch. As the final step of the integration, "
            f"`functorch.{name}` is deprecated as of PyTorch 2.0 and will be deleted in a future "
            f"version of PyTorch >= 2.3. Please use `{new_name}` instead; see "
            "https://pytorch.org/docs/main/func.migrating.html",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    return warned


for _name in _OF_FUNC.split():
    globals()[_name] = _warning(getattr(rl.func, _name), f"torch.func.{_name}")
for _name, _new in _REPLACED.items():
    globals()[_name] = _warning(getattr(_modules, _name), _new)

__all__ = [*_OF_FUNC.split(), *_REPLACED, "FunctionalModule", "FunctionalModuleWithBuffers"]
