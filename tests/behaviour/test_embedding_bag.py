"""embedding_bag against loops over bags, on widths around vectors and blocks of them."""

import numpy as np
import pytest

import rushlight as rl
from rushlight.nn.functional import embedding_bag

OFFSETS = [0, 2, 2, 7]
NAMES = [4, 4, 3, 8, 0, 3, 3, 1, 4, 2, 8, 8]


def bags(offsets, count):
    return list(zip(offsets, [*offsets[1:], count]))


def expected(table, names, offsets, mode, scales=None, padding=None):
    out = np.zeros((len(offsets), table.shape[1]))
    for b, (begin, end) in enumerate(bags(offsets, len(names))):
        kept = [k for k in range(begin, end) if names[k] != padding]
        if not kept:
            continue
        rows = np.array([table[names[k]] * (1 if scales is None else scales[k]) for k in kept])
        out[b] = {"sum": rows.sum, "mean": rows.mean, "max": rows.max}[mode](0)
    return out


@pytest.mark.parametrize("mode", ["sum", "mean", "max", "scaled"])
@pytest.mark.parametrize("padding", [None, 3])
@pytest.mark.parametrize("columns", [0, 1, 3, 15, 16, 17, 63, 64, 70, 130])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_widths(mode, padding, columns, dtype):
    table = rl.randn(9, columns, dtype=dtype, requires_grad=True)
    names = rl.tensor(NAMES)
    scales = rl.randn(12, dtype=dtype, requires_grad=True) if mode == "scaled" else None
    mode = "sum" if mode == "scaled" else mode
    for offsets, shape in ((OFFSETS, (12,)), ([0, 4, 8], (3, 4))):
        given = None if len(shape) == 2 else rl.tensor(offsets)
        weights = None if scales is None else scales.reshape(shape)
        rest = {"mode": mode, "padding_idx": padding, "per_sample_weights": weights}
        got = embedding_bag(names.reshape(shape), table, given, **rest)
        numbers = None if scales is None else scales.detach().numpy()
        reference = expected(table.detach().numpy(), NAMES, offsets, mode, numbers, padding)
        np.testing.assert_allclose(got.detach().numpy(), reference, 1e-5, 1e-5)
    last = rl.tensor([*OFFSETS, 12])
    rest = {"mode": mode, "padding_idx": padding, "per_sample_weights": scales}
    a = embedding_bag(names, table, last, include_last_offset=True, **rest)
    assert a.equal(embedding_bag(names, table, rl.tensor(OFFSETS), **rest))


@pytest.mark.parametrize("mode", ["sum", "mean", "max", "scaled"])
@pytest.mark.parametrize("padding", [None, 3])
@pytest.mark.parametrize("columns", [1, 15, 16, 17, 64, 70, 130])
@pytest.mark.parametrize("dtype", [rl.float16, rl.bfloat16])
def test_16_bits_are_floats_rounded_once(mode, padding, columns, dtype):
    scaled, mode = mode == "scaled", "sum" if mode == "scaled" else mode
    table = rl.randn(9, columns, dtype=dtype, requires_grad=True)
    scales = rl.randn(12, dtype=dtype, requires_grad=True) if scaled else None
    given = rl.randn(4, columns).to(dtype)

    def of(table, scales, given):
        rest = {"mode": mode, "padding_idx": padding, "per_sample_weights": scales}
        y = embedding_bag(rl.tensor(NAMES), table, rl.tensor(OFFSETS), **rest)
        leaves = [table] if scales is None else [table, scales]
        return [y, *rl.autograd.grad(y, leaves, given)]

    wide = [None if t is None else t.detach().float().requires_grad_() for t in (table, scales)]
    for got, want in zip(of(table, scales, given), of(*wide, given.float())):
        assert got.dtype == dtype
        assert got.equal(want.to(dtype))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 3])
def test_gradients_of_any_order(mode, padding):
    table = rl.randn(9, 5, dtype=rl.float64, requires_grad=True)
    names, offsets = rl.tensor(NAMES), rl.tensor(OFFSETS)

    def of_table(table):
        return embedding_bag(names, table, offsets, mode=mode, padding_idx=padding)

    assert rl.autograd.gradcheck(of_table, (table,))
    assert rl.autograd.gradgradcheck(of_table, (table,))
    if mode != "sum":
        return
    scales = rl.randn(12, dtype=rl.float64, requires_grad=True)

    def scaled(table, scales):
        return embedding_bag(
            names, table, offsets, mode="sum", per_sample_weights=scales, padding_idx=padding
        )

    assert rl.autograd.gradcheck(scaled, (table, scales))
    assert rl.autograd.gradgradcheck(scaled, (table, scales))


def test_the_first_of_the_largest_has_the_gradient():
    table = rl.ones(5, 2, requires_grad=True)
    embedding_bag(rl.tensor([[4, 3], [3, 3], [0, 2]]), table, mode="max").sum().backward()
    assert table.grad[:, 0].tolist() == [1.0, 0.0, 0.0, 1.0, 1.0]


def test_nothing_in_a_bag_and_infinity():
    table = rl.tensor([[-float("inf"), 1.0]], requires_grad=True)
    got = embedding_bag(rl.tensor([0]), table, rl.tensor([0, 1]), mode="max")
    assert got.tolist() == [[-float("inf"), 1.0], [0.0, 0.0]]
    got.sum().backward()
    assert table.grad.tolist() == [[1.0, 1.0]]
    assert embedding_bag(rl.zeros(0, 3, dtype=rl.int64), table).shape == (0, 2)
    assert embedding_bag(rl.zeros(2, 0, dtype=rl.int64), table).tolist() == [[0.0, 0.0]] * 2


def test_arguments_that_do_not_fit():
    table = rl.randn(5, 2)
    for mode in ("sum", "mean", "max"):
        for bad in (5, -1):
            with pytest.raises(RuntimeError, match="out of range"):
                embedding_bag(rl.tensor([[bad]]), table, mode=mode)
        with pytest.raises(RuntimeError, match="offsets must rise"):
            embedding_bag(rl.tensor([1, 2, 3]), table, rl.tensor([0, 2, 1]), mode=mode)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_strides_and_threads(mode):
    table, names = rl.randn(130, 50).T, rl.randint(0, 50, (20, 300)).T
    wanted = embedding_bag(names.contiguous(), table.contiguous(), mode=mode)
    before, results = rl.get_num_threads(), []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            leaf = table.detach().requires_grad_()
            out = embedding_bag(names.int(), leaf, mode=mode)
            results.append((out, rl.autograd.grad(out, leaf, out.detach())[0]))
    finally:
        rl.set_num_threads(before)
    assert results[0][0].equal(wanted)
    for a, b in zip(*results):
        assert a.equal(b)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_mapped(mode):
    tables, names = rl.randn(3, 7, 4), rl.randint(0, 7, (3, 5, 2))
    got = rl.vmap(rl.func.grad(lambda w, i: embedding_bag(i, w, mode=mode).square().sum()))(
        tables, names
    )
    for i in range(3):
        leaf = tables[i].clone().requires_grad_()
        embedding_bag(names[i], leaf, mode=mode).square().sum().backward()
        if mode != "max":  # of several largest, a composition divides the gradient among all
            assert rl.allclose(got[i], leaf.grad, 1e-5, 1e-5)


def test_arguments_are_refused_as_pytorch_does():
    table, names = rl.ones(10, 2), rl.tensor([1, 2, 3])
    with pytest.raises(RuntimeError, match="can not be greater"):
        embedding_bag(names, table, rl.tensor([0, 100]))
    with pytest.raises(RuntimeError, match="padding_idx"):
        embedding_bag(names, table, rl.tensor([0]), padding_idx=10)
    with pytest.raises(AssertionError, match="padding_idx"):
        rl.nn.functional.embedding(names, table, padding_idx=10)
    scales = rl.ones(3, dtype=rl.float64)
    with pytest.raises(RuntimeError, match="dtype"):
        embedding_bag(names, table, rl.tensor([0]), per_sample_weights=scales, mode="sum")


@pytest.mark.parametrize("rows, columns, names", [(0, 0, []), (10, 0, [[0, 2], [4, 3]])])
def test_sparse_gradients_of_empty_tables(rows, columns, names):
    table = rl.nn.Embedding(rows, columns, sparse=True)
    table(rl.tensor(names, dtype=rl.int64)).sum().backward()
    assert table.weight.grad.is_sparse and table.weight.grad.shape == (rows, columns)
