"""Factorisations give back the matrix, solvers solve, for every dtype, layout and size; errors name
the matrix; gradients agree with finite differences where samples of records cannot say so.
"""

import numpy as np
import pytest

import rushlight as rl

L = rl.linalg
DTYPES = (rl.float32, rl.float64, rl.complex64, rl.complex128)
SQUARE = ((1, 1), (5, 5), (2, 3, 20, 20), (70, 70), (0, 3, 3), (2, 0, 0))
OBLONG = ((2, 7, 4), (2, 4, 7), (60, 45), (3, 0), (0, 3))

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def adjoint(a):
    return a.mT.conj() if a.is_complex() else a.mT


def close(made, wanted):
    eps = rl.finfo(made.dtype).eps
    scale = max([float(wanted.abs().max()) if wanted.numel() else 0, 1])
    assert made.shape == wanted.shape
    assert not made.numel() or float((made - wanted).abs().max()) <= 3000 * eps * scale


def layouts(*sizes, dtype):
    """A matrix of the sizes in three layouts: rows, columns, and with gaps."""
    rl.manual_seed(sum(sizes))
    a = rl.randn(*sizes, dtype=dtype)
    wide = rl.zeros(*sizes[:-1], 2 * sizes[-1], dtype=dtype)
    wide[..., ::2] = a
    return a, a.mT.contiguous().mT, wide[..., ::2]


def well_conditioned(*sizes, dtype):
    one = rl.eye(sizes[-1], dtype=dtype) * 3 * max(1, sizes[-1]) ** 0.5
    return [a + one for a in layouts(*sizes, dtype=dtype)]


@dtypes
@pytest.mark.parametrize("sizes", SQUARE, ids=str)
def test_solvers_solve(dtype, sizes):
    identity = rl.eye(sizes[-1], dtype=dtype).expand(sizes)
    for a in well_conditioned(*sizes, dtype=dtype):
        b = rl.randn(*sizes[:-1], 3, dtype=dtype)
        close(L.inv(a) @ a, identity)
        close(a @ L.solve(a, b), b)
        close(L.solve(a, b.mT, left=False) @ a, b.mT)
        factors = L.lu_factor(a)
        close(a @ L.lu_solve(*factors, b), b)
        close(adjoint(a) @ L.lu_solve(*factors, b, adjoint=True), b)
        close(L.lu_solve(*factors, b.mT, left=False) @ a, b.mT)
        close(L.lu_solve(*factors, b.mT, left=False, adjoint=True) @ adjoint(a), b.mT)
        sign, size = L.slogdet(a)
        if not sizes[-1] or sizes[-1] < 30:  # larger determinants overflow
            close(sign * size.exp(), L.det(a))


@dtypes
@pytest.mark.parametrize("upper", (False, True))
def test_triangular_solvers_read_one_triangle(dtype, upper):
    for a in well_conditioned(2, 6, 6, dtype=dtype):
        b = rl.randn(2, 6, 4, dtype=dtype)
        half = a.triu() if upper else a.tril()
        close(half @ L.solve_triangular(a, b, upper=upper), b)
        close(L.solve_triangular(a, b.mT, upper=upper, left=False) @ half, b.mT)
        one = half - rl.diag_embed(half.diagonal(dim1=-2, dim2=-1)) + rl.eye(6, dtype=dtype)
        close(one @ L.solve_triangular(a, b, upper=upper, unitriangular=True), b)
        close(half.mT @ rl.triangular_solve(b, a, upper, transpose=True).solution, b)


@dtypes
@pytest.mark.parametrize("sizes", SQUARE, ids=str)
def test_symmetric_factorisations(dtype, sizes):
    for a in well_conditioned(*sizes, dtype=dtype):
        p, b = a @ adjoint(a), rl.randn(*sizes[:-1], 2, dtype=dtype)
        lower, upper = L.cholesky(p), L.cholesky(p, upper=True)
        close(lower @ adjoint(lower), p)
        close(adjoint(upper) @ upper, p)
        close(rl.cholesky_solve(p @ b, upper, upper=True), b)
        close(rl.cholesky_inverse(lower) @ p, rl.eye(sizes[-1], dtype=dtype).expand(sizes))
        values, vectors = L.eigh(a + adjoint(a))
        close((a + adjoint(a)) @ vectors, vectors * values.unsqueeze(-2))
        close(L.eigvalsh(a + adjoint(a)), values)
        for hermitian, s in ((False, a + a.mT), (True, a + adjoint(a))):
            factors = L.ldl_factor(s, hermitian=hermitian)
            close(s @ L.ldl_solve(*factors, b, hermitian=hermitian), b)


@dtypes
@pytest.mark.parametrize("sizes", SQUARE, ids=str)
def test_eigenvectors_are_stretched(dtype, sizes):
    for a in layouts(*sizes, dtype=dtype):
        values, vectors = L.eig(a)
        close(a.to(values.dtype) @ vectors, vectors * values.unsqueeze(-2))


@dtypes
@pytest.mark.parametrize("sizes", SQUARE + OBLONG, ids=str)
def test_oblong_factorisations(dtype, sizes):
    for a in layouts(*sizes, dtype=dtype):
        for mode in ("reduced", "complete"):
            q, r = L.qr(a, mode=mode)
            close(q @ r, a)
            close(adjoint(q) @ q, rl.eye(q.size(-1), dtype=dtype).expand(*sizes[:-2], -1, -1))
            assert bool((r.tril(-1) == 0).all())
            close(L.qr(a, mode="r").R, L.qr(a).R)
        for full in (False, True):
            u, s, vh = L.svd(a, full_matrices=full)
            k = s.size(-1)
            close((u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :], a)
            close(adjoint(u) @ u, rl.eye(u.size(-1), dtype=dtype).expand(*sizes[:-2], -1, -1))
            close(vh @ adjoint(vh), rl.eye(vh.size(-2), dtype=dtype).expand(*sizes[:-2], -1, -1))
        close(L.svdvals(a), s)
        p, lower, upper = L.lu(a)
        close(p @ lower @ upper, a)
        for whole, part in zip(rl.lu_unpack(*L.lu_factor_ex(a)[:2]), (p, lower, upper)):
            assert rl.equal(whole, part)


@dtypes
def test_reflectors(dtype):
    for a in layouts(2, 7, 4, dtype=dtype):
        packed, tau = rl.geqrf(a)
        whole = L.qr(a, mode="complete").Q
        close(L.householder_product(packed, tau), L.qr(a).Q)
        b = rl.randn(2, 7, 3, dtype=dtype)
        close(rl.ormqr(packed, tau, b), whole @ b)
        close(rl.ormqr(packed, tau, b, transpose=True), adjoint(whole) @ b)
        close(rl.ormqr(packed, tau, b.mT.contiguous(), left=False), b.mT @ whole)


@dtypes
@pytest.mark.parametrize("driver", ("gels", "gelsy", "gelsd", "gelss"))
@pytest.mark.parametrize("sizes", OBLONG, ids=str)
def test_least_squares(dtype, driver, sizes):
    for a in layouts(*sizes, dtype=dtype):
        b = rl.randn(*sizes[:-1], 2, dtype=dtype)
        made = L.lstsq(a, b, driver=driver)
        close(made.solution, L.pinv(a) @ b)
        if sizes[-2] > sizes[-1] > 0 and driver != "gelsy":
            close(made.residuals, (a @ made.solution - b).abs().square().sum(-2))


@dtypes
def test_exponential(dtype):
    a = rl.randn(3, 5, 5, dtype=dtype) * rl.tensor([0.01, 1, 6]).reshape(3, 1, 1)
    for i in range(3):
        close(L.matrix_exp(a)[i], L.matrix_exp(a[i]))
    small = a[:2]
    close(L.matrix_exp(small) @ L.matrix_exp(-small), rl.eye(5, dtype=dtype).expand(2, 5, 5))


@pytest.mark.parametrize("scale", (1e-30, 1e30))
def test_extreme_scales(scale):
    a = rl.randn(6, 6) + 4 * rl.eye(6)
    u, s, vh = L.svd(a * scale)
    close((u * s) @ vh / scale, a)
    close(L.inv(a * scale) * scale, L.inv(a))
    assert rl.isfinite(L.slogdet(a * scale).logabsdet)


def test_errors_name_the_batch_element():
    a = rl.stack([rl.eye(3), rl.zeros(3, 3)])
    for made in (lambda: L.inv(a), lambda: L.cholesky(a), lambda: L.solve(a, a)):
        with pytest.raises(L.LinAlgError, match=r"Batch element 1"):
            made()
    with pytest.raises(RuntimeError, match=r"U\[1,1\] is zero"):
        L.lu_factor(a)
    assert L.inv_ex(a).info.tolist() == L.cholesky_ex(a).info.tolist() == [0, 1]
    assert L.solve_ex(a, a).info.tolist() == [0, 1]
    with pytest.raises(L.LinAlgError):
        L.inv_ex(a, check_errors=True)


def test_what_is_not_finite():
    nan = rl.full((3, 3), float("nan"))
    for refuse in (L.svd, L.cholesky, L.eigh, L.pinv):
        with pytest.raises(L.LinAlgError):
            refuse(nan)
    with pytest.raises(RuntimeError, match="infs or NaNs"):
        L.eig(nan)
    for pass_on in (L.inv, L.det, L.matrix_exp, lambda a: L.qr(a).R.triu().sum()):
        assert pass_on(nan).isnan().all()


@pytest.mark.parametrize("dtype", (rl.float64, rl.complex128), ids=str)
def test_gradients_of_factorisations(dtype):
    a = rl.randn(4, 3, dtype=dtype) + rl.eye(4, 3, dtype=dtype) * 2
    square = rl.randn(3, 3, dtype=dtype) + rl.eye(3, dtype=dtype) * 3
    for f in (
        lambda x: L.lu(x)[1:],
        lambda x: L.lu(x.mT)[1:],
        lambda x: L.qr(x),
        lambda x: L.qr(x.mT),
        lambda x: L.svdvals(x),
        lambda x: L.lstsq(x, a[:, :2].detach()).solution,
    ):
        assert rl.autograd.gradcheck(f, a.clone().requires_grad_())
    packed, pivots = L.lu_factor(square)
    for left in (True, False):
        for adjoint_too in (True, False):
            assert rl.autograd.gradgradcheck(
                lambda x, b, left=left, adj=adjoint_too: L.lu_solve(
                    x, pivots, b, left=left, adjoint=adj
                ),
                (packed.clone().requires_grad_(), square.clone().requires_grad_()),
            )


def test_phase_dependent_losses_are_refused():
    a = rl.randn(3, 3, dtype=rl.complex128, requires_grad=True)
    with pytest.raises(RuntimeError, match="ill-defined"):
        L.svd(a).U.imag.sum().backward()
    with pytest.raises(RuntimeError, match="ill-defined"):
        L.eigh(a + a.mH).eigenvectors.imag.sum().backward()


def test_approximate_factorisations():
    a = rl.randn(40, 5, dtype=rl.float64) @ rl.randn(5, 30, dtype=rl.float64)
    for x in (a, a.mT):
        u, s, v = rl.svd_lowrank(x, q=8)
        close((u * s) @ v.mT, x)
        u, s, v = rl.pca_lowrank(x, q=8)
        close((u * s) @ v.mT, x - x.mean(0))
    p = rl.diag(rl.arange(30.0, dtype=rl.float64))
    close(rl.lobpcg(p, 3, tol=1e-12)[0], rl.tensor([29.0, 28, 27], dtype=rl.float64))
    values, vectors = rl.lobpcg(p, 2, largest=False, tol=1e-12)
    assert float((p @ vectors - vectors * values).abs().max()) < 1e-9


def test_tolerances_by_place_as_in_earlier_versions():
    a = rl.tensor([[2.0, 0.0], [0.0, 1e-3]])
    for inverse in (L.pinv(a, 0.1), L.pinv(a, rcond=0.1), L.pinv(a, rl.tensor(0.1), True)):
        assert inverse.tolist() == [[0.5, 0.0], [0.0, 0.0]]
    ranks = L.matrix_rank(a, 0.1), L.matrix_rank(input=a, tol=0.1), L.matrix_rank(a, 1e-4, True)
    assert [r.item() for r in ranks] == [1, 1, 2]


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.complex64, rl.complex128])
@pytest.mark.parametrize("n", [1, 2, 7, 33])
def test_matrix_exp_of_any_size_of_matrix(n, dtype):
    rl.manual_seed(n)
    for size in (0, 1e-30, 1e-9, 2e-8, 1e-5, 3e-4, 5e-3, 0.05, 0.2, 0.29, 0.7, 0.78, 1.4, 2.4, 6):
        a = rl.randn(2, n, n, dtype=dtype)
        a *= size / a.abs().sum(-2).amax(-1)[:, None, None]
        exact = a.numpy().astype(np.clongdouble)
        term = total = np.eye(n, dtype=np.clongdouble)
        for k in range(1, 60):
            term = term @ exact / k
            total = total + term
        bound = 40 * rl.finfo(dtype).eps * np.abs(total).max()
        for found in (rl.matrix_exp(a), rl.matrix_exp(a.requires_grad_())):
            assert np.abs(found.detach().numpy() - total).max() < bound
    assert rl.equal(rl.matrix_exp(rl.zeros(n, n, dtype=dtype)), rl.eye(n, dtype=dtype))
