"""Functions that PyTorch has removed and still names, to say what to use instead: each raises.

To add one: a line in `_REMOVED`.
"""

_REMOVED = {
    "eig": "torch.linalg.eig, which returns complex values, or torch.linalg.eigvals",
    "lstsq": "torch.linalg.lstsq, which takes its arguments in the other order",
    "matrix_rank": "torch.linalg.matrix_rank, where symmetric= is hermitian=",
    "solve": "torch.linalg.solve, which takes its arguments in the other order; torch.lu_factor "
    "gives the factorisation",
    "symeig": "torch.linalg.eigh or torch.linalg.eigvalsh, which by default read the lower "
    "triangle",
}


def _raiser(name, instead):
    def removed(*args, **kwargs):
        raise RuntimeError(f"torch.{name} has been removed from PyTorch. Use {instead}.")

    removed.__name__ = removed.__qualname__ = name
    removed.__doc__ = f"Removed from PyTorch: use {instead}."
    return removed


functions = {name: _raiser(name, instead) for name, instead in _REMOVED.items()}
