"""Eigenvalues and vectors of matrices that need not be symmetric, and inverses from Cholesky
factors: widths around those of vectors, structure that is split off, numbers far apart, and the
same bits for a matrix alone, in a batch and on any number of threads.
"""

import numpy as np
import pytest

import rushlight as rl

REAL = [rl.float32, rl.float64]
DTYPES = [*REAL, rl.complex64, rl.complex128]
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 50, 75, 76, 130]


@pytest.fixture(autouse=True)
def seeded():
    rl.manual_seed(0)


def matrices(n, dtype):
    """Plain, symmetric, triangular either way, permuted, turned, unbalanced, of small rank, with
    equal eigenvalues, defective, zero, far from 1."""
    wide = rl.complex128 if dtype.is_complex else rl.float64
    a = rl.randn(12, n, n, dtype=wide)
    order = rl.randperm(n)
    a[1] = a[1] + a[1].mH
    a[2] = a[2].triu()
    a[3] = a[3].tril()
    a[4] = a[4].triu(-1)[order][:, order] * (rl.rand(n, n) > 0.3)
    a[5] = rl.eye(n, dtype=rl.float64)[order]
    scale = 2.0 ** rl.linspace(-12, 12, n, dtype=rl.float64)
    a[6] = a[6] * scale * scale.reciprocal().unsqueeze(1)
    a[7] = a[7, :, :1] @ a[7, :1]
    a[8] = 3 * rl.eye(n, dtype=rl.float64)
    a[9] = rl.eye(n, dtype=rl.float64) + rl.ones(n, n, dtype=rl.float64).triu(1).tril(1)
    a[10] = 0
    a[11] *= rl.finfo(dtype).max / 16 / n / n
    return a.to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_vectors_solve_their_equation(n, dtype):
    a = matrices(n, dtype)
    values, vectors = rl.linalg.eig(a)
    wide, v, w = (x.numpy().astype(np.complex128) for x in (a, vectors, values))
    size = np.abs(wide).sum((-2, -1), keepdims=True) + 1e-300
    residual = np.abs((wide / size) @ v - v * (w[:, None, :] / size))
    size = np.sqrt((np.abs(wide / size) ** 2).sum((-2, -1)))
    assert (residual.max((-2, -1)) <= 40 * rl.finfo(dtype).eps * (size + 1e-300)).all()
    assert np.allclose(np.linalg.norm(v, axis=-2), 1, atol=n * rl.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", SIZES)
def test_values_are_those_of_another_library(n, dtype):
    a = matrices(n, dtype)[:9]
    got = rl.linalg.eigvals(a).numpy().astype(np.complex128)
    for i in (0, 1, 2, 3, 5, 6, 8):
        want = np.linalg.eigvals(a[i].numpy().astype(np.complex128))
        apart = np.abs(got[i][:, None] - want)
        bound = 2000 * n * rl.finfo(dtype).eps * max(np.abs(want).max(), 1e-300)
        assert max(apart.min(0).max(), apart.min(1).max()) <= bound


@pytest.mark.parametrize("n, dtype", [
    (256, rl.float64), (257, rl.float64), (360, rl.float64), (361, rl.float64),
    (256, rl.complex128), (257, rl.complex128),
])  # fmt: skip
def test_no_gap_where_a_library_takes_over(n, dtype):
    a = rl.randn(n, n, dtype=dtype)
    values, vectors = rl.linalg.eig(a)
    assert (a.to(vectors.dtype) @ vectors - vectors * values).abs().max() <= 1e-11 * n
    got, want = rl.linalg.eigvals(a).numpy(), np.linalg.eigvals(a.numpy())
    assert np.abs(got[:, None] - want).min(0).max() <= 1e-10 * n


@pytest.mark.parametrize("n", [2, 5, 16, 40])
def test_conjugate_pairs_are_exact_and_their_largest_elements_real(n):
    values, vectors = rl.linalg.eig(rl.randn(6, n, n))
    for w, v in zip(values, vectors):
        places = (w.imag > 0).nonzero().flatten().tolist()
        for j in places:
            assert rl.equal(w[j + 1], w[j].conj().resolve_conj())
            assert rl.equal(v[:, j + 1], v[:, j].conj().resolve_conj())
            assert v[v[:, j].abs().argmax(), j].imag == 0
        single = (w.imag == 0).nonzero().flatten()
        assert not v[:, single].imag.any()
        assert len(single) + 2 * len(places) == n


@pytest.mark.parametrize("dtype", [rl.complex64, rl.complex128])
@pytest.mark.parametrize("n", [1, 2, 5, 16, 40])
def test_the_largest_elements_of_complex_vectors_are_real(n, dtype):
    for v in rl.linalg.eig(rl.randn(6, n, n, dtype=dtype)).eigenvectors:
        largest = v.gather(0, v.abs().argmax(0, keepdim=True))
        assert not largest.imag.any() and (largest.real > 0).all()


def test_complex_numbers_that_are_far_apart():
    a = rl.randn(3, 9, 9, dtype=rl.complex128)
    a[1] *= 1e-200
    values = rl.linalg.eigvals(a)
    rl.testing.assert_close(rl.linalg.eigvals(a[1] * 1e200) * 1e-200, values[1], rtol=1e-9, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_alone_in_batches_and_on_threads(dtype):
    threads = rl.get_num_threads()
    try:
        for n in (3, 10, 33):
            a = rl.randn(60, n, n, dtype=dtype)
            results = []
            for count in (1, 2):
                rl.set_num_threads(count)
                results.append(rl.linalg.eig(a))
            assert all(rl.equal(x, y) for x, y in zip(*results))
            alone = rl.linalg.eig(a[7])
            assert all(rl.equal(x[7], y) for x, y in zip(results[0], alone))
    finally:
        rl.set_num_threads(threads)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("n", [*SIZES, 128, 255, 257])
def test_inverse_of_cholesky_factors(n, dtype, upper):
    a = rl.randn(4, n, n, dtype=dtype)
    a = a @ a.mT + n * rl.eye(n, dtype=dtype)
    a[2] *= 1e-12
    factor = rl.linalg.cholesky(a, upper=upper)
    rubbish = rl.full_like(factor, 7.0)  # the other triangle is not read
    given = factor + (rubbish.tril(-1) if upper else rubbish.triu(1))
    got = rl.cholesky_inverse(given, upper=upper)
    want = np.linalg.inv(a.double().numpy())
    error = np.abs(got.double().numpy() - want).max((-2, -1)) / np.abs(want).max((-2, -1))
    assert (error <= 30 * rl.finfo(dtype).eps * max(n, 4) ** 0.5).all()
    assert rl.equal(got, got.mT)
    assert rl.equal(got[1], rl.cholesky_inverse(given[1].clone(), upper=upper))


def test_inverse_of_singular_and_far_factors():
    factor = rl.eye(5)
    factor[3, 3] = 0
    with pytest.raises(rl.linalg.LinAlgError, match="4"):
        rl.cholesky_inverse(factor)
    far = rl.eye(5) * rl.tensor([1e-30, 1.0, 1e30, 1.0, 1e-25])
    diagonal = rl.cholesky_inverse(far).diagonal().tolist()
    assert diagonal[0] == diagonal[4] == float("inf") and diagonal[1] == diagonal[3] == 1
