"""Factorisations of small matrices, single and in batches: widths around those of vectors, numbers
that are far apart, and the same bits for a matrix alone and in a batch.
"""

import math

import pytest

import rushlight as rl

DTYPES = [rl.float32, rl.float64]
FIELDS = [*DTYPES, rl.complex64, rl.complex128]


@pytest.fixture(autouse=True)
def seeded():
    rl.manual_seed(0)


def units(difference, top, dtype):
    """The largest number of each matrix, in units of rounding of `top`."""
    tiny = rl.finfo(dtype).tiny
    return (difference.abs().amax((-2, -1)) / top.clamp(min=tiny)).max().item() / rl.finfo(
        dtype
    ).eps


def from_identity(q):
    eye = rl.eye(q.shape[-1], dtype=q.dtype)
    return (q.mH @ q - eye).abs().max().item() / rl.finfo(q.dtype).eps


def batch(m, n, dtype):
    """Plain, with equal columns, zero, tiny, huge, with tiny columns, with zeros below."""
    a = rl.randn(8, m, n, dtype=dtype)
    a = (
        rl.complex(*(x.clamp(-3, 3) for x in (a.real, a.imag)))
        if a.is_complex()
        else a.clamp(-3, 3)
    )
    info = rl.finfo(dtype)
    a[1, :, n // 2] = a[1, :, 0]
    a[2] = 0
    a[3] *= info.tiny
    a[4] *= info.max / 16 / max(m, n)
    a[5, :, ::2] *= info.tiny * 4
    a[6] = a[6].triu()
    a[7, :, 0] = 0
    return a


QR_SIZES = [(1, 1), (2, 2), (3, 5), (5, 3), (7, 8), (16, 16), (17, 15), (31, 33), (64, 9), (2, 95)]


@pytest.mark.parametrize("dtype", FIELDS)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("size", QR_SIZES)
def test_qr(size, mode, dtype):
    a = batch(*size, dtype)
    q, r = rl.linalg.qr(a, mode)
    top = a.abs().amax((-2, -1))
    scale = top.clamp(min=rl.finfo(dtype).tiny)[:, None, None]
    assert units(q @ (r / scale) - a / scale, rl.ones(8), dtype) < 40
    assert from_identity(q) < 20
    assert (r.tril(-1) == 0).all()
    assert rl.equal(rl.linalg.qr(a, "r").R, rl.linalg.qr(a).R)
    for i in range(8):
        for one, all_of_them in zip(rl.linalg.qr(a[i], mode), (q, r)):
            assert rl.equal(one, all_of_them[i])
    turned = rl.linalg.qr(a.mT.contiguous().mT, mode)
    assert rl.equal(turned.Q, q) and rl.equal(turned.R, r)


def test_signs_of_qr():
    # A column with nothing below its diagonal is left alone; others turn the diagonal's sign.
    a = rl.tensor([[2.0, 1.0, 3.0], [0.0, -4.0, 1.0], [0.0, 3.0, 5.0]])
    wanted = rl.tensor([[2.0, 1.0, 3.0], [0.0, 5.0, 2.2], [0.0, 0.0, 4.6]])
    rl.testing.assert_close(rl.linalg.qr(a).R, wanted)
    assert rl.linalg.qr(rl.tensor([[-3.0]])).R.item() == -3


def test_qr_not_finite():
    for bad in (float("nan"), float("inf")):
        a = rl.randn(3, 6, 6)
        a[1, 2, 3] = bad
        r = rl.linalg.qr(a).R
        assert not r[1].isfinite().all()
        assert r[0].isfinite().all() and r[2].isfinite().all()


EIGEN_SIZES = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 56, 63, 95, 111, 159]


def symmetric(a, triangle):
    half = a.tril(-1) if triangle == "L" else a.triu(1)
    return half + half.mH + rl.diag_embed(a.diagonal(dim1=-2, dim2=-1).real).to(a.dtype)


def symmetric_batch(n, dtype):
    """That of `batch`, with repeated eigenvalues and spread rows instead of the last two."""
    a = batch(n, n, dtype)
    a[6] = rl.eye(n, dtype=dtype)
    spread = rl.exp(rl.linspace(-40, 0, n, dtype=rl.float64)).unsqueeze(1)
    a[7] = rl.randn(n, n, dtype=dtype) * spread.to(dtype)
    return a


@pytest.mark.parametrize("dtype", FIELDS)
@pytest.mark.parametrize("triangle", ["L", "U"])
@pytest.mark.parametrize("n", EIGEN_SIZES)
def test_eigh(n, triangle, dtype):
    a = symmetric_batch(n, dtype)
    whole = symmetric(a, triangle)
    other = a.clone()
    below, beside = rl.tril_indices(n, n, -1)
    (other.mT if triangle == "L" else other)[:, below, beside] = float("nan")
    values, vectors = rl.linalg.eigh(other, triangle)
    top = whole.abs().amax((-2, -1)).clamp(min=rl.finfo(dtype).tiny)
    scaled = values / top[:, None]
    product = vectors * scaled.unsqueeze(-2) @ vectors.mH
    assert units(product - whole / top[:, None, None], rl.ones(8), dtype) < 20 + 2 * n
    assert from_identity(vectors) < 20 + n
    assert (values[:, 1:] >= values[:, :-1]).all()
    alone = rl.linalg.eigvalsh(other, triangle) / top[:, None]
    assert (alone - scaled).abs().max().item() < (20 + 4 * n) * rl.finfo(dtype).eps
    for i in range(8):
        one = rl.linalg.eigh(other[i], triangle)
        assert rl.equal(one[0], values[i]) and rl.equal(one[1], vectors[i])


def test_eigh_of_diagonal_and_graded_matrices():
    d = rl.tensor([3.0, 1e-30, -2.0, 0.0])
    values, vectors = rl.linalg.eigh(d.diag())
    assert values.tolist() == d.sort()[0].tolist()
    assert rl.equal(vectors.abs(), rl.eye(4)[:, d.argsort()])
    pair = rl.tensor([[2.0, 1.0], [1.0, 2.0]])
    found = rl.linalg.eigvalsh(rl.block_diag(pair, pair * 1e-20))
    rl.testing.assert_close(found, rl.tensor([1e-20, 3e-20, 1, 3]), rtol=1e-5, atol=0)


def test_eigh_not_finite():
    for bad in (float("nan"), float("inf")):
        a = rl.randn(3, 6, 6)
        a[1, 3, 2] = bad
        try:
            values = rl.linalg.eigh(a).eigenvalues
        except rl.linalg.LinAlgError:
            continue
        assert not values[1].isfinite().all()
        assert values[0].isfinite().all() and values[2].isfinite().all()


SVD_SIZES = [(1, 1), (2, 2), (1, 5), (4, 3), (8, 8), (7, 17), (16, 15), (33, 31), (64, 9), (20, 90)]


@pytest.mark.parametrize("dtype", FIELDS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("size", SVD_SIZES)
def test_svd(size, full, dtype):
    a = batch(*size, dtype)
    k = min(size)
    u, s, vh = rl.linalg.svd(a, full)
    top = a.abs().amax((-2, -1)).clamp(min=rl.finfo(dtype).tiny)
    scaled = s / top[:, None]
    product = u[..., :k] * scaled.unsqueeze(-2) @ vh[:, :k]
    limit = 40 + 2 * max(size)
    assert units(product - a / top[:, None, None], rl.ones(8), dtype) < limit
    assert from_identity(u) < limit and from_identity(vh.mH) < limit
    assert (s >= 0).all() and (s[:, 1:] <= s[:, :-1]).all()
    alone = rl.linalg.svdvals(a) / top[:, None]
    assert (alone - scaled).abs().max().item() < limit * rl.finfo(dtype).eps
    plain = rl.stack([a[i] for i in (0, 1, 2, 6, 7)])  # the others are far from 1 in size
    for i, one in enumerate(plain):
        for single, several in zip(rl.linalg.svd(one, full), rl.linalg.svd(plain, full)):
            assert rl.equal(single, several[i])


@pytest.mark.parametrize("full", [False, True])
def test_svd_beyond_rows(full):
    for size in ((200, 195), (170, 260), (1300, 10)):
        a = rl.randn(*size, dtype=rl.float64)
        u, s, vh = rl.linalg.svd(a, full)
        k = min(size)
        assert (u[:, :k] * s @ vh[:k] - a).abs().max() < 1e-12
        assert (rl.linalg.svdvals(a) - s).abs().max() < 1e-12


def test_small_singular_values_keep_their_digits():
    # Of a bidiagonal matrix even the smallest are found to full relative accuracy.
    d = 10.0 ** rl.linspace(0, -12, 9, dtype=rl.float64)
    a = d.diag() + (d[:-1] / 2).diag(1)
    s = rl.linalg.svd(a)[1]
    assert abs(s.prod().item() / d.prod().item() - 1) < 1e-12
    assert abs(rl.linalg.svdvals(a).prod().item() / d.prod().item() - 1) < 1e-12


@pytest.mark.parametrize("dtype", [rl.float32, rl.complex128])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (40, 40), (130, 130)])
def test_svd_of_infinities_ends(size, dtype):
    a = rl.ones(2, *size, dtype=dtype)
    a[1, 0, 0] = math.inf
    for full in (False, True):
        u, s, vh = rl.linalg.svd(a, full)
        assert s[0].isfinite().all() and not s[1].isfinite().all()
        assert u[0].isfinite().all() and vh[0].isfinite().all()
    assert rl.linalg.svdvals(a)[0].isfinite().all()
    a[1, 0, 0] = math.nan
    with pytest.raises(rl.linalg.LinAlgError, match="non-finite"):
        rl.linalg.svd(a)


@pytest.mark.parametrize("shape", [(6, 3), (3, 3), (40, 40)])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_least_squares_by_singular_values_want_finite_numbers(shape, bad):
    for dtype in (rl.float64, rl.complex64):
        for wrong in ("matrix", "right side"):
            a, b = rl.ones(shape, dtype=dtype), rl.ones(shape[0], 2, dtype=dtype)
            (a if wrong == "matrix" else b)[1, 0] = bad
            for driver in ("gelsd", "gelss"):
                with pytest.raises(rl.linalg.LinAlgError, match="not finite"):
                    rl.linalg.lstsq(a, b, driver=driver)


def test_svd_not_finite():
    a = rl.randn(2, 6, 6)
    a[1, 2, 3] = float("inf")
    s = rl.linalg.svd(a).S
    assert s[0].isfinite().all() and s[1].isnan().all()
    a[1, 2, 3] = float("nan")
    with pytest.raises(rl.linalg.LinAlgError, match="Batch element 1"):
        rl.linalg.svd(a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9, 12, 13, 16, 20, 21])
def test_lu_and_solutions(n, dtype):
    eps = rl.finfo(dtype).eps
    for count in (1, 3, 8, 17, 40):
        a = rl.randn(count, n, n, dtype=dtype)
        p, lower, upper = rl.linalg.lu(a)
        assert (p @ lower @ upper - a).abs().max() < 40 * eps
        assert lower.abs().max() <= 1
        assert rl.equal(lower.diagonal(dim1=1, dim2=2), rl.ones(count, n, dtype=dtype))
        factors = rl.linalg.lu_factor(a)
        product = upper.diagonal(dim1=1, dim2=2).prod(-1) * (
            1 - 2 * ((factors.pivots != rl.arange(1, n + 1)).sum(-1) % 2)
        )
        rl.testing.assert_close(
            rl.linalg.det(a.mT), product, rtol=1e-2 if eps > 1e-8 else 1e-9, atol=1e-2
        )
        for cols in (1, 3):
            x = rl.randn(count, n, cols, dtype=dtype)
            cases = [
                (a, x, rl.linalg.solve(a, x)),
                (a, x, rl.linalg.lu_solve(*factors, x)),
                (a.mT, x, rl.linalg.lu_solve(*factors, x, adjoint=True)),
                (a.mT, x, rl.linalg.solve(a, x.mT, left=False).mT),
                (a.mT, x, rl.linalg.lu_solve(*factors, x.mT, left=False).mT),
                (a, x, rl.linalg.lu_solve(*factors, x.mT, left=False, adjoint=True).mT),
            ]
            for matrix, right, found in cases:
                left_over = (matrix @ found - right).abs().amax((1, 2))
                assert (left_over <= 40 * n * eps * found.abs().amax((1, 2)).clamp(min=1)).all()


@pytest.mark.parametrize("n", [3, 12, 16])
def test_codes_of_singular_matrices_in_batches(n):
    a = rl.randn(20, n, n, dtype=rl.float64)
    a[4, :, 1] = 0
    a[11] = 0
    a[13] = a[13].tril() + rl.eye(n, dtype=rl.float64) * 4
    a[13, n - 1, n - 1] = 0
    info = rl.linalg.lu_factor_ex(a).info
    assert info.tolist() == [{4: 2, 11: 1, 13: n}.get(i, 0) for i in range(20)]
    assert (rl.linalg.det(a) == 0).nonzero().flatten().tolist() == [4, 11, 13]
    with pytest.raises(rl.linalg.LinAlgError, match="Batch element 4"):
        rl.linalg.solve(a, a)
    assert rl.linalg.solve_ex(a, a).result[5].isfinite().all()


def test_threads_change_no_bits():
    a, right = rl.randn(400, 14, 14), rl.randn(400, 14, 2)
    pairs = rl.complex(a, a.flip(0))
    symmetric_matrices = a + a.mT
    before = rl.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            values = [rl.linalg.solve(a, right), rl.linalg.det(a), *rl.linalg.lu_factor(a)]
            values += [*rl.linalg.qr(a), *rl.linalg.svd(a), *rl.linalg.eigh(symmetric_matrices)]
            values += [*rl.linalg.qr(pairs), *rl.linalg.svd(pairs), *rl.linalg.eigh(pairs)]
            found.append(values)
    finally:
        rl.set_num_threads(before)
    for one, two in zip(*found):
        assert rl.equal(one, two)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 12, 16, 20, 21])
def test_cholesky(n, upper, dtype):
    for count in (1, 5, 19):
        a = rl.randn(count, n, n, dtype=dtype)
        a = a @ a.mT + rl.eye(n, dtype=dtype)
        read = a.triu() if upper else a.tril()
        factor = rl.linalg.cholesky(read, upper=upper)
        assert rl.equal(factor, factor.triu() if upper else factor.tril())
        product = factor.mT @ factor if upper else factor @ factor.mT
        assert units(product - a, a.abs().amax((1, 2)), dtype) < 10 + n


@pytest.mark.parametrize("n", [2, 8, 16])
def test_codes_of_cholesky_in_batches(n):
    a = rl.eye(n, dtype=rl.float64).repeat(20, 1, 1) * 2
    a[3, n - 1, n - 1] = -1
    a[7, 0, 0] = 0
    a[9, 1, 1] = float("nan")
    factor, info = rl.linalg.cholesky_ex(a)
    assert info.tolist() == [{3: n, 7: 1, 9: 2}.get(i, 0) for i in range(20)]
    assert rl.equal(factor[4], a[4].sqrt())
    with pytest.raises(rl.linalg.LinAlgError, match="Batch element 3"):
        rl.linalg.cholesky(a)


# From PyTorch: which vectors of a random matrix have a negative largest component, as bits.
SIGNS = [
    ("eigh", 2, 2, 0x2), ("eigh", 3, 3, 0x0), ("eigh", 30, 30, 0xDC21D81),
    ("eigh", 64, 64, 0x418BD33361377948), ("eigh", 128, 128, 0x6291B34B810D726178C4499B6330BE1A),
    ("svd", 2, 2, 0x0), ("svd", 3, 3, 0x6), ("svd", 4, 4, 0xC), ("svd", 5, 5, 0xF),
    ("svd", 12, 12, 0x82A), ("svd", 24, 24, 0xC5F1BB), ("svd", 17, 12, 0x96),
    ("svd", 30, 30, 0x340D3303), ("svd", 7, 2, 0x2), ("svd", 35, 30, 0x8A2DC15),
    ("svd", 30, 35, 0x9C6F8E0),
]  # fmt: skip


@pytest.mark.parametrize("kind, m, n, expected", SIGNS)
def test_signs_of_vectors_are_pytorchs(kind, m, n, expected):
    rl.manual_seed(n)
    a = rl.randn(m, n, dtype=rl.float64)
    vectors = rl.linalg.eigh(a + a.T)[1] if kind == "eigh" else rl.linalg.svd(a, False)[0]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))[0]
    assert sum(1 << j for j, x in enumerate(largest.tolist()) if x < 0) == expected


@pytest.mark.parametrize("dtype", FIELDS)
@pytest.mark.parametrize("size", [s for s in QR_SIZES if s[0] >= s[1]])
def test_reflectors_and_their_product(size, dtype):
    a = batch(*size, dtype)
    packed, tau = rl.geqrf(a)
    m, n = size
    scale = a.abs().amax((-2, -1)).clamp(min=rl.finfo(dtype).tiny)[:, None, None]
    vectors = packed.tril(-1) + rl.eye(m, n, dtype=dtype)
    for count in (n, n // 2):
        # From the definition: the product of I - tau v v^H.
        whole = rl.eye(m, dtype=dtype).expand(8, m, m)
        for j in range(count):
            v = vectors[:, :, j : j + 1]
            whole = whole - tau[:, j, None, None] * (whole @ v) @ v.mH
        q = rl.linalg.householder_product(packed, tau[:, :count])
        assert units(q - whole[:, :, :n], rl.ones(8), dtype) < 40
        some = rl.linalg.householder_product(packed[:2], tau[:2, :count])
        assert units(some - whole[:2, :, :n], rl.ones(2), dtype) < 40
        if count == n:
            assert units(q @ (packed[:, :n].triu() / scale) - a / scale, rl.ones(8), dtype) < 40
    upper = rl.ones(n, n).triu().bool().nonzero().T
    packed[:, upper[0], upper[1]] = float("nan")  # which is not read
    assert rl.equal(
        rl.linalg.householder_product(packed, tau), rl.linalg.householder_product(vectors, tau)
    )


@pytest.mark.parametrize("dtype", [rl.complex64, rl.complex128])
@pytest.mark.parametrize("n", [1, 2, 5, 9, 25])
def test_complex_factors_turn_as_those_of_lapack(n, dtype):
    # Real numbers on the diagonal of R, however the phases of A are turned, the last one's too.
    a = rl.randn(n + 2, n, dtype=dtype)
    for matrix in (a, a[:n], a * 1j):
        r = rl.linalg.qr(matrix).R
        assert not r.diagonal().imag.any()
        gram = matrix.mH @ matrix
        assert units(r.mH @ r - gram, gram.abs().amax(), dtype) < 40
    # The first row of the vectors is that of a real matrix, as all reflectors leave it alone.
    hermitian = a[:n] + a[:n].mH
    assert not rl.linalg.eigh(hermitian).eigenvectors[0].imag.any()


@pytest.mark.parametrize("m, n", [(7, 2), (40, 12), (300, 60), (400, 200), (11, 6), (10, 6)])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_long_matrices_by_way_of_square_ones(m, n, batch):
    a = rl.randn(*batch, m, n, dtype=rl.float64, requires_grad=True)
    for turn in (lambda x: x, lambda x: x.mT):
        x = turn(a)
        u, s, vh = rl.linalg.svd(x, full_matrices=False)
        assert u.shape[-1] == vh.shape[-2] == s.shape[-1] == n
        assert ((u * s[..., None, :]) @ vh - x).abs().max() < 1e-12
        assert (u.mT @ u - rl.eye(n)).abs().max() < 1e-12
        assert (s - rl.linalg.svdvals(x)).abs().max() < 1e-12
        (g,) = rl.autograd.grad((s * rl.arange(1.0, n + 1)).sum() + (u @ vh).sum(), a)
        parts = rl.linalg.svd(turn(a), full_matrices=True)
        other = (parts.S * rl.arange(1.0, n + 1)).sum()
        other = other + (parts.U[..., :n] @ parts.Vh[..., :n, :]).sum()
        assert (g - rl.autograd.grad(other, a)[0]).abs().max() < 1e-10
    broken = a.detach().clone()
    broken[..., 0, 0] = float("nan")
    with pytest.raises(rl.linalg.LinAlgError, match="linalg.svd"):
        rl.linalg.svd(broken, full_matrices=False)


@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_matrices_without_columns_have_whole_bases(n):
    for _ in range(20):
        spoiled = [rl.full((k,), float("nan")) for k in range(1, 130, 7)]
        del spoiled  # memory that is taken next
        assert rl.linalg.qr(rl.zeros(n, 0), "complete").Q.equal(rl.eye(n))
        assert rl.linalg.svd(rl.zeros(n, 0)).U.equal(rl.eye(n))
        assert rl.linalg.svd(rl.zeros(0, n)).Vh.equal(rl.eye(n))
