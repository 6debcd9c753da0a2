"""Gradients of views whose elements overlap, and sparse tensors as dense ones: sums in order."""

import pytest

import rushlight as rl

VIEWS = [
    ((9, 300), lambda x: x.unfold(1, 5, 2)),
    ((3, 4, 1201), lambda x: x.unfold(2, 3, 1)),
    ((2, 1300), lambda x: x.unfold(1, 2, 2)),
    ((70, 40), lambda x: x.unfold(0, 6, 1)),
    ((70, 40), lambda x: x.unfold(0, 5, 3).unfold(1, 3, 2)),
    ((40, 17, 20), lambda x: x.unfold(0, 5, 3).unfold(2, 20, 1)),
    ((33, 65), lambda x: x.expand(4, 33, 65).unfold(2, 4, 3)),
    ((90,), lambda x: x.unfold(0, 7, 2)),
    ((90,), lambda x: x.as_strided((5, 6, 7), (3, 2, 4), 1)),
    ((400, 50), lambda x: x.t().unfold(1, 3, 1)),
    ((1, 5), lambda x: x.unfold(1, 5, 1)),
]

# which add in two steps
CHAINS = [VIEWS[i][1] for i in (4, 5, 6, 9)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.complex64])
@pytest.mark.parametrize("size, view", VIEWS)
def test_gradients_add_in_the_order_of_the_view(size, view, dtype, threads):
    rl.manual_seed(0)
    x = rl.zeros(size, dtype=dtype, requires_grad=True)
    places = view(rl.arange(x.numel()).view(size)).flatten()
    out = view(x)
    g = rl.randn(out.shape, dtype=dtype)
    before = rl.get_num_threads()
    rl.set_num_threads(threads)
    got = rl.autograd.grad(out, x, g)[0]
    rl.set_num_threads(before)
    want = [0] * x.numel()
    for at, value in zip(places.tolist(), g.flatten().tolist()):
        want[at] += value
    want = rl.tensor(want, dtype=rl.complex128 if dtype.is_complex else rl.float64).view(size)
    if dtype == rl.float64 and view not in CHAINS:
        assert rl.equal(got, want)
    else:
        rl.testing.assert_close(got, want.to(dtype), rtol=0.05, atol=0.1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize(
    "size, dims, count",
    [((500, 300), 2, 4000), ((70000,), 1, 9), ((40, 30, 50), 2, 3000), ((7, 9000), 1, 20),
     ((3, 4), 2, 0), ((0, 4), 2, 0), ((5, 0), 1, 3), ((6,), 0, 3)],
)  # fmt: skip
@pytest.mark.parametrize("sort", [False, True])
def test_elements_of_a_cell_add_in_order(size, dims, count, sort, dtype, threads):
    rl.manual_seed(0)
    index = rl.stack([rl.randint(0, max(n, 1), (count,)) for n in size[:dims]]) if dims else None
    index = index if dims else rl.zeros(0, count, dtype=rl.int64)
    values = rl.randn(count, *size[dims:], dtype=dtype)
    cells = rl.zeros(count, dtype=rl.int64)
    for n, part in zip(size[:dims], index):
        cells = cells * n + part
    if sort:
        order = cells.argsort(stable=True)
        index, cells, values = index[:, order], cells[order], values[order]
    before = rl.get_num_threads()
    rl.set_num_threads(threads)
    got = rl.sparse_coo_tensor(index, values, size).to_dense()
    rl.set_num_threads(before)
    want = rl.zeros(size, dtype=dtype)
    if want.numel():
        flat = want.view(-1, *size[dims:])
        for at, value in zip(cells.tolist(), values):
            flat[at] += value
    assert got.dtype == dtype
    if dims:
        assert rl.equal(got, want)
    else:
        rl.testing.assert_close(got, want)


def test_gradients_of_indices_into_repeated_elements_stay_apart():
    factors = rl.arange(6.0).view(2, 3)
    for index, view in (
        ((..., None, None), (2, 3, 1, 1)),
        ((None,), (1, 2, 3)),
        ((...,), (2, 3)),
        ((slice(None), slice(None)), (2, 3)),
    ):
        leaf = rl.ones(2, 1).expand(2, 3).detach().requires_grad_(True)
        (leaf[index].square() * factors.view(view)).sum().backward()
        assert leaf.grad.tolist() == (2 * factors).tolist()


def test_gradients_of_parts_of_repeated_elements():
    leaf = rl.ones(2, 1).expand(2, 4).detach().requires_grad_(True)
    (leaf[1, None, 1::2] * rl.tensor([3.0, 5.0])).sum().backward()
    assert leaf.grad.tolist() == [[0, 0, 0, 0], [0, 3, 0, 5]]
    windows = rl.arange(4.0).unfold(0, 2, 1).detach().requires_grad_(True)
    part = windows[1:, -1]
    assert part.tolist() == [2, 3] and part.data_ptr() == windows.data_ptr() + 8
    part.sum().backward()
    assert windows.grad.tolist() == [[0, 0], [0, 1], [0, 1]]


INDEXED_WRITES = {
    "index_add_": lambda x, i, v: x.index_add_(0, i, v),
    "index_copy_": lambda x, i, v: x.index_copy_(0, i, v),
    "index_reduce_": lambda x, i, v: x.index_reduce_(0, i, v, "prod"),
    "put_": lambda x, i, v: x.put_(i, v),
    "scatter_": lambda x, i, v: x.scatter_(0, i, v),
    "scatter_add_": lambda x, i, v: x.scatter_add_(0, i, v),
    "scatter_reduce_": lambda x, i, v: x.scatter_reduce_(0, i, v, "sum"),
}


@pytest.mark.parametrize("name", INDEXED_WRITES)
def test_indexed_writes_do_not_read_what_they_write(name):
    write, index = INDEXED_WRITES[name], rl.tensor([2, 1, 0])
    for length in (3, 6):
        x = rl.ones(length)
        with pytest.raises(RuntimeError, match="unsupported operation"):
            write(x, index, x[:3])
    with pytest.raises(RuntimeError, match="unsupported operation"):
        write(index, index, index.clone())
    with pytest.raises(RuntimeError, match="unsupported operation"):
        write(index, index.clone(), index)


def test_single_values_and_masked_sources_may_be_parts():
    index, x = rl.tensor([2, 1]), rl.tensor([5.0, 1.0, 2.0])
    assert x.index_fill_(0, index, x[0]).tolist() == [5.0, 5.0, 5.0]
    x = rl.tensor([5.0, 1.0, 2.0])
    assert x.masked_scatter_(rl.tensor([False, True, True]), x[:2]).tolist() == [5.0, 5.0, 1.0]
