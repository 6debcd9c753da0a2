"""Linear algebra at its edges: empty and singular matrices, dims and dtypes that do not fit, out=,
and numbers that a caller makes up (pivots, factors).
"""

import math
import warnings

import pytest

import rushlight as rl

inf = math.inf


def _matrix(*sizes, dtype=rl.float64):
    return rl.arange(math.prod(sizes), dtype=rl.float64).sin().mul(3).reshape(sizes).to(dtype)


def _definite(n, dtype=rl.float64):
    a = _matrix(n, n)
    return (a @ a.mT + n * rl.eye(n, dtype=rl.float64)).to(dtype)


# ---- norms and condition numbers


@pytest.mark.parametrize("p", [1, -1, inf, -inf, "fro", "nuc"])
def test_cond_of_singular_matrices_is_inf_for_each_of_the_batch(p):
    singular = rl.diag(rl.tensor([1.0, 1.0, 0.0]))
    found = rl.linalg.cond(rl.stack([rl.eye(3), singular]), p)
    assert found[0].item() == pytest.approx({"fro": 3.0, "nuc": 9.0}.get(p, 1.0))
    assert found[1].item() == inf


@pytest.mark.parametrize("p", [None, 1, 2, -2, "fro", inf])
def test_cond_of_empty_matrices_is_zero(p):
    assert rl.linalg.cond(rl.empty(2, 0, 0), p).tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="at least 2"):
        rl.linalg.cond(rl.ones(3), p)


@pytest.mark.parametrize(("sizes", "order"), [((3, 0), 1), ((0, 3), 2), ((3, 0), 2), ((0, 3), inf)])
def test_norms_of_empty_matrices_are_zero(sizes, order):
    assert rl.linalg.matrix_norm(rl.empty(sizes), order).item() == 0.0
    with pytest.raises(IndexError):
        rl.linalg.matrix_norm(rl.empty(sizes), -order)


def test_matrix_norms_refuse_dims_dtypes_and_orders_that_do_not_fit():
    x = _matrix(3, 4)
    for dims in ((5, -2), (-3, 1)):
        with pytest.raises(IndexError, match="out of range"):
            rl.linalg.matrix_norm(x, dim=dims)
    with pytest.raises(TypeError, match="ord"):
        rl.linalg.matrix_norm(x, None)
    with pytest.raises(RuntimeError, match="floating point"):
        rl.linalg.matrix_norm(x.bool(), 1)
    with pytest.raises(RuntimeError, match="real number"):
        rl.linalg.vector_norm(x, 2j)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (rl.float64, rl.float32),
        (rl.complex64, rl.float32),
        (rl.complex64, rl.float64),
        (rl.float32, rl.float16),
        (rl.int64, rl.float32),
    ],
)
def test_norms_are_not_computed_in_a_dtype_that_loses_something(given, asked):
    x = _matrix(3, 4, dtype=given)
    for norm in (rl.norm, rl.linalg.norm, rl.linalg.vector_norm, rl.linalg.matrix_norm):
        with pytest.raises(RuntimeError):
            norm(x, dtype=asked)


def test_norms_of_complex_numbers_may_be_computed_in_a_wider_complex_dtype():
    x = rl.tensor([3 + 4j])
    assert rl.norm(x, dtype=rl.complex128).dtype == rl.float64
    assert rl.linalg.vector_norm(x, dtype=rl.complex128).item() == 5.0


# ---- inverses and solutions


def test_tensor_equations_without_elements_have_shapes():
    a = rl.empty(0, 0, 1, 2, 3, 0)
    assert rl.linalg.tensorinv(a, ind=2).shape == (1, 2, 3, 0, 0, 0)
    assert rl.linalg.tensorsolve(a, rl.empty(0, 0)).shape == (1, 2, 3, 0)
    with pytest.raises(RuntimeError, match="dimension"):
        rl.linalg.tensorinv(rl.tensor(1.0))


def test_lstsq_takes_vectors_only_where_their_batch_is_that_of_the_matrices():
    assert rl.linalg.lstsq(_matrix(1, 1, 1) + 1, _matrix(1, 3)).solution.shape == (1, 1, 3)
    assert rl.linalg.lstsq(_matrix(2, 3, 2), _matrix(2, 3)).solution.shape == (2, 2)
    with pytest.raises(RuntimeError, match="match"):
        rl.linalg.lstsq(_matrix(1, 1, 1), _matrix(3, 1))


@pytest.mark.parametrize("pivots", [[0, 1, 2], [1, 2, 4], [-1, 1, 1], [10**9, 1, 1]])
def test_pivots_that_name_no_row_are_refused(pivots):
    rows = rl.tensor(pivots, dtype=rl.int32)
    with pytest.raises(RuntimeError, match="pivots"):
        rl.linalg.lu_solve(_definite(3), rows, _matrix(3, 2))
    with pytest.raises(RuntimeError, match="pivots"):
        rl.linalg.ldl_solve(_definite(3), rl.where(rows < 0, 7, rows).int(), _matrix(3, 2))


def test_vecdot_and_einsum_refuse_what_has_no_meaning():
    with pytest.raises(RuntimeError, match="same dtype"):
        rl.linalg.vecdot(rl.ones(3), rl.ones(3, dtype=rl.float64))
    for arguments in (("", []), (rl.ones(2), [-1]), (rl.ones(2), [52])):
        with pytest.raises(ValueError, match="einsum"):
            rl.einsum(*arguments)
    with pytest.raises(RuntimeError, match="ellipsis"):
        rl.einsum(". ..", rl.ones(2))


# ---- factors of sums


def test_real_sums_refuse_complex_factors():
    v, m = rl.ones(2), rl.ones(2, 2)
    for call in (
        lambda: rl.sub(v, v, alpha=2j),
        lambda: rl.addcmul(v, v, v, value=2j),
        lambda: rl.addmv(v, m, v, alpha=2j),
        lambda: rl.addmm(m, m, m, beta=2j),
        lambda: rl.baddbmm(m[None], m[None], m[None], alpha=2j),
        lambda: rl.addr(m, v, v, alpha=2j),
    ):
        with pytest.raises(RuntimeError, match="complex"):
            call()


def test_factors_of_sums_of_numbers_are_numbers():
    v, m = rl.ones(2), rl.ones(2, 2)
    for call in (
        lambda: v.add(v, alpha=True),
        lambda: rl.rsub(v, v, alpha=True),
        lambda: rl.addr(m, v, v, beta=True),
    ):
        with pytest.raises(RuntimeError):
            call()
    assert rl.add(v.bool(), v.bool(), alpha=True).all()


# ---- out=


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, out: rl.linalg.inv(x, out=out),
        lambda x, out: rl.linalg.det(x, out=out),
        lambda x, out: rl.linalg.solve(x, x, out=out),
        lambda x, out: rl.linalg.svdvals(x, out=out),
        lambda x, out: rl.linalg.vector_norm(x, out=out),
        lambda x, out: rl.linalg.norm(x, out=out),
        lambda x, out: rl.linalg.cross(x, x, out=out),
        lambda x, out: rl.inner(x, x, out=out),
        lambda x, out: rl.tensordot(x, x, 1, out=out),
        lambda x, out: rl.diag(x, out=out),
        lambda x, out: rl.quantile(x, 0.5, out=out),
        lambda x, out: rl.msort(x, out=out),
        lambda x, out: rl.renorm(x, 2, 0, 1, out=out),
        lambda x, out: rl.isposinf(x, out=out),
        lambda x, out: rl.bucketize(x, x[0].sort()[0], out=out),
        lambda x, out: rl.nonzero(x, out=out),
    ],
)
def test_out_has_to_have_the_results_dtype(compute):
    with pytest.raises(RuntimeError, match="dtype|cast"):
        compute(_definite(3, rl.float32), rl.empty(0, dtype=rl.float64))


def test_slogdet_names_its_class_as_it_is_called():
    assert type(rl.slogdet(rl.eye(2))).__name__ == "slogdet"
    assert type(rl.linalg.slogdet(rl.eye(2))).__name__ == "linalg_slogdet"


def test_istft_says_that_a_length_is_filled_up_with_zeros():
    window = rl.ones(8)
    spectrum = rl.stft(rl.ones(16), 8, window=window, return_complex=True)
    with pytest.warns(UserWarning, match="length"):
        assert rl.istft(spectrum, 8, window=window, length=24)[20:].eq(0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rl.istft(spectrum, 8, window=window, length=16)


def test_lstsq_for_no_right_sides():
    found = rl.linalg.lstsq(rl.eye(2).expand(3, 1, 2, 2), rl.ones(3, 0, 2, 1), driver="gelsd")
    assert found.solution.shape == (3, 0, 2, 1)
    assert found.rank.shape == (3, 1) and found.singular_values.shape == (3, 1, 2)
