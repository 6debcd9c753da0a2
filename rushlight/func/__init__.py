"""Function transforms, composable in any order: PyTorch's ``torch.func``.

`tape` has reverse mode, `forward` and `jacobian` forward mode and whole derivatives, `vmap`,
`batching` and the rules batches; `levels` is what they share. `modules` has what makes modules
functions, `rearrange` named dimensions, `evaluate` what is left.
"""

from rushlight.func import drawing as _drawing  # noqa: F401 - they register themselves
from rushlight.func import indexing as _indexing  # noqa: F401
from rushlight.func.evaluate import debug_unwrap, functionalize
from rushlight.func.jacobian import hessian, jacfwd, jacrev, jvp
from rushlight.func.modules import (
    functional_call,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from rushlight.func.rearrange import rearrange
from rushlight.func.tape import grad, grad_and_value, linearize, vjp
from rushlight.func.vmap import vmap

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
