"""Vector products, selections, runs of equals, diagonals and complex sums against plain loops."""

import itertools

import numpy as np
import pytest

import rushlight as rl

WIDTHS = [1, 2, 3, 5, 8, 15, 16, 17, 33, 100]


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int8, rl.int64, rl.complex64])
@pytest.mark.parametrize("n", [0, *WIDTHS])
def test_vector_products_along_any_dimension(dtype, n):
    a, b = [rl.randint(-9, 9, (3, n)).to(dtype) for _ in range(2)]
    x, y = a.numpy(), b.numpy()
    expected = np.stack([x[i - 2] * y[i - 1] - x[i - 1] * y[i - 2] for i in range(3)])
    assert (rl.linalg.cross(a, b, dim=0).numpy() == expected).all()
    assert (rl.linalg.cross(a.t(), b.t()).numpy() == expected.T).all()
    assert (rl.cross(a[:, :, None], b[:, :, None], dim=0).numpy()[..., 0] == expected).all()
    assert rl.equal(
        rl.linalg.cross(a.t(), b.t()[:1]), rl.linalg.cross(a.t(), b.t()[:1].expand(n, 3))
    )


def test_vector_products_round_each_step_and_refuse_bools():
    a, b = rl.randn(40, 3).bfloat16(), rl.randn(40, 3).bfloat16()
    p, q, r = a.unbind(1)
    x, y, z = b.unbind(1)
    steps = rl.stack((q * z - r * y, r * x - p * z, p * y - q * x), 1)
    assert rl.equal(rl.linalg.cross(a, b), steps)
    assert rl.linalg.cross(a, b.float()).dtype == rl.float32
    with pytest.raises((RuntimeError, NotImplementedError)):
        rl.linalg.cross(rl.ones(2, 3).bool(), rl.ones(2, 3).bool())


@pytest.mark.parametrize("dtype", [rl.float64, rl.complex128])
def test_gradients_of_vector_products_and_diagonals(dtype):
    a = rl.randn(2, 3, dtype=dtype, requires_grad=True)
    b = rl.randn(1, 3, dtype=dtype, requires_grad=True)
    for call in (rl.linalg.cross, lambda a, b: rl.diag_embed(a * b, 1, 0, -1)):
        assert rl.autograd.gradcheck(call, (a, b))
        assert rl.autograd.gradgradcheck(call, (a, b))


def test_examples_of_a_batch():
    a, b = rl.randn(4, 2, 3), rl.randn(4, 2, 3)
    for dims in ((0, 0), (0, None), (None, 0)):
        x, y = [t if d == 0 else t[0] for t, d in zip((a, b), dims)]
        whole = rl.vmap(rl.linalg.cross, dims)(x, y)
        each = [rl.linalg.cross(*[t if d is None else t[i] for t, d in zip((x, y), dims)])
                for i in range(4)]  # fmt: skip
        assert rl.equal(whole, rl.stack(each))
    for offset, first, second in ((0, -2, -1), (1, 0, 1), (-2, 2, 0)):
        whole = rl.vmap(rl.diag_embed, (0, None, None, None))(a, offset, first, second)
        assert rl.equal(whole, rl.stack([rl.diag_embed(t, offset, first, second) for t in a]))


@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize("r", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 19])
def test_selections_as_itertools_makes_them(n, r, repeats):
    choose = itertools.combinations_with_replacement if repeats else itertools.combinations
    expected = [list(row) for row in choose(range(10, 10 + n), r)]
    found = rl.combinations(rl.arange(10, 10 + n), r, repeats)
    assert found.shape == (len(expected), r) and found.tolist() == expected


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float32", "float64", "complex64"])
@pytest.mark.parametrize("n", [0, *WIDTHS, 300])
def test_runs_of_equals(dtype, n):
    for many in (1, 2, 5):
        x = np.random.default_rng(n).integers(0, many, n).astype(dtype)
        groups = [(k, len(list(g))) for k, g in itertools.groupby(x.tolist())]
        t = rl.tensor(x)
        values, inverse, counts = t.unique_consecutive(True, True)
        assert values.tolist() == [k for k, _ in groups]
        assert counts.tolist() == [c for _, c in groups]
        assert inverse.tolist() == [i for i, (_, c) in enumerate(groups) for _ in range(c)]
        assert rl.equal(t.unique_consecutive(), values)
        assert rl.equal(t.unique_consecutive(return_inverse=True)[1], inverse)
        assert rl.equal(t.unique_consecutive(return_counts=True)[1], counts)


def test_runs_keep_their_first_zero_and_every_nan():
    x = rl.tensor([-0.0, 0.0, float("nan"), float("nan"), 1.0])
    values, counts = x.unique_consecutive(return_counts=True)
    assert counts.tolist() == [2, 1, 1, 1] and values[:1].signbit().item()


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("n", [0, *WIDTHS, 1000, 3001])
def test_complex_sums(dtype, n):
    random = np.random.default_rng(n)
    x = (random.standard_normal((5, n)) + 1j * random.standard_normal((5, n))).astype(dtype)
    t, wide = rl.tensor(x), x.astype("complex128")
    bound = np.finfo(dtype).eps * (np.abs(wide).sum(1) + 1e-30) * 4
    assert (np.abs(t.sum(1).numpy() - wide.sum(1)) <= bound).all()
    assert (np.abs(t.t().contiguous().sum(0).numpy() - wide.sum(1)) <= bound).all()
    assert abs(t.sum().item() - wide.sum()) <= bound.sum()
    if n:
        assert (np.abs(t.mean(1).numpy() - wide.mean(1)) <= bound / n).all()
        t[2, n // 2] = complex(float("inf"), float("nan"))
        total = t.sum(1)
        assert total[2].real.isinf() and total[2].imag.isnan() and rl.isfinite(total[:2]).all()


@pytest.mark.parametrize("n", [1, 31, 128, 300, 1025])
def test_a_column_and_a_row_in_either_order(n):
    column, row = rl.randn(7, 1), rl.randn(n)
    for f in (lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a / b,
              lambda a, b: rl.add(a, b, alpha=3)):  # fmt: skip
        whole = f(column.expand(7, n).clone(), row.expand(7, n).clone())
        assert rl.equal(f(column, row), whole)
    assert rl.equal(rl.outer(column[:, 0], row), column * row)
