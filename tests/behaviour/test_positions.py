"""What reads, joins and counts by position, on widths around vectors and pieces, against NumPy."""

import numpy as np
import pytest

import rushlight as rl

COUNTS = (0, 1, 2, 3, 7, 15, 17, 63, 65, 1023, 1025, 2050)
DTYPES = (rl.uint8, rl.bfloat16, rl.float32, rl.int64, rl.complex128)


@pytest.fixture(params=[1, 2])
def threads(request):
    before = rl.get_num_threads()
    rl.set_num_threads(request.param)
    yield request.param
    rl.set_num_threads(before)


def numbered(*shape, dtype):
    """Elements that differ as far as the dtype can tell."""
    return (rl.arange(np.prod(shape)) % 251).reshape(shape).to(dtype)


def as_numpy(x):
    return x.float().numpy() if x.dtype == rl.bfloat16 else x.numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tensors", [1, 2, 3])
def test_stacks_of_elements_and_of_rows(threads, dtype, tensors):
    for shape in [(n,) for n in COUNTS] + [(100, 100), (65, 3), (3, 65), (200, 400)]:
        parts = [numbered(*shape, dtype=dtype) + k for k in range(tensors)]
        turned = [p.t().contiguous().t() for p in parts] if len(shape) == 2 else parts
        for dim in range(-1, len(shape)):
            want = np.stack([as_numpy(p) for p in parts], dim)
            np.testing.assert_array_equal(as_numpy(rl.stack(parts, dim)), want)
            np.testing.assert_array_equal(as_numpy(rl.stack(turned, dim)), want)
            out = rl.empty(want.shape[::-1], dtype=dtype).permute(*reversed(range(want.ndim)))
            np.testing.assert_array_equal(as_numpy(rl.stack(parts, dim, out=out)), want)
            want = np.concatenate([as_numpy(p) for p in parts], dim % len(shape))
            np.testing.assert_array_equal(as_numpy(rl.cat(parts, dim % len(shape))), want)


def test_columns_of_different_widths_and_dtypes():
    a, b = rl.arange(130).reshape(130, 1), rl.rand(130, 2)
    want = np.concatenate([a.numpy().astype("float32"), b.numpy()], 1)
    np.testing.assert_array_equal(rl.cat([a, b], 1).numpy(), want)
    np.testing.assert_array_equal(rl.cat([b[:, :1], a], 1).numpy(), want[:, [1, 0]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", COUNTS)
def test_gathers(threads, dtype, count):
    x = numbered(37, 41, dtype=dtype)
    rng = np.random.default_rng(count)
    for at in (rng.integers(0, 41, (37, count)), rng.integers(0, 41, (5, count))):
        want = np.take_along_axis(as_numpy(x)[: len(at)], at, 1)
        np.testing.assert_array_equal(as_numpy(x.gather(1, rl.tensor(at))), want)
        got = x.t().contiguous().gather(0, rl.tensor(at.T.copy()))
        np.testing.assert_array_equal(as_numpy(got), want.T)
        got = x.t().gather(0, rl.tensor(at).t())
        np.testing.assert_array_equal(as_numpy(got), want.T)
        deep = x[:, :, None].expand(37, 41, 2).contiguous()
        got = deep.gather(1, rl.tensor(at)[:, :, None].expand(-1, -1, 2))
        np.testing.assert_array_equal(as_numpy(got[..., 1]), want)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("shape", [(11,), (11, 5), (3, 11, 1), (3, 11, 40)])
def test_slices_by_one_index(threads, dtype, count, shape):
    x, dim = numbered(*shape, dtype=dtype), shape.index(11)
    at = np.random.default_rng(count).integers(0, 11, count)
    want, before = np.take(as_numpy(x), at, dim), (slice(None),) * dim
    index = rl.tensor(at)
    np.testing.assert_array_equal(as_numpy(x.index_select(dim, index)), want)
    for i in (index, index.int(), index - 11, index - 11 * (index % 2)):
        np.testing.assert_array_equal(as_numpy(x[(*before, i)]), want)
    turned = x.transpose(0, -1).contiguous().transpose(0, -1)
    np.testing.assert_array_equal(as_numpy(turned[(*before, index)]), want)
    if count:
        square = index.reshape(1, -1, 1).expand(2, -1, 1)
        wide = np.take(as_numpy(x), square.numpy(), dim)
        np.testing.assert_array_equal(as_numpy(x[(*before, square)]), wide)
    if dim == 0 and len(shape) == 2:
        got = rl.nn.functional.embedding(index.reshape(1, -1), x)
        np.testing.assert_array_equal(as_numpy(got), want[None])


@pytest.mark.parametrize("wrong", [11, -12, 2**62, -(2**63), 2**63 - 1])
@pytest.mark.parametrize("at", [0, 3, 1024, 2049])
def test_positions_outside(wrong, at):
    x = rl.zeros(11, 2)
    index = rl.zeros(2050, dtype=rl.int64)
    index[at] = wrong
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for dimension 0"):
        x[index]
    with pytest.raises(IndexError, match="out of range"):
        x.index_select(0, index)
    with pytest.raises(IndexError, match="out of range"):
        rl.nn.functional.embedding(index, x)
    for f in (x[:, 0].gather, x[:, 0].scatter_add):
        with pytest.raises(RuntimeError, match="out of bounds"):
            f(0, index, *([rl.ones(2050)] if "scatter" in f.__name__ else []))
    for f in (x.gather, x.scatter_add):
        with pytest.raises(RuntimeError, match="out of bounds"):
            both = index[:, None].expand(-1, 2)
            f(0, both, *([rl.ones(2050, 2)] if "scatter" in f.__name__ else []))
    index[at] = -1
    with pytest.raises(RuntimeError, match="out of bounds"):
        x.gather(0, index[:, None])
    with pytest.raises(IndexError, match="out of bounds"):
        rl.zeros(0)[rl.tensor([0])]


@pytest.mark.parametrize("write", ["scatter_", "scatter_add_", "scatter_reduce_", "number"])
@pytest.mark.parametrize("shape", [(100,), (100, 1), (1, 100), (100, 3), (2000,)])
def test_positions_that_would_be_written_over_are_refused(write, shape):
    x, far = rl.full(shape, shape[0] // 2), rl.full(shape, 2**60)
    reduce = ("amax",) if write == "scatter_reduce_" else ()
    name, source = ("scatter_", 2**60) if write == "number" else (write, far)
    before = x.clone()
    with pytest.raises(RuntimeError, match="same memory"):
        getattr(x, name)(0, x, source, *reduce)
    assert x.equal(before)


def test_shapes_that_do_not_broadcast():
    with pytest.raises(IndexError, match=r"shapes \[2\], \[3\]"):
        rl.zeros(4, 4)[rl.tensor([0, 1]), rl.tensor([0, 1, 2])]
    with pytest.raises(IndexError, match="too many indices"):
        rl.zeros(4)[:, rl.tensor([0])]
    assert rl.zeros(4, 5, device="meta")[:, rl.tensor([[0, 1]])].shape == (4, 1, 2)


def test_embedding_in_transforms():
    table, names = rl.randn(4, 7, 3, dtype=rl.float64), rl.randint(0, 7, (2, 5))
    embed = rl.nn.functional.embedding
    got = rl.vmap(lambda w: embed(names, w))(table)
    assert got.equal(table[:, names])
    tangent = rl.randn(7, 3, dtype=rl.float64)
    _, change = rl.func.jvp(lambda w: embed(names, w), (table[0],), (tangent,))
    assert change.equal(tangent[names])
    leaf = table[0].clone().requires_grad_()
    assert rl.autograd.gradcheck(lambda w: embed(names, w), (leaf,))
    assert rl.autograd.gradgradcheck(lambda w: embed(names, w) ** 2, (leaf,))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("most", [0, 1, 100, 127])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 4095, 4097, 9000])
def test_counts(dtype, most, count):
    x = np.random.default_rng(count).integers(0, most + 1, count).astype(dtype)
    weights = np.random.default_rng(1).integers(-3, 4, count).astype("float64")
    for least in (0, 1, 50, 200):
        got = rl.tensor(x).bincount(minlength=least)
        np.testing.assert_array_equal(got.numpy(), np.bincount(x, minlength=least))
        got = rl.tensor(x).bincount(rl.tensor(weights), minlength=least)
        np.testing.assert_array_equal(got.numpy(), np.bincount(x, weights, minlength=least))
    strided = rl.tensor(np.stack([x, x], 1))[:, 0]
    np.testing.assert_array_equal(strided.bincount().numpy(), np.bincount(x))


@pytest.mark.parametrize("most", [3, 4095, 4096, 70_000])
def test_counts_do_not_depend_on_threads(most):
    x = np.random.default_rng(most).integers(0, most + 1, 200_003)
    counts = []
    threads = rl.get_num_threads()
    for n in (1, 2, 3):
        rl.set_num_threads(n)
        counts.append(rl.tensor(x).bincount(minlength=most // 2).numpy())
        with pytest.raises(RuntimeError, match="got -5"):
            rl.cat([rl.tensor(x), rl.tensor([-5])]).bincount()
    rl.set_num_threads(threads)
    for got in counts:
        np.testing.assert_array_equal(got, np.bincount(x, minlength=most // 2))


def test_counts_of_numbers_far_apart_and_negative_ones():
    x = rl.tensor([0, 70_000, 3, 70_000, 65_536])
    assert x.bincount().nonzero().flatten().tolist() == [0, 3, 65_536, 70_000]
    assert x.bincount(rl.zeros(5)).shape == (70_001,)
    assert rl.tensor([255, 0, 255], dtype=rl.uint8).bincount()[255] == 2
    for dtype in (rl.int8, rl.int64):
        with pytest.raises(RuntimeError, match="got -2"):
            rl.tensor([1, -2], dtype=dtype).bincount()


def test_positions_as_a_tuple_take_no_out():
    found = rl.empty(0, dtype=rl.int64)
    with pytest.raises(RuntimeError, match="out="):
        rl.nonzero(rl.ones(3), as_tuple=True, out=found)
    assert rl.nonzero(rl.ones(2), as_tuple=False, out=found).tolist() == [[0], [1]]


def test_expanded_tensors_are_filled_where_any_of_the_repeated_elements_is():
    mask = rl.tensor([[True, False, False], [False, True, False]])
    for value in (2.0, rl.tensor(2.0)):
        x = rl.zeros(1, 3)
        with pytest.warns(UserWarning, match="clone"):
            x.expand(2, 3).masked_fill_(mask, value)
        assert x.tolist() == [[2, 2, 0]]


def test_even_repeats_keep_no_positions():
    x = rl.arange(6.0).view(2, 3).requires_grad_()
    y = x.repeat_interleave(2, 1)
    assert y.tolist() == [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    y.sum().backward()
    y.sum().backward()  # frees nothing, so that it may run again
    assert x.grad.eq(4).all()
    assert x.detach().repeat_interleave(1, 0).data_ptr() != x.data_ptr()
    assert x.repeat_interleave(0, 0).shape == (0, 3)
    for wrong, error in ((-1, RuntimeError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error):
            x.repeat_interleave(wrong, 0)
    with pytest.raises(RuntimeError):
        x.repeat_interleave(2, 0, output_size=5)
