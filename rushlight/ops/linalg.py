"""Records of linear algebra over batches of square matrices: inverses, solving, determinants.

The work is done by the kernels of csrc/kernels/lapack_*.cpp, which are the internal ops here;
the public ops check and broadcast. Factorisations are in linalg_factor.py and lu.py, other solvers
in linalg_solve.py, norms and what is built from all of these in linalg_derived.py, products in
matmul.py. To add one: a record over an internal op, which carries the gradient.
"""

import rushlight as rl
from rushlight import _native
from rushlight.ops._decisions import every, recording
from rushlight.ops._record import namespaces, op

LinAlgError = _native.LinAlgError
namespaces.setdefault("linalg", {})["LinAlgError"] = LinAlgError


# ---- what the families share


def _check_matrix(name, a, square=True):
    if a.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if square and a.size(-1) != a.size(-2):
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are "
            f"{a.size(-2)} by {a.size(-1)} matrices"
        )
    _check_dtype(name, a)


def _check_dtype(name, a):
    if not (a.is_floating_point() or a.is_complex()):
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {a.dtype}"
        )
    if a.dtype in (rl.float16, rl.bfloat16, rl.complex32):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {a.dtype}")


def _check_same_dtype(name, a, b):
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {a.dtype} "
            f"and B of type {b.dtype} instead"
        )


def _check_equation(name, a, b, left):
    if b.size(-2 if left else -1) != a.size(-1 if left else -2):
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {equation} "
            f"({a.size(-2)}x{a.size(-1)} and {b.size(-2)}x{b.size(-1)})"
        )


def _is_vectors(A, B):
    """Is the right-hand side B of A X = B a batch of vectors, or one?"""
    return B.dim() == 1 or (B.dim() == A.dim() - 1 and B.shape == A.shape[:-1])


def _equal_batches(*tensors):
    """The tensors with their batch dimensions broadcast against each other."""
    batches = [t.shape[:-2] for t in tensors]
    if batches.count(batches[0]) == len(batches):
        return list(tensors)
    batch = rl.broadcast_shapes(*batches)
    return [t if t.shape[:-2] == batch else t.expand(*batch, *t.shape[-2:]) for t in tensors]


def _h(a):
    """The conjugate transpose."""
    return a.mT.conj() if a.is_complex() else a.mT


def _conj(a):
    return a.conj() if a.is_complex() else a


def _real(a):
    return a.real if a.is_complex() else a


# ---- inverses


@op(
    "inverse_matrix(Tensor A, str check) -> (Tensor inverse, Tensor info)",
    at="internal",
    out=False,
    grad_name="LinalgInvExBackward0",
)
def _inverse(A, check):
    """The inverse and its error code (internal; see `inv`)."""
    ...


@_inverse.vjp_all
def _(given, needs, inverse):
    g = given[0]
    return None if g is None else -(_h(inverse) @ g @ _h(inverse)), None


@op("inv(Tensor A) -> Tensor", at="linalg", out="exact")
def inv(A):
    """The inverse of square matrices (*, n, n). Raises LinAlgError if one is singular.

    Example:
        >>> rl.linalg.inv(rl.tensor([[2., 0.], [0., 4.]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    _check_matrix("linalg.inv", A)
    return _inverse(A, "linalg.inv")[0]


@op("inverse(Tensor self) -> Tensor", out="exact")
def _(self):
    """Another name of `torch.linalg.inv`.

    Example::

        >>> rl.inverse(rl.tensor([[2., 0.], [0., 4.]])).tolist()
        [[0.5, 0.0], [0.0, 0.25]]
    """
    return inv(self)


@op(
    "inv_ex(Tensor A, *, bool check_errors=False) -> (Tensor inverse, Tensor info)",
    at="linalg",
    out="exact",
)
def _(A, check_errors=False):
    """`inv` with an error code for each matrix: the position of the first zero pivot, from 1, or 0.

    The inverse of a singular matrix is not finite; with ``check_errors`` it raises LinAlgError.

    Example::

        >>> rl.linalg.inv_ex(rl.eye(2)).info
        tensor(0, dtype=torch.int32)
    """
    _check_matrix("linalg.inv", A)
    return tuple(_inverse(A, "linalg.inv_ex" if check_errors else ""))


# ---- solving


@op(
    "solve_matrix(Tensor A, Tensor B, bool left, str check)"
    " -> (Tensor X, Tensor LU, Tensor pivots, Tensor info)",
    at="internal",
    out=False,
    grad_name="LinalgSolveExBackward0",
)
def _solve(A, B, left, check):
    """X with A X = B or X A = B, for equal batches, and the LU that was used (internal; see "
    "`solve`)."""
    ...


@_solve.vjp_all
def _(given, needs, A, X, LU, pivots, left):
    g = given[0]
    if g is None:
        return None, None
    if recording(A, g):
        g_b = _solve(_h(A), g, left, "")[0]
    else:
        turned = A.is_contiguous() and not A.is_complex()  # then the factors are those of A^T
        g_b = _lu_solve(LU, pivots, g, left, not turned)
    g_a = None
    if needs[0]:
        g_a = -(g_b @ _h(X)) if left else -(_h(X) @ g_b)
    return g_a, g_b


@op(
    "lu_solve_matrix(Tensor LU, Tensor pivots, Tensor B, bool left, bool adjoint) -> Tensor",
    at="internal",
    out=False,
    differentiable=False,
)
def _lu_solve(LU, pivots, B, left, adjoint):
    """X with op(A) X = B or X op(A) = B from the LU factors of A (internal; see `lu_solve`)."""
    ...


def _solution(name, A, B, left, check):
    _check_matrix(name, A)
    _check_same_dtype(name, A, B)
    vector = _is_vectors(A, B)
    if vector and not left:
        raise RuntimeError(
            f"{name}: Vector broadcasting of the left hand side is not supported for left=False. "
            f"In this case {name} is equivalent to B / A.squeeze(-1)"
        )
    right = B.unsqueeze(-1) if vector else B
    _check_equation(name, A, right, left)
    if A.dim() != right.dim() or A.shape[:-2] != right.shape[:-2]:
        A, right = _equal_batches(A, right)
    X, _, _, info = _solve(A, right, left, check)
    return X.squeeze(-1) if vector else X, info


@op(
    "solve(Tensor A, Tensor B, *, bool left=True) -> Tensor",
    at="linalg",
    grad_name="LinalgSolveExBackward0",
    out="exact",
)
def solve(A, B, left=True):
    """X with A X = B (``left=False``: X A = B), A (*, n, n), B (*, n, k) or vectors (*, n).

    Raises LinAlgError if a matrix is singular.

    Example:
        >>> rl.linalg.solve(rl.tensor([[2., 0.], [0., 4.]]), rl.tensor([2., 2.]))
        tensor([1.0000, 0.5000])
    """
    return _solution("linalg.solve", A, B, left, "torch.linalg.solve")[0]


@op(
    "solve_ex(Tensor A, Tensor B, *, bool left=True, bool check_errors=False)"
    " -> (Tensor result, Tensor info)",
    at="linalg",
    grad_name=True,
    out="exact",
)
def _(A, B, left=True, check_errors=False):
    """`solve` with an error code for each matrix: the position of the first zero pivot, from 1, or
    0.

    The result for a singular matrix is not finite; with ``check_errors`` it raises LinAlgError.

    Example::

        >>> rl.linalg.solve_ex(rl.eye(2), rl.tensor([1., 2.])).result
        tensor([1., 2.])
    """
    check = "torch.linalg.solve_ex" if check_errors else ""
    return _solution("linalg.solve", A, B, left, check)


# ---- determinants


@op(
    "determinant(Tensor A) -> (Tensor result, Tensor LU, Tensor pivots)",
    at="internal",
    out=False,
    grad_name="LinalgDetBackward0",
)
def _determinant(A):
    """The determinant and the LU factors it comes from (internal; see `det`)."""
    ...


@op("det(Tensor A) -> Tensor", at=("linalg", "torch", "Tensor"), out="exact")
def det(A):
    """The determinants of square matrices (*, n, n).

    Example:
        >>> rl.linalg.det(rl.tensor([[2., 0.], [0., 4.]]))
        tensor(8.)
    """
    _check_matrix("linalg.det", A)
    return _determinant(A)[0]


def _scaled_identity(scale, a):
    """Diagonal matrices of a's shape with one number each."""
    return rl.diag_embed(scale.unsqueeze(-1).expand(a.shape[:-1]))


def _solve_adjoint(A, LU, pivots, right):
    """A^-H ``right``, from the factors unless the result has to be differentiable."""
    if recording(A, right):
        return _solve(_h(A), right, True, "")[0]
    turned = A.is_contiguous() and not A.is_complex()
    return _lu_solve(LU, pivots, right, True, not turned)


@_determinant.vjp_all
def _(given, needs, A, result, LU, pivots):
    g = given[0]
    if g is None or not A.numel():
        return (None,)
    if every(result.detach() != 0):
        return (_solve_adjoint(A, LU, pivots, _scaled_identity(g * _conj(result), A)),)
    return (g[..., None, None] * _cofactors(A),)


def _cofactors(a):
    """The derivative of det at singular matrices: from products of all singular values but one."""
    u, s, vh = rl.linalg.svd(a)
    n = s.size(-1)
    one = rl.eye(n, dtype=s.dtype)
    products = (s.unsqueeze(-2) * (1 - one) + one).prod(-1)
    sign = _conj(det(u) * det(vh))
    return sign[..., None, None] * ((u * products.unsqueeze(-2)) @ vh)


@op(
    "log_determinant(Tensor A) -> (Tensor sign, Tensor logabsdet, Tensor LU, Tensor pivots)",
    at="internal",
    out=False,
    grad_name="LinalgSlogdetBackward0",
)
def _log_determinant(A):
    """Sign and logarithm of the determinant, and the LU factors (internal; see `slogdet`)."""
    ...


@_log_determinant.vjp_all
def _(given, needs, A, sign, LU, pivots):
    g_sign, g_log = given[:2]
    if not sign.is_complex():
        g_sign = None  # the sign is constant where it is differentiable at all
    if g_sign is None and g_log is None:
        return (None,)
    if g_log is None:
        g_log = rl.zeros_like(_real(sign))
    if g_sign is not None:
        g_log = rl.complex(g_log, -(g_sign.conj() * sign).imag)
    right = _scaled_identity(g_log.to(A.dtype), A)
    return (_solve_adjoint(A, LU, pivots, right),)


@op(
    "slogdet(Tensor A) -> (Tensor sign, Tensor logabsdet)",
    at="linalg",
    out="exact",
)
def slogdet(A):
    """The sign (or unit complex number) and the log of the modulus of determinants (*, n, n).

    Example:
        >>> rl.linalg.slogdet(rl.tensor([[1., 0.], [0., -1.]])).sign
        tensor(-1.)
    """
    _check_matrix("linalg.slogdet", A)
    return _log_determinant(A)[:2]


@op(
    "slogdet.torch(Tensor self) -> (Tensor sign, Tensor logabsdet)",
    at=("torch", "Tensor"),
    out="exact",
)
def _(self):
    """Another name of `torch.linalg.slogdet`.

    Example::

        >>> rl.slogdet(rl.tensor([[1., 0.], [0., -1.]])).sign
        tensor(-1.)
    """
    return tuple(slogdet(self))


@op("logdet(Tensor self) -> Tensor")
def logdet(self):
    """The logarithm of determinants: NaN for negative ones, -inf for 0.

    Example::

        >>> rl.logdet(rl.eye(2))
        tensor(0.)
    """
    sign, size = slogdet(self)
    return sign.log() + size
