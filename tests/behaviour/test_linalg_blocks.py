"""Factorisations of matrices that are large enough for blocks: sizes around panels, awkward
numbers, and the same bits for any number of threads. What the ops mean is for their records.
"""

import pytest

import rushlight as rl

SIZES = [(96, 96), (97, 201), (201, 97), (129, 128), (193, 230), (260, 260)]
DTYPES = [rl.float32, rl.float64]


@pytest.fixture(autouse=True)
def seeded():
    rl.manual_seed(0)


def awkward(m, n, dtype):
    """Matrices by name; the largest number of each is near 1, but for those named after it."""
    a = rl.randn(m, n, dtype=dtype)
    info = rl.finfo(dtype)
    repeated = a.clone()
    repeated[:, n // 2 :] = a[:, : n - n // 2]
    rows = a * rl.exp(rl.linspace(-30, 0, m, dtype=dtype)).unsqueeze(1)
    return {
        "plain": a,
        "repeated": repeated,
        "zero": rl.zeros_like(a),
        "rows": rows,
        "huge": a.clamp(-3, 3) * (info.max / 8 / max(m, n)),
        "tiny": a * info.tiny,
    }


def error_of(product, wanted):
    """The largest difference, in units of rounding of the largest number."""
    top = wanted.abs().max().clamp(min=rl.finfo(wanted.dtype).tiny)
    difference = (product / top - wanted / top).abs().max()
    return difference.item() / rl.finfo(wanted.dtype).eps


def from_identity(q):
    eye = rl.eye(q.shape[-1], dtype=q.dtype)
    return (q.mT @ q - eye).abs().max().item() / rl.finfo(q.dtype).eps


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES)
def test_lu(size, dtype):
    for name, a in awkward(*size, dtype).items():
        p, lower, upper = rl.linalg.lu(a)
        assert lower.abs().max() <= 1, name
        assert error_of(p @ lower @ upper, a) < 150, name  # LAPACK: 42


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("size", SIZES)
def test_qr(size, mode, dtype):
    for name, a in awkward(*size, dtype).items():
        q, r = rl.linalg.qr(a, mode)
        assert from_identity(q) < 50, name
        assert (r.tril(-1) == 0).all(), name
        assert error_of(q @ r, a) < 100, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("triangle", ["L", "U"])
@pytest.mark.parametrize("n", [64, 97, 390])
def test_eigh(n, triangle, dtype):
    for name, a in awkward(n, n, dtype).items():
        half = a.tril(-1) if triangle == "L" else a.triu(1)
        symmetric = half + half.mT + a.diagonal().diag()
        values, vectors = rl.linalg.eigh(a, triangle)
        assert (values[1:] >= values[:-1]).all(), name
        assert from_identity(vectors) < 100, name
        assert error_of(vectors * values @ vectors.mT, symmetric) < 500, name
        top = symmetric.abs().max() * n
        alone = rl.linalg.eigvalsh(a, triangle)
        assert (alone - values).abs().max() <= 20 * rl.finfo(dtype).eps * top, name


def test_codes_and_determinants_of_singular_matrices():
    a = rl.randn(150, 150, dtype=rl.float64)
    a[:, 70] = 0
    assert rl.linalg.lu_factor_ex(a).info.item() == 71
    assert rl.linalg.det(a).item() == 0
    with pytest.raises(rl.linalg.LinAlgError):
        rl.linalg.solve(a, a)


def test_not_finite():
    a = rl.randn(150, 150, dtype=rl.float64)
    for bad in (float("nan"), float("inf")):
        a[20, 3] = bad
        assert not rl.linalg.det(a).isfinite()
        assert not rl.linalg.qr(a).R.isfinite().all()
        assert not rl.linalg.eigh(a).eigenvalues.isfinite().all()


def test_threads_change_no_bits():
    a = rl.randn(500, 500)
    before = rl.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            found.append([*rl.linalg.lu_factor(a), *rl.linalg.qr(a), *rl.linalg.eigh(a)])
    finally:
        rl.set_num_threads(before)
    for one, two in zip(*found):
        assert rl.equal(one, two)


@pytest.mark.parametrize("dtype", [*DTYPES, rl.complex64])
@pytest.mark.parametrize("size", [(2, 128, 128), (131, 200), (200, 128)])
@pytest.mark.parametrize("full", [False, True])
def test_svd_of_spread_columns(size, full, dtype):
    a = rl.randn(*size, dtype=dtype)
    u, s, vh = rl.linalg.svd(a, full_matrices=full)
    k = min(size[-2:])
    again = (u[..., :k] * s.unsqueeze(-2)) @ vh[..., :k, :]
    scale = 100 * rl.finfo(dtype).eps * s.max()
    assert (again - a).abs().max() < scale
    for basis in (u.mH @ u, vh @ vh.mH):
        assert (basis - rl.eye(basis.shape[-1], dtype=dtype)).abs().max() < scale


@pytest.mark.parametrize("dtype", [*DTYPES, rl.complex64])
def test_eig_of_spread_columns(dtype):
    a = rl.randn(2, 130, 130, dtype=dtype)
    values, vectors = rl.linalg.eig(a)
    left, right = a.to(vectors.dtype) @ vectors, vectors * values.unsqueeze(-2)
    assert (left - right).abs().max() < 1000 * rl.finfo(dtype).eps * values.abs().max()
    assert (vectors.abs().square().sum(-2) - 1).abs().max() < 1000 * rl.finfo(dtype).eps
