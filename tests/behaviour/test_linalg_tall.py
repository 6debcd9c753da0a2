"""Least squares of tall matrices and inverses of many small ones, which have loops of their own:
deficient ranks, extremes of scale, singular matrices, any number of threads. References are NumPy's
in double precision.
"""

import numpy as np
import pytest

import rushlight as rl

DRIVERS = ("gelsy", "gelsd", "gelss", "gels")
SIZES = [(1000, 50, 1), (7, 3, 2), (100, 50, 3), (33, 1, 1), (64, 8, 9), (300, 130, 4)]
BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def _system(m, n, k, dtype):
    made = np.random.default_rng(m + n)
    return made.standard_normal((m, n)).astype(dtype), made.standard_normal((m, k)).astype(dtype)


def _solve(a, b, **more):
    return rl.linalg.lstsq(rl.from_numpy(a.copy()), rl.from_numpy(b.copy()), **more)


def _wanted(a, b):
    cutoff = np.finfo(a.dtype).eps * len(a)
    return np.linalg.lstsq(a.astype(float), b.astype(float), rcond=cutoff)


def _close(got, want, dtype, factor=2000):
    size = np.abs(want).max() or 1.0  # squares of the numbers themselves might not be finite
    got, want = got.numpy().astype(float) / size, want / size
    assert np.linalg.norm(got - want) <= factor * np.finfo(dtype).eps * np.linalg.norm(want)


@BOTH
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("size", SIZES)
def test_full_rank(size, driver, dtype):
    a, b = _system(*size, dtype)
    x, residuals, rank, values = _wanted(a, b)
    got = _solve(a, b, driver=driver)
    _close(got.solution, x, dtype)
    if driver != "gels":
        assert int(got.rank) == rank
    if driver != "gelsy":
        _close(got.residuals, residuals, dtype)
    if driver in ("gelsd", "gelss"):
        _close(got.singular_values, values, dtype)


@BOTH
@pytest.mark.parametrize("driver", DRIVERS[:3])
def test_deficient_rank_gives_the_shortest_solution(driver, dtype):
    for m, n, k in SIZES:
        a, b = _system(m, n, k, dtype)
        low = a[:, : n // 3 + 1] @ np.random.default_rng(0).standard_normal((n // 3 + 1, n))
        zeros = a.copy()
        zeros[:, ::2] = 0
        for matrix in (low.astype(dtype), zeros, np.zeros_like(a)):
            x, _, rank, _ = _wanted(matrix, b)
            got = _solve(matrix, b, driver=driver)
            assert int(got.rank) == rank
            _close(got.solution, x, dtype, 2e5)


@BOTH
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("scale", ["1e-38", "1e-30", "1e-15", "1e15", "1e30", "3e37"])
def test_scale_does_not_matter(scale, driver, dtype):
    a, b = _system(200, 20, 2, np.float64)
    power = float(scale) if dtype == np.float32 else float(scale) ** 8
    for left, right in ((power, power), (power, 1.0)):
        x = _wanted(a, b)[0] * (right / left)
        tiny = np.finfo(dtype).tiny
        if np.abs(x).max() > np.finfo(dtype).max / 4 or power < tiny * 100:
            continue
        got = _solve((a * left).astype(dtype), (b * right).astype(dtype), driver=driver)
        _close(got.solution, x, dtype, 1e5)


NEAR_SQUARE = [(1, 1, 1), (5, 5, 2), (17, 16, 1), (33, 33, 9), (100, 97, 1), (150, 130, 5)]
NEAR_SQUARE += [(260, 128, 3), (200, 200, 1), (8, 20, 2), (64, 65, 1), (50, 120, 4)]


def _of_singular_values(m, n, k, values, dtype):
    """A with these singular values, and B."""
    made = np.random.default_rng(m * n)

    def random(*size):
        x = made.standard_normal(size)
        return (
            x + 1j * made.standard_normal(size) if np.issubdtype(dtype, np.complexfloating) else x
        )

    u, v = np.linalg.qr(random(m, len(values)))[0], np.linalg.qr(random(n, len(values)))[0]
    return ((u * values) @ v.conj().T).astype(dtype), random(m, k).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("size", NEAR_SQUARE)
def test_default_driver_at_any_shape(size, dtype):
    m, n, k = size
    least, eps = min(m, n), np.finfo(dtype).eps
    wide = np.complex128 if np.issubdtype(dtype, np.complexfloating) else np.float64
    for rank in {least, (least + 1) // 2}:
        a, b = _of_singular_values(m, n, k, np.linspace(3, 1, rank), dtype)
        cutoff = eps * max(m, n) * 30  # above what rounding leaves of singular values that are 0
        x = np.linalg.lstsq(a.astype(wide), b.astype(wide), rcond=cutoff)[0]
        got = _solve(a, b, rcond=cutoff)
        assert int(got.rank) == rank
        error = np.linalg.norm(got.solution.numpy().astype(wide) - x)
        assert error <= 200 * eps * np.linalg.norm(x) * max(m, n) ** 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("size", [(40, 12, 2), (30, 30, 1), (150, 140, 2), (12, 40, 1)])
def test_rank_is_that_of_the_given_cutoff(size, dtype):
    m, n, k = size
    values = np.linspace(2, 1, min(m, n))
    values[-1] = 1e-3
    a, b = _of_singular_values(m, n, k, values, dtype)
    for cutoff, rank in ((1e-5, len(values)), (1e-4, len(values)), (1e-2, len(values) - 1)):
        got = _solve(a, b, rcond=cutoff)
        x = np.linalg.lstsq(a, b, rcond=cutoff)[0]
        assert int(got.rank) == rank
        assert np.linalg.norm(got.solution.numpy() - x) <= 2e-2 * np.linalg.norm(x)


def test_singular_square_matrices_of_exact_zeros():
    a = rl.ones(3, 3).tril()
    a[1, 1] = a[2, 1] = 0
    got = rl.linalg.lstsq(a.expand(4, 3, 3), rl.ones(4, 3, 1))
    want = np.linalg.lstsq(a.numpy(), np.ones((3, 1)), rcond=1e-6)[0]
    assert got.rank.tolist() == [2] * 4
    assert np.allclose(got.solution.numpy(), want, atol=1e-6)


@BOTH
def test_columns_of_very_different_scale(dtype):
    a, b = _system(100, 10, 1, np.float64)
    scales = np.logspace(0, -30 if dtype == np.float32 else -250, 10)
    got = _solve((a * scales).astype(dtype), b.astype(dtype), rcond=0.0)
    assert int(got.rank) == 10
    rescaled = got.solution.numpy().astype(float)[:, 0] * scales
    assert np.allclose(rescaled, _wanted(a, b)[0][:, 0], rtol=1e-3)


@BOTH
def test_batches_layouts_and_threads(dtype):
    a = rl.from_numpy(np.random.default_rng(1).standard_normal((5, 40, 300)).astype(dtype)).mT
    b = rl.from_numpy(np.random.default_rng(2).standard_normal((5, 300, 6)).astype(dtype))[..., ::2]
    before = rl.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            rl.set_num_threads(threads)
            results.append(rl.linalg.lstsq(a, b).solution)
    finally:
        rl.set_num_threads(before)
    assert rl.equal(results[0], results[1]) and rl.equal(results[0], results[2])
    for i in range(5):
        assert rl.equal(results[0][i], rl.linalg.lstsq(a[i], b[i]).solution)


@BOTH
def test_panels_and_small_batches_do_not_depend_on_threads(dtype):
    before = rl.get_num_threads()
    try:
        for size in ((300, 200), (3, 150, 120), (40, 10, 10)):
            made = np.random.default_rng(0)
            a = rl.from_numpy(made.standard_normal(size).astype(dtype))
            b = rl.from_numpy(made.standard_normal((*size[:-1], 2)).astype(dtype))
            results = []
            for threads in (1, 2):
                rl.set_num_threads(threads)
                results.append(rl.linalg.lstsq(a, b).solution)
            assert rl.equal(*results)
    finally:
        rl.set_num_threads(before)


def test_numbers_that_are_not_finite_reach_the_driver():
    a, b = rl.randn(30, 4), rl.randn(30, 1)
    b[3] = rl.nan
    assert rl.linalg.lstsq(a, b).solution.isnan().any()


# ---- inverses


@BOTH
@pytest.mark.parametrize("n", range(1, 14))
def test_many_small_inverses(n, dtype):
    a = np.random.default_rng(n).standard_normal((37, n, n)).astype(dtype)
    a[5] = np.eye(n)[::-1]  # needs every exchange of rows
    inverse = rl.linalg.inv(rl.from_numpy(a))
    for one, got in zip(a, inverse, strict=True):
        bound = 50 * np.finfo(dtype).eps * np.linalg.cond(one.astype(float)) ** 2
        want = np.linalg.inv(one.astype(float))
        error = np.linalg.norm(got.numpy() - want) / np.linalg.norm(want)
        assert error <= bound
        assert rl.equal(got, rl.linalg.inv(rl.from_numpy(one)))
    turned = rl.from_numpy(np.ascontiguousarray(a.transpose(0, 2, 1))).mT
    assert rl.equal(rl.linalg.inv(turned), inverse)


@BOTH
def test_codes_name_the_first_zero_pivot(dtype):
    a = np.tile(np.eye(4), (19, 1, 1)).astype(dtype)
    a[3, 2, 2] = 0
    a[4, 0, 0] = a[4, 3, 3] = 0
    a[8] = 0
    inverse, info = rl.linalg.inv_ex(rl.from_numpy(a))
    assert [(i, c) for i, c in enumerate(info.tolist()) if c] == [(3, 3), (4, 1), (8, 1)]
    assert not inverse[3].isfinite().all() and rl.equal(inverse[5], rl.eye(4, dtype=inverse.dtype))
    with pytest.raises(rl.linalg.LinAlgError, match="Batch element 3.*diagonal element 3 is zero"):
        rl.linalg.inv(rl.from_numpy(a))


@pytest.mark.parametrize("driver", DRIVERS)
def test_ranks_are_those_of_the_matrices_that_were_given(driver):
    one, two = rl.randn(1, 4, 3), rl.randn(2, 4, 3)
    found = rl.linalg.lstsq(one, two, driver=driver)
    assert found.solution.shape == (2, 3, 3)
    assert found.rank.tolist() == ([] if driver == "gels" else [3])
    assert found.singular_values.shape == ((1, 3) if driver in ("gelsd", "gelss") else (0,))
    assert rl.linalg.lstsq(two, one, driver=driver).rank.tolist() == found.rank.tolist() * 2
