"""Linear algebra, and some methods, by their names of PyTorch 0.3, since given up: `gesv`, `potrf`,
`btrifact` ...

Each computes what it did, and says once what it is called now. Offered as functions of `torch`, and
as methods where this package stands in for PyTorch. To add one: a function in `_NAMES`.
"""

import rushlight as rl
from rushlight._notes import note


def _gesv(B, A):
    """``(X, LU)``: the solution of ``A X = B``, and the factors of A."""
    return rl.linalg.solve(A, B), rl.linalg.lu_factor(A)[0]


def _gels(B, A):
    """``(X, QR)``: the least-squares solution of ``A X = B``, and the factors of A."""
    return rl.linalg.lstsq(A, B).solution, rl.geqrf(A)[0]


def _potrf(a, upper=True):
    """The Cholesky factor, by default the upper one."""
    return rl.linalg.cholesky(a, upper=upper)


def _potri(u, upper=True):
    """The inverse of a matrix given by its Cholesky factor."""
    return rl.cholesky_inverse(u, upper=upper)


def _potrs(b, u, upper=True):
    """The solution for a matrix given by its Cholesky factor."""
    return rl.cholesky_solve(b, u, upper=upper)


def _trtrs(b, A, upper=True, transpose=False, unitriangular=False):
    """``(X, A)``: the solution for a triangular matrix."""
    return tuple(rl.triangular_solve(b, A, upper, transpose, unitriangular))


def _btrifact(A, info=None, pivot=True):
    """``(LU, pivots)`` of a batch of matrices; ``info``, if given, becomes zeros."""
    if info is not None:
        info.resize_(A.shape[:-2]).zero_()
    return tuple(rl.linalg.lu_factor(A, pivot=pivot))


def _btrisolve(b, LU_data, LU_pivots):
    """The solutions for a batch of matrices given by `btrifact`, and of vectors."""
    return rl.linalg.lu_solve(LU_data, LU_pivots, b.unsqueeze(-1)).squeeze(-1)


def _pstrf(*args, **kwargs):
    """Removed from PyTorch: use torch.linalg.cholesky for positive definite matrices."""
    raise RuntimeError(
        "torch.pstrf has been removed from PyTorch, and nothing takes its place; for positive "
        "definite matrices use torch.linalg.cholesky"
    )


_NAMES = {
    "gesv": (_gesv, "torch.linalg.solve(A, B)"),
    "gels": (_gels, "torch.linalg.lstsq(A, B)"),
    "potrf": (_potrf, "torch.linalg.cholesky(a, upper=True)"),
    "potri": (_potri, "torch.cholesky_inverse(u, upper=True)"),
    "potrs": (_potrs, "torch.cholesky_solve(b, u, upper=True)"),
    "trtrs": (_trtrs, "torch.linalg.solve_triangular(A, b, upper=True)"),
    "btrifact": (_btrifact, "torch.linalg.lu_factor(A)"),
    "btrisolve": (_btrisolve, "torch.linalg.lu_solve(LU, pivots, b)"),
    "pstrf": (_pstrf, "torch.linalg.cholesky"),
}


def _noted(name, function, now):
    def early(*args, **kwargs):
        note(name, f"torch.{name} is no longer in PyTorch; it is {now} now")
        return function(*args, **kwargs)

    early.__name__ = early.__qualname__ = name
    early.__doc__ = function.__doc__
    return early


globals().update({name: _noted(name, *entry) for name, entry in _NAMES.items()})


def _spadd(self, *value_and_other):
    """``self + value * other``; a value that is left out is 1."""
    *value, other = value_and_other
    return rl.add(self, other, alpha=value[0] if value else 1)


#: methods only
_METHODS = {
    "masked_copy_": (lambda self, mask, x: self.masked_scatter_(mask, x), "Tensor.masked_scatter_"),
    "resizeAs_": (lambda self, other: self.resize_as_sparse_(other), "Tensor.resize_as_sparse_"),
    "spadd": (_spadd, "torch.add"),
    "spmm": (lambda self, other: rl.sparse.mm(self, other), "torch.sparse.mm"),
    "sspmm": (lambda self, other: rl.sparse.mm(self, other.to_sparse()), "torch.sparse.mm"),
    "toDense": (lambda self: self.to_dense(), "Tensor.to_dense"),
}


def install_methods():
    """Gives tensors the methods of these names."""
    for name in _NAMES:
        setattr(rl.Tensor, name, globals()[name])
    for name, entry in _METHODS.items():
        setattr(rl.Tensor, name, _noted(name, *entry))
