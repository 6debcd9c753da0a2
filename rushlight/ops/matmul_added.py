"""Products of matrices and vectors added to a tensor: ``beta * self + alpha * product``.

The products themselves are in matmul.py. To add one: a record; its kernel, if it has one, is in
csrc/kernels/matmul.cpp.
"""

import rushlight as rl
from rushlight._native import conjugate as _conj
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow


def _check_factors(name, dtype, beta, alpha):
    """Factors are of the result's kind: no fractions of integers, bools of bools only."""
    inexact = dtype.is_floating_point or dtype.is_complex
    if not inexact and (isinstance(beta, float) or isinstance(alpha, float)):
        raise RuntimeError(
            f"{name}: For integral input tensors, argument beta and alpha must not be a "
            f"floating point number, got beta={beta}, alpha={alpha}"
        )
    for which, factor in (("beta", beta), ("alpha", alpha)):
        if isinstance(factor, bool) and dtype != rl.bool:
            raise RuntimeError(f"{name}: a bool {which} goes with bool tensors only, not {dtype}")
        if isinstance(factor, complex) and not dtype.is_complex:
            raise RuntimeError(f"{name}: a complex {which} needs complex tensors, not {dtype}")


def _times(x, factor):
    """factor * x for a gradient; 1 is common and free."""
    if factor == 1:
        return x
    return x * (factor.conjugate() if isinstance(factor, complex) else factor)


@op(
    "addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1, "
    "Tensor? out=None) -> Tensor",
    inplace=True,
    no_float8="float8_e8m0fnu float4_e2m1fn_x2",
)
def addmm(self, mat1, mat2, beta, alpha):
    """beta * self + alpha * (mat1 @ mat2); self is broadcast. With beta 0, self is not read.

    Example::

        >>> rl.addmm(rl.ones(2), rl.ones(2, 3), rl.ones(3, 2)).tolist()
        [[4.0, 4.0], [4.0, 4.0]]
    """
    ...


addmm.vjp(
    self=lambda g, beta: _times(g, beta),
    mat1=lambda g, mat2, alpha: _times(g.mm(_conj(mat2.t())), alpha),
    mat2=lambda g, mat1, alpha: _times(_conj(mat1.t()).mm(g), alpha),
)


@addmm.samples
def _(make):
    yield make(5), make(3, 4), make(4, 5)
    yield make(3, 5), make(3, 0), make(0, 5)


@op(
    "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1, Tensor? out=None)"
    " -> Tensor",
    inplace="function",
)
def addmv(self, mat, vec, beta, alpha):
    """beta * self + alpha * (mat @ vec); with beta 0, self is not read.

    Example::

        >>> rl.addmv(rl.ones(2), rl.ones(2, 3), rl.ones(3), alpha=2).tolist()
        [7.0, 7.0]
    """
    ...


addmv.vjp(
    self=lambda g, beta: _times(g, beta),
    mat=lambda g, vec, alpha: _times(rl.outer(g, _conj(vec)), alpha),
    vec=lambda g, mat, alpha: _times(_conj(mat.t()).mv(g), alpha),
)


@op(
    "baddbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1,"
    " Tensor? out=None) -> Tensor",
    inplace=True,
)
def baddbmm(self, batch1, batch2, beta, alpha):
    """beta * self + alpha * bmm(batch1, batch2); with beta 0, self is not read.

    Example::

        >>> rl.baddbmm(rl.zeros(1), rl.ones(2, 1, 3), rl.ones(2, 3, 1)).flatten().tolist()
        [3.0, 3.0]
    """
    ...


baddbmm.vjp(
    self=lambda g, beta: _times(g, beta),
    batch1=lambda g, batch2, alpha: _times(g.bmm(_conj(batch2.mT)), alpha),
    batch2=lambda g, batch1, alpha: _times(_conj(batch1.mT).bmm(g), alpha),
)


@op(
    "addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1,"
    " Tensor? out=None) -> Tensor",
    grad_name=True,
)
def addbmm(self, batch1, batch2, beta, alpha):
    """beta * self + alpha * (the sum of bmm(batch1, batch2) over the batch).

    Example::

        >>> rl.addbmm(rl.zeros(1, 1), rl.ones(2, 1, 3), rl.ones(2, 3, 1)).item()
        6.0
    """
    for name, x in (("batch1", batch1), ("batch2", batch2)):
        if x.dim() != 3:
            raise RuntimeError(f"addbmm: {name} must be a 3D tensor, got shape {tuple(x.shape)}")
    b, n, k = batch1.shape
    if batch2.shape[0] != b or batch2.shape[1] != k:
        raise RuntimeError(
            f"addbmm: the factors' shapes {tuple(batch1.shape)} and {tuple(batch2.shape)} do not "
            "fit"
        )
    if is_narrow(self) and b:  # rounded after each product
        total = rl.addmm(self, batch1[0], batch2[0], beta=beta, alpha=alpha)
        for i in range(1, b):
            total = rl.addmm(total, batch1[i], batch2[i], alpha=alpha)
        return total
    left = batch1.transpose(0, 1).reshape(n, b * k)
    return rl.addmm(self, left, batch2.reshape(b * k, batch2.shape[2]), beta=beta, alpha=alpha)


@op(
    "addbmm_(Tensor(a!) self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1)"
    " -> Tensor",
    at="Tensor",
)
def addbmm_(self, batch1, batch2, beta, alpha):
    """`addbmm` in place; unlike other ops, it lets a tensor that is broadcast grow.

    Example::

        >>> rl.zeros(1).addbmm_(rl.ones(2, 1, 3), rl.ones(2, 3, 2))
        tensor([[6., 6.]])
    """
    result = rl.addbmm(self, batch1, batch2, beta=beta, alpha=alpha)
    if result.shape != self.shape:
        self.resize_(result.shape)
    return self.copy_(result)


@op(
    "addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1, "
    "Tensor? out=None) -> Tensor",
    inplace=True,
)
def addr(self, vec1, vec2, beta, alpha):
    """beta * self + alpha * outer(vec1, vec2); with beta 0, self is not read.

    Example::

        >>> rl.addr(rl.zeros(2, 2), rl.tensor([1., 2.]), rl.tensor([3., 4.])).tolist()
        [[3.0, 4.0], [6.0, 8.0]]
    """
    for name, x in (("vec1", vec1), ("vec2", vec2)):
        if x.dim() != 1:
            raise RuntimeError(f"addr: {name} must be a 1-D tensor, got shape {tuple(x.shape)}")
    _check_factors("addr", rl.promote_types(self.dtype, vec1.dtype), beta, alpha)
    bools = self.dtype == vec1.dtype == vec2.dtype == rl.bool
    product = rl.outer(vec1 if bools or alpha == 1 else vec1 * alpha, vec2)
    if self.shape != product.shape:
        rl.empty(self.shape, device="meta").expand(product.shape)  # raises where self does not
    if bools:
        product = product & bool(alpha)
        return product if not beta else (self & bool(beta)) | product
    if beta == 0:
        return product.to(rl.result_type(self, product))
    return (self if beta == 1 else self * beta) + product


addr.vjp(
    self=lambda g, beta: _times(g, beta),
    vec1=lambda g, vec2, alpha: _times(g.mv(_conj(vec2).to(g.dtype)), alpha),
    vec2=lambda g, vec1, alpha: _times(g.t().mv(_conj(vec1).to(g.dtype)), alpha),
)
