"""Records of products of Householder reflectors, as LAPACK's QR factorisation makes them. To add
one: a record here.
"""

import rushlight as rl
from rushlight.ops._decisions import recording
from rushlight.ops._record import op
from rushlight.ops.linalg import _check_dtype, _check_same_dtype, _h

# ---- products of reflectors


@op("geqrf(Tensor self) -> (Tensor a, Tensor tau)", differentiable=False)
def geqrf(self):
    """R and, below the diagonal, the reflectors of a QR factorisation; ``tau`` are their "
    "factors.

    Example::

        >>> rl.geqrf(rl.ones(3, 2)).tau.shape
        torch.Size([2])
    """
    ...


@op(
    "reflectors_product(Tensor A, Tensor tau) -> Tensor",
    at="internal",
    out=False,
    differentiable=False,
)
def _product(A, tau):
    """`householder_product` of equal batches (internal)."""
    ...


@op(
    "reflectors_times(Tensor A, Tensor tau, Tensor C, bool left, bool transpose) -> Tensor",
    at="internal",
    out=False,
    differentiable=False,
)
def _times(A, tau, C, left, transpose):
    """`ormqr` of equal batches (internal)."""
    ...


def _reflected(A, tau, x, transpose):
    """Q x, or Q^H x, one reflector a step in recorded ops."""
    v = A[..., : tau.size(-1)].tril(-1) + rl.eye(A.size(-2), tau.size(-1), dtype=A.dtype)
    if not tau.size(-1):
        return x - v @ (tau.unsqueeze(-1) * (_h(v) @ x))  # nothing, but part of the graph
    steps = range(tau.size(-1))
    for i in steps if transpose else reversed(steps):
        factor = tau[..., i, None, None]
        factor = factor.conj() if transpose and factor.is_complex() else factor
        column = v[..., i : i + 1]
        x = x - factor * (column @ (_h(column) @ x))
    return x


def _check_reflectors(name, A, tau):
    if A.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if A.size(-2) < tau.size(-1) or A.size(-1) < tau.size(-1):
        raise RuntimeError(
            f"{name}: input of shape {tuple(A.shape)} must have at least as many rows and "
            f"columns as "
            f"tau has reflectors, {tau.size(-1)}"
        )
    if A.dim() != tau.dim() + 1 or A.shape[:-2] != tau.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected tau.shape[:-1] to be equal to input.shape[:-2], but got "
            f"tau of shape {tuple(tau.shape)} and input of shape {tuple(A.shape)}"
        )
    if A.dtype != tau.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau.dtype} does not match input dtype {A.dtype}; convert one "
            f"of them"
        )
    _check_dtype(name, A)


@op("householder_product(Tensor input, Tensor tau) -> Tensor", at="linalg", grad_name=True)
def householder_product(input, tau):  # noqa: A002
    """The first n columns of H_1 H_2 ... H_k, with H_i = I - tau_i v_i v_i^H.

    v_i is 1 at i, ``input[..., i+1:, i]`` below, 0 above; input is (*, m, n), m >= n >= k.

    Example::

        >>> rl.linalg.householder_product(rl.zeros(2, 2), rl.zeros(2))
        tensor([[1., 0.],
                [-0., 1.]])
    """
    if input.dim() >= 2 and input.size(-2) < input.size(-1):
        raise RuntimeError(
            "torch.linalg.householder_product: input.shape[-2] must be greater than or equal to "
            f"input.shape[-1], got shape {tuple(input.shape)}"
        )
    _check_reflectors("torch.linalg.householder_product", input, tau)
    if not recording(input, tau):
        return _product(input, tau)
    start = rl.eye(*input.shape[-2:], dtype=input.dtype).expand(input.shape)
    return _reflected(input, tau, start, False)


@op("orgqr(Tensor self, Tensor input2) -> Tensor")
def _(self, input2):
    """Another name of `torch.linalg.householder_product`.

    Example::

        >>> rl.orgqr(rl.zeros(2, 2), rl.zeros(2))
        tensor([[1., 0.],
                [-0., 1.]])
    """
    return householder_product(self, input2)


@op(
    "ormqr(Tensor self, Tensor input2, Tensor input3, bool left=True, bool transpose=False) "
    "-> Tensor",
    grad_name=True,
    out="exact",
)
def ormqr(self, input2, input3, left=True, transpose=False):
    """Q input3, with Q the product of the reflectors in self and input2 (tau), as `geqrf` gives.

    ``transpose``: Q^H; ``left=False``: input3 Q.

    Example::

        >>> rl.ormqr(rl.zeros(2, 2), rl.zeros(2), rl.ones(2, 1))
        tensor([[1.],
                [1.]])
    """
    tau, other = input2, input3
    _check_reflectors("torch.ormqr", self, tau)
    if other.dim() < 2 or other.size(-2 if left else -1) != self.size(-2):
        raise RuntimeError(
            f"torch.ormqr: other.shape[{-2 if left else -1}] must be equal to input.shape[-2], "
            f"got shapes {tuple(other.shape)} and {tuple(self.shape)}"
        )
    if other.shape[:-2] != self.shape[:-2]:
        raise RuntimeError(
            "torch.ormqr: batch dimensions of other should be equal to those of input, got shapes "
            f"{tuple(other.shape)} and {tuple(self.shape)}"
        )
    _check_same_dtype("torch.ormqr", self, other)
    if not recording(self, tau, other):
        return _times(self, tau, other, left, transpose)
    if left:
        return _reflected(self, tau, other, transpose)
    return _h(_reflected(self, tau, _h(other), not transpose))
