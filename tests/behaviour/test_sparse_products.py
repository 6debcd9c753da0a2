"""Sparse times strided matrices, against products of strided ones."""

import pytest

import rushlight as rl


def _sparse(n, m, count, dtype=rl.float64):
    indices = rl.stack((rl.randint(0, n, (count,)), rl.randint(0, m, (count,))))
    return rl.sparse_coo_tensor(indices, rl.randn(count).to(dtype), (n, m))


@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16))
@pytest.mark.parametrize("width", (0, 1, 7, 16, 17, 65))
@pytest.mark.parametrize("count", (0, 1, 40))
def test_products_are_those_of_dense_matrices(dtype, width, count):
    a, b = _sparse(6, 9, count, dtype), rl.randn(9, width).to(dtype)
    close = {"atol": 0.2, "rtol": 0.1} if dtype == rl.bfloat16 else {"atol": 1e-4, "rtol": 1e-4}
    rl.testing.assert_close(a @ b, a.to_dense() @ b, **close)
    rl.testing.assert_close(b.t() @ a.t(), b.t() @ a.to_dense().t(), **close)
    rl.testing.assert_close(a.coalesce().to_sparse_csr() @ b, a.to_dense() @ b, **close)


def test_threads_do_not_change_sums():
    a, b, threads = _sparse(50, 60, 3000, rl.float32), rl.randn(60, 700), rl.get_num_threads()
    try:
        rl.set_num_threads(1)
        one = a @ b
        rl.set_num_threads(2)
        assert rl.equal(a @ b, one)
    finally:
        rl.set_num_threads(threads)


def test_gradients_and_examples():
    a, b = _sparse(5, 4, 7).coalesce(), rl.randn(4, 3, dtype=rl.float64)
    indices = a.indices()

    def product(values, dense):
        return rl.sparse_coo_tensor(indices, values, (5, 4)) @ dense

    leaves = (a.values().clone().requires_grad_(), b.requires_grad_())
    assert rl.autograd.gradcheck(product, leaves)
    assert rl.autograd.gradgradcheck(product, leaves)
    batch = rl.randn(3, 4, 2, dtype=rl.float64)
    rl.testing.assert_close(rl.vmap(lambda d: a @ d)(batch), a.to_dense() @ batch)
    tangent = rl.func.jvp(lambda d: a @ d, (batch[0],), (batch[1],))[1]
    rl.testing.assert_close(tangent, a.to_dense() @ batch[1])


def test_what_is_not_finite_stays_in_its_rows():
    a = rl.sparse_coo_tensor([[0, 1], [0, 1]], [1.0, float("inf")], (3, 2))
    assert (a @ rl.ones(2, 1)).flatten().tolist() == [1.0, float("inf"), 0.0]


def test_indices_out_of_range_are_refused():
    a = rl.sparse_coo_tensor(
        rl.tensor([[0, 5], [0, 1]]), rl.ones(2), (3, 2), check_invariants=False
    )
    with pytest.raises((RuntimeError, IndexError), match="out of range"):
        a @ rl.ones(2, 2)


@pytest.mark.parametrize("shape", ((0, 3), (3, 0), (1, 1), (6, 9)))
@pytest.mark.parametrize("dtype", (rl.float32, rl.bfloat16, rl.int64, rl.bool, rl.complex64))
def test_matrices_become_compressed_line_by_line(shape, dtype):
    dense = ((rl.rand(shape) > 0.6) * (rl.arange(rl.Size(shape).numel()).reshape(shape) + 1)).to(
        dtype
    )
    for made, lines, first, second in (
        (dense.to_sparse_csr(), dense, "crow_indices", "col_indices"),
        (dense.to_sparse_csc(), dense.t(), "ccol_indices", "row_indices"),
    ):
        starts, at, values = [0], [], []
        for line in lines.tolist():
            at += [i for i, v in enumerate(line) if v]
            values += [v for v in line if v]
            starts.append(len(at))
        assert getattr(made, first)().tolist() == starts
        assert getattr(made, second)().tolist() == at and made.values().tolist() == values
        assert made.dtype == dtype and rl.equal(made.to_dense(), dense)
    if dtype.is_floating_point:
        leaf = dense.clone().requires_grad_()
        leaf.to_sparse_csc().values().sum().backward()
        assert rl.equal(leaf.grad.to_dense() != 0, dense != 0)


@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16, rl.int64, rl.bool))
@pytest.mark.parametrize("dense", ((), (0,), (1,), (7,), (16, 2), (17,)))
@pytest.mark.parametrize("count", (0, 1, 40))
def test_dense_tensors_have_the_sums_of_elements(dtype, dense, count):
    indices = rl.stack((rl.randint(0, 3, (count,)), rl.randint(0, 4, (count,))))
    values = (rl.randn(count, *dense) * 3).to(dtype)
    x = rl.sparse_coo_tensor(indices, values, (3, 4, *dense))
    expected = rl.zeros(3, 4, *dense, dtype=dtype)
    for (i, j), value in zip(indices.t().tolist(), values):
        expected[i, j] = expected[i, j] + value
    assert rl.equal(x.to_dense(), expected)
    if not dense:
        assert rl.equal(x.t().to_dense(), expected.t())


def test_gradients_and_examples_of_dense_tensors():
    indices = rl.tensor([[0, 1, 0], [2, 1, 2]])
    values = rl.randn(3, 2, dtype=rl.float64, requires_grad=True)

    def dense(v):
        return rl.sparse_coo_tensor(indices, v, (2, 3, 2)).to_dense()

    assert rl.autograd.gradcheck(dense, values)
    assert rl.autograd.gradgradcheck(dense, values)
    batch = rl.randn(4, 3, 2)
    put = rl.ops.matmul._coo_dense
    mapped = rl.vmap(lambda v: put(indices, v, (2, 3, 2)))(batch)
    assert rl.equal(mapped, rl.stack([dense(v) for v in batch]))
    with pytest.raises(RuntimeError, match="out of range"):
        put(indices, values, (2, 2, 2))


def test_sampled_products_of_a_batch():
    pattern = rl.eye(3).to_sparse_csr()
    a, b = rl.randn(2, 3, 4), rl.randn(2, 4, 3)
    made = rl.sparse.sampled_addmm(pattern, a, b)
    assert made.shape == (2, 3, 3) and made.layout == rl.sparse_csr
    rl.testing.assert_close(made.to_dense(), rl.eye(3) * (a @ b + 1))
    for mats in ((a, b[0]), (a[0], b)):
        for given in (pattern, made):
            with pytest.raises(RuntimeError, match="batches"):
                rl.sparse.sampled_addmm(given, *mats)
    with pytest.raises(RuntimeError, match="batches"):
        rl.sparse.sampled_addmm(made, a[0], b[0])


def test_products_of_csc_matrices_are_csr():
    dense = rl.tensor([[1.0, 0.0], [2.0, 3.0]])
    for other in (dense.to_sparse_csc(), dense.to_sparse_csr()):
        made = dense.to_sparse_csc() @ other
        assert made.layout is rl.sparse_csr and made.to_dense().equal(dense @ dense)


@pytest.mark.parametrize("index", (rl.int64, rl.int32))
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64))
@pytest.mark.parametrize(
    "rows, columns, width", [(7, 5, 1), (30, 40, 3), (9, 9, 40), (1, 1, 8), (5, 4, 0), (50, 3, 70)]
)
def test_compressed_rows_times_a_matrix(index, dtype, rows, columns, width):
    generator = rl.Generator().manual_seed(0)
    dense = rl.rand(rows, columns, generator=generator).to(dtype)
    dense = dense * (rl.rand(rows, columns, generator=generator) > 0.6)
    pattern = dense.to_sparse_csr()
    starts, at = pattern.crow_indices().to(index), pattern.col_indices().to(index)
    other = rl.randn(columns, width, dtype=dtype)
    sparse = rl.sparse_csr_tensor(starts, at, pattern.values(), dense.shape)
    rl.testing.assert_close(sparse @ other, dense @ other)
    if dtype == rl.float64 and pattern.values().numel():
        product = lambda values, x: rl.sparse_csr_tensor(starts, at, values, dense.shape) @ x
        leaves = pattern.values().clone().requires_grad_(), other.clone().requires_grad_()
        assert rl.autograd.gradcheck(product, leaves) and rl.autograd.gradgradcheck(product, leaves)


def test_compressed_rows_beyond_the_matrix_are_refused():
    starts, at = rl.tensor([0, 1, 2]), rl.tensor([0, 5])
    sparse = rl.sparse_csr_tensor(starts, at, rl.ones(2), (2, 3), check_invariants=False)
    with pytest.raises(RuntimeError, match="index 5 is out of range for a dimension of size 3"):
        sparse @ rl.ones(3, 2)
