"""Matrix products at the edges of their blocks, in every layout, against a float64 reference."""

import numpy as np
from functools import partial

import pytest

import rushlight as rl

# Around the sizes of tiles (6 x 16), blocks (96 rows), depths (256) and panels (1024 columns).
SIZES = [
    (1, 1, 1), (2, 3, 1), (5, 7, 9), (6, 16, 16), (7, 17, 33), (13, 257, 15), (20, 100, 300),
    (97, 300, 31), (64, 513, 65), (3, 40, 1100), (1100, 5, 3), (96, 512, 24), (193, 65, 1030),
]  # fmt: skip


def matrix(rows, cols, dtype, transposed):
    """A matrix whose rows, or columns if transposed, are contiguous."""
    values = (
        rl.randn(cols, rows, dtype=dtype).t() if transposed else rl.randn(rows, cols, dtype=dtype)
    )
    return values


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("rows, depth, cols", SIZES)
@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
def test_products_in_every_layout(dtype, rows, depth, cols, layout):
    a = matrix(rows, depth, dtype, layout[0] == "t")
    b = matrix(depth, cols, dtype, layout[1] == "t")
    start = rl.randn(rows, cols, dtype=dtype)
    wide_a, wide_b, wide_start = (t.double().numpy() for t in (a, b, start))
    # The error of a sum of `depth` terms is at most about depth roundings of the terms' sizes.
    bound = depth * rl.finfo(dtype).eps * (np.abs(wide_a) @ np.abs(wide_b)) + 1e-300
    assert (np.abs((a @ b).double().numpy() - wide_a @ wide_b) <= bound).all()
    added = rl.addmm(start, a, b).double().numpy()
    assert (np.abs(added - (wide_start + wide_a @ wide_b)) <= bound + 1e-6 * np.abs(added)).all()


def test_views_and_slices_multiply_as_their_copies():
    whole = rl.randn(70, 90)
    a, b = whole[3:50:2, 1:40], whole[10:49, 5:77:3]
    assert rl.equal(a @ b, a.contiguous() @ b.contiguous())


def test_threads_do_not_change_a_bit():
    a, b, threads = rl.randn(301, 700), rl.randn(700, 411), rl.get_num_threads()
    try:
        rl.set_num_threads(1)
        one, thin = a @ b, a[:20] @ b.t().contiguous().t()
        rl.set_num_threads(3)
        assert rl.equal(a @ b, one)
        assert rl.equal(a[:20] @ b.t().contiguous().t(), thin)
    finally:
        rl.set_num_threads(threads)


def test_infinities_and_nans_stay_in_their_rows_and_columns():
    a, b = rl.randn(40, 30), rl.randn(30, 50)
    a[7, 3], b[5, 11] = float("inf"), float("nan")
    result = a @ b
    bad = ~rl.isfinite(result)
    assert bad[7].all() and bad[:, 11].all()
    assert int(bad.sum()) == 50 + 40 - 1


def test_empty_sums_are_zero():
    assert rl.equal(rl.zeros(20, 0) @ rl.zeros(0, 30), rl.zeros(20, 30))
    assert (rl.zeros(0, 5) @ rl.zeros(5, 9)).shape == (0, 9)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("rows", [1, 3, 4, 7, 64])
@pytest.mark.parametrize("size", [1, 15, 33, 200])
def test_a_row_of_a_product_does_not_depend_on_its_neighbours(dtype, rows, size):
    a, x = rl.randn(rows, size, dtype=dtype), rl.randn(size, dtype=dtype)
    y = a @ x
    assert rl.allclose(y.double(), (a.double() * x.double()).sum(1), atol=1e-4)
    assert all(rl.equal(y[i], a[i] @ x) for i in range(rows))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64, rl.complex64, rl.bfloat16])
def test_a_column_times_a_row(dtype):
    a, b = rl.randn(5, 1).to(dtype), rl.randn(2, 1, 19).to(dtype)
    assert rl.equal(a @ b, a * b)
    added = rl.addmm(rl.ones(5, 19, dtype=dtype), a, b[0])
    assert rl.allclose(added, a * b[0] + 1, atol=0.05 if dtype == rl.bfloat16 else 1e-5)


# From a size on, processors that multiply bfloat16 do so themselves.
@pytest.mark.parametrize("rows, depth, cols", [(3, 5, 2), (100, 130, 170), (200, 600, 96)])
@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
def test_products_of_bfloat16_round_once(rows, depth, cols, layout):
    a = matrix(rows, depth, rl.bfloat16, layout[0] == "t")
    b = matrix(depth, cols, rl.bfloat16, layout[1] == "t")
    bias = rl.randn(cols, dtype=rl.bfloat16)
    wide_a, wide_b, wide_bias = (t.double() for t in (a, b, bias))
    bound = depth * 2.0**-23 * (wide_a.abs() @ wide_b.abs())

    def check(got, wide):
        assert got.dtype == rl.bfloat16
        assert ((got.double() - wide).abs() <= bound + 2.0**-8 * wide.abs()).all()

    check(a @ b, wide_a @ wide_b)
    check(rl.stack((a, a)).matmul(b)[1], wide_a @ wide_b)
    check(rl.nn.functional.linear(a, b.t(), bias), wide_a @ wide_b + wide_bias)
    check(rl.addmm(bias, a, b, beta=2, alpha=0.5), wide_a @ wide_b / 2 + 2 * wide_bias)


# Columns that begin a power of two apart, whole or a part of longer ones.
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("step, depth", [(1024, 1024), (2048, 992), (1024, 1001), (2048, 32)])
def test_products_of_bfloat16_columns_of_the_same_set(step, depth, threads):
    w = rl.randn(300, step, dtype=rl.bfloat16)[:, :depth]
    x, bias = rl.randn(101, depth, dtype=rl.bfloat16), rl.randn(300, dtype=rl.bfloat16)
    used = rl.get_num_threads()
    rl.set_num_threads(threads)
    try:
        got = rl.nn.functional.linear(x, w, bias)
    finally:
        rl.set_num_threads(used)
    want = x.double() @ w.double().t() + bias.double()
    bound = depth * 2.0**-23 * (x.double().abs() @ w.double().abs().t())
    assert ((got.double() - want).abs() <= bound + 2.0**-8 * want.abs()).all()
    assert rl.equal(got, rl.nn.functional.linear(x, w.clone(), bias))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64"])
@pytest.mark.parametrize("rows, depth, cols", [*SIZES[:9], (1, 300, 40), (40, 300, 1), (9, 1, 70)])
def test_integers_of_any_size_wrap(dtype, rows, depth, cols):
    limits = np.iinfo(dtype)
    random = np.random.default_rng(rows)
    a, b, start = [
        random.integers(limits.min, limits.max, size, dtype=dtype, endpoint=True)
        for size in ((rows, depth), (depth, cols), (rows, cols))
    ]
    wide = a.astype("int64") @ b.astype("int64")  # numpy's arrays wrap without a word
    for right in (rl.tensor(b), rl.tensor(b).t().contiguous().t()):
        for left in (rl.tensor(a), rl.tensor(a).t().contiguous().t()):
            assert (rl.mm(left, right).numpy() == wide.astype(dtype)).all()
        added = rl.addmm(rl.tensor(start), rl.tensor(a), right, beta=3, alpha=-2)
        assert (added.numpy() == (3 * start.astype("int64") - 2 * wide).astype(dtype)).all()
    batch = rl.matmul(rl.tensor(a).expand(3, -1, -1), rl.tensor(b))
    assert batch.dtype == rl.tensor(a).dtype and (batch.numpy() == wide.astype(dtype)).all()
    assert (
        rl.mv(rl.tensor(a), rl.tensor(b[:, 0].copy())).numpy() == wide[:, 0].astype(dtype)
    ).all()


BATCHES = [
    (1, 1, 1), (2, 2, 2), (3, 3, 3), (4, 4, 4), (1, 4, 1), (7, 3, 1), (1, 3, 7), (5, 1, 4),
    (8, 8, 1), (16, 16, 1), (9, 17, 1), (1, 31, 1), (1, 63, 1), (6, 35, 1), (1, 8, 8),
    (8, 8, 8), (2, 0, 3),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int16, rl.int64, rl.complex64])
@pytest.mark.parametrize("rows, depth, cols", BATCHES)
def test_batches_of_small_products(dtype, rows, depth, cols):
    for count in (1, 3, 4, 29):
        a = rl.randint(-9, 9, (count, rows, depth)).to(dtype)
        b = rl.randint(-9, 9, (count, depth, cols)).to(dtype)
        start = rl.randint(-9, 9, (count, rows, cols)).to(dtype)
        expected = np.matmul(a.numpy(), b.numpy())
        for left in (a, a.mT.contiguous().mT, rl.cat([a, a], 2)[:, :, :depth]):
            for right in (b, b.mT.contiguous().mT, rl.cat([b, b], 0)[::2][:count] * 0 + b):
                assert (rl.bmm(left, right).numpy() == expected).all()
        assert (rl.baddbmm(start, a, b).numpy() == start.numpy() + expected).all()
        assert (rl.matmul(a[:, None], b[None, :]).numpy() == np.matmul(
            a.numpy()[:, None], b.numpy()[None])).all()  # fmt: skip
        assert (rl.matmul(a[0], b).numpy() == np.matmul(a.numpy()[0], b.numpy())).all()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 8, 12, 15, 16, 17, 24, 31, 33, 47, 64, 100])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_rows_times_a_vector_of_any_length(n, dtype):
    for rows in (1, 2, 4, 5, 11):
        a, x = rl.randn(rows, n, dtype=dtype), rl.randn(n, dtype=dtype)
        wide = a.double().numpy() @ x.double().numpy()
        bound = n * rl.finfo(dtype).eps * (np.abs(a.numpy()) @ np.abs(x.numpy()))
        assert (np.abs(a.mv(x).numpy() - wide) <= bound).all()
        each = rl.stack([a[i : i + 1].mv(x)[0] for i in range(rows)])
        assert rl.equal(a.mv(x), each)  # one order of additions
        a[0, n - 1] = float("inf")
        assert a.mv(x.abs())[0].item() == float("inf") and a.mv(x)[1:].isfinite().all()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 9, 16, 31, 32, 33, 63, 64, 67, 128, 135, 259])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int16, rl.int64])
def test_a_vector_times_columns_of_any_length(n, dtype):
    for depth in (0, 1, 3, 4, 6, 57, 130):
        make = rl.randn if dtype.is_floating_point else partial(rl.randint, -9, 9)
        a = make((depth, n + 3), dtype=dtype)[:, 2 : n + 2]
        x, y = make((depth,), dtype=dtype), make((n,), dtype=dtype)
        wide = x.double().numpy() @ a.double().numpy()
        eps = rl.finfo(dtype).eps if dtype.is_floating_point else 0
        bound = (depth + 2) * eps * (np.abs(x.numpy()) @ np.abs(a.numpy()) + np.abs(y.numpy()))
        assert (np.abs((x @ a).double().numpy() - wide) <= bound).all()
        assert rl.equal(x @ a, (x[None] @ a)[0])
        assert n == 1 or rl.equal(x @ a, a.t().mv(x))
        added = rl.addmv(y, a.t(), x).double().numpy()
        assert (np.abs(added - wide - y.double().numpy()) <= bound).all()
    if dtype.is_floating_point:
        a[3, n - 1], x[5] = float("inf"), float("nan")
        assert (x @ a).isnan().all()
        assert (x.nan_to_num().abs() @ a.abs())[n - 1].item() == float("inf")


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("rows", [7, 8, 32, 33])
@pytest.mark.parametrize("cols", [40, 64, 203])
@pytest.mark.parametrize("depth", [15, 16, 63, 64, 130])
def test_products_around_those_that_are_turned_around(dtype, rows, cols, depth):
    a, b = rl.randn(rows, depth, dtype=dtype), rl.randn(cols, depth, dtype=dtype)
    expected = (a.double().unsqueeze(1) * b.double()).sum(2)
    room = 8 * depth * rl.finfo(dtype).eps
    assert (rl.mm(a, b.t()).double() - expected).abs().max() <= room


COMPLEX_SIZES = [
    (1, 1, 1), (2, 3, 1), (1, 7, 9), (3, 1, 17), (7, 5, 2), (8, 8, 8), (9, 17, 15), (5, 64, 33),
    (64, 1, 64), (33, 31, 1), (40, 70, 31), (90, 100, 80), (64, 513, 65), (5, 600, 3),
    (1, 300, 40), (40, 300, 1), (130, 129, 131), (4, 257, 260), (3, 40, 1100),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [rl.complex64, rl.complex128])
@pytest.mark.parametrize("rows, depth, cols", COMPLEX_SIZES)
@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
def test_complex_products_in_every_layout(dtype, rows, depth, cols, layout):
    a = matrix(rows, depth, dtype, layout[0] == "t")
    b = matrix(depth, cols, dtype, layout[1] == "t")
    start = rl.randn(rows, cols, dtype=dtype)
    wide_a, wide_b, wide_start = (t.numpy().astype(np.complex128) for t in (a, b, start))
    bound = 4 * depth * rl.finfo(dtype).eps * (np.abs(wide_a) @ np.abs(wide_b)) + 1e-300
    want = wide_a @ wide_b
    assert (np.abs((a @ b).numpy() - want) <= bound).all()
    added = rl.addmm(start, a, b).numpy()
    assert (np.abs(added - (wide_start + want)) <= bound + 1e-6 * np.abs(added)).all()
    batched = rl.bmm(a.expand(5, rows, depth), b.expand(5, depth, cols))
    assert (np.abs(batched.numpy() - want) <= bound).all()
    assert (np.abs((a.conj() @ b).numpy() - wide_a.conj() @ wide_b) <= bound).all()


def test_complex_products_with_infinities_and_on_threads():
    a, b = rl.randn(40, 30, dtype=rl.complex64), rl.randn(30, 50, dtype=rl.complex64)
    deep = rl.randn(99, 700, dtype=rl.complex64)
    threads = rl.get_num_threads()
    try:
        rl.set_num_threads(1)
        one, square, along = a @ b, deep @ deep.t(), deep @ deep[5]
        rl.set_num_threads(3)
        assert rl.equal(a @ b, one)
        assert rl.equal(a[11:12] @ b, one[11:12])
        assert rl.equal(deep @ deep.t(), square)
        assert rl.equal(deep[:3] @ deep.t(), square[:3])
        assert rl.equal(deep @ deep[5], along)
    finally:
        rl.set_num_threads(threads)
    a[7, 3], b[5, 11] = complex(float("inf"), 1), complex(0, float("nan"))
    bad = ~rl.isfinite((a @ b).abs())
    assert bad[7].all() and bad[:, 11].all() and bad.sum() == 50 + 39


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.complex64, rl.bfloat16])
@pytest.mark.parametrize("depth, cols", [(3, 5), (31, 33), (32, 33)])
def test_gradient_of_a_vector_before_a_batch(depth, cols, dtype):
    a, b = rl.randn(depth, dtype=dtype), rl.randn(2, 3, depth, cols, dtype=dtype)
    g = rl.randn(2, 3, cols, dtype=dtype)
    kind = rl.complex128 if dtype.is_complex else rl.float64
    want = (g.to(kind).unsqueeze(-2) * b.to(kind).conj()).sum((0, 1, 3))
    for given in (a, a.unsqueeze(0)):
        x = given.clone().requires_grad_()
        y = x @ b
        (got,) = rl.autograd.grad(y, x, g.view(y.shape))
        assert got.shape == x.shape
        bound = 20 * cols * rl.finfo(dtype).eps
        assert (got.to(kind).flatten() - want).abs().max().item() <= bound


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.int32, rl.complex64])
@pytest.mark.parametrize("batch, length, depth, cols", [
    (4, 9, 33, 65), (3, 64, 16, 8), (1, 5, 40, 12), (7, 1, 32, 33), (5, 95, 20, 24), (0, 4, 9, 9),
])  # fmt: skip
def test_rows_of_a_batch_that_lie_apart(dtype, batch, length, depth, cols):
    whole = (rl.randn(batch, length, depth + 3) * 4).to(dtype)
    w, bias = (rl.randn(cols, depth) * 4).to(dtype), (rl.randn(cols) * 4).to(dtype)
    for x in (whole[..., 1:-2].transpose(0, 1), whole[..., :depth][:, ::2]):
        together = x.contiguous()
        for got, want in (
            (rl.nn.functional.linear(x, w, bias), rl.nn.functional.linear(together, w, bias)),
            (x @ w.t(), together @ w.t()),
            (x[..., None, :, :] @ w.t(), together[..., None, :, :] @ w.t()),
        ):
            assert got.shape == want.shape and got.is_contiguous()
            near = 1e-5 if dtype != rl.bfloat16 else 2e-2
            rl.testing.assert_close(got, want, rtol=near, atol=near * 10)


# Up to twice the lanes of a vector, whose sums are short, or end within a vector.
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("rows", [2, 3, 4, 5, 7, 8, 11, 12, 13, 17, 20, 24, 25])
@pytest.mark.parametrize(
    "depth, cols", [(63, 9), (64, 5), (79, 40), (256, 33), (300, 7), (523, 66)]
)
def test_a_few_rows_times_rows(dtype, rows, depth, cols):
    whole = rl.randn(rows, depth + 5, dtype=dtype)
    weight = rl.randn(cols, depth + 3, dtype=dtype)
    a, b, start = whole[:, 2:-3], weight[:, :depth], rl.randn(rows, cols, dtype=dtype)
    want = a.double().numpy() @ b.double().numpy().T
    room = 8 * depth * rl.finfo(dtype).eps
    product = a @ b.t()
    assert np.abs(product.double().numpy() - want).max() <= room
    added = rl.addmm(start, a, b.t()).double().numpy()
    assert np.abs(added - want - start.double().numpy()).max() <= room
    threads = rl.get_num_threads()
    try:
        for n in (1, 2, 3):
            rl.set_num_threads(n)
            assert rl.equal(a @ b.t(), product)
    finally:
        rl.set_num_threads(threads)
    a[1, depth - 1], b[3, 0] = float("inf"), float("nan")
    bad = ~rl.isfinite(a @ b.t())
    assert bad[1].all() and bad[:, 3].all() and int(bad.sum()) == cols + rows - 1


@pytest.mark.parametrize("dtype", [rl.bfloat16, rl.float16])
@pytest.mark.parametrize("count", [1, 2, 4, 5])
@pytest.mark.parametrize(
    "depth, rows", [(128, 128), (300, 77), (1024, 130), (17, 2000), (20000, 3)]
)
def test_few_vectors_times_a_large_matrix_of_16_bits(dtype, count, depth, rows):
    x, w = rl.randn(count, depth).to(dtype), rl.randn(rows, depth).to(dtype)
    bias, half = rl.randn(rows).to(dtype), depth // 2
    want = x.double() @ w.double().t()
    shifted, part = want + bias.double(), w[:, :half].double() @ x[0, :half].double()
    room = 1.5 * rl.finfo(dtype).eps * (want.abs().max() + 4)
    for got, expected in (
        (rl.nn.functional.linear(x, w), want),
        (rl.nn.functional.linear(x, w, bias), shifted),
        (rl.addmm(bias, x, w.t()), shifted),
        (x.expand(1, count, depth) @ w.t(), want[None]),
        (w @ x[0], want[0]),
        (w.t().contiguous().t() @ x[0], want[0]),
        (w[::2] @ x[0], want[0, ::2]),
        (w[:, :half] @ x[0, :half], part),
    ):
        assert got.shape == expected.shape and got.dtype == dtype
        assert (got.double() - expected).abs().max() <= room
