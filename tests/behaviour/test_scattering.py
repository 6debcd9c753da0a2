"""Elements and slices that are combined at positions, by one thread and by several."""

import numpy as np
import pytest

import rushlight as rl

REDUCTIONS = {
    "sum": np.add,
    "prod": np.multiply,
    "amax": np.maximum,
    "amin": np.minimum,
    "mean": np.add,
}
# Around lines and vectors, and large enough for threads to share a matrix (or strips of it).
SHAPES = [(3, 7), (16, 17), (40, 63), (64, 65), (120, 301), (257, 300), (700, 500)]


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = rl.get_num_threads()
    rl.set_num_threads(request.param)
    yield request.param
    rl.set_num_threads(before)


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(dtype)


def meant(out, counts, dtype):
    """Sums of integers or small floats, divided as the kernels do."""
    if np.issubdtype(dtype, np.integer):
        return out // counts
    return (out / counts.astype(dtype)).astype(dtype)


def scattered(x, at, source, reduce, include_self=True):
    """Down the columns, one row of the index after another."""
    out, counts = x.copy(), np.full(x.shape, int(include_self))
    columns = np.arange(at.shape[1])
    start = {"prod": 1, "amax": None, "amin": None}.get(reduce, 0)
    if not include_self:
        for row in at:
            if start is None:
                kind = np.finfo if np.issubdtype(x.dtype, np.floating) else np.iinfo
                lowest = reduce == "amax"
                if kind is np.finfo:
                    out[row, columns] = -np.inf if lowest else np.inf
                else:
                    out[row, columns] = kind(x.dtype).min if lowest else kind(x.dtype).max
            else:
                out[row, columns] = start
    for row, values in zip(at, source):
        out[row, columns] = REDUCTIONS[reduce](out[row, columns], values)
        counts[row, columns] += 1
    return meant(out, np.maximum(counts, 1), x.dtype) if reduce == "mean" else out


@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_scatter_down_columns(threads, shape, dtype, reduce):
    x, source = numbers(shape, dtype), numbers(shape, dtype, 1)
    if reduce == "prod":
        x, source = np.sign(x), np.sign(source)
    at = np.random.default_rng(2).integers(0, shape[0], shape)
    # Sums stay within int8 where few elements meet; a mean's sum wraps there.
    with np.errstate(over="ignore"):
        for include_self in (True, False):
            want = scattered(x, at, source, reduce, include_self)
            got = rl.tensor(x).scatter_reduce(
                0, rl.tensor(at), rl.tensor(source), reduce, include_self=include_self
            )
            np.testing.assert_array_equal(got.numpy(), want)
        across = rl.tensor(x.T.copy()).scatter_reduce(
            1, rl.tensor(at.T.copy()), rl.tensor(source.T.copy()), reduce
        )
        np.testing.assert_array_equal(across.numpy(), scattered(x, at, source, reduce).T)


@pytest.mark.parametrize("shape", SHAPES)
def test_scatter_writes_and_adds(threads, shape):
    x, source = numbers(shape, "float32"), numbers(shape, "float32", 1)
    at = np.random.default_rng(2).integers(0, shape[0], shape)
    index, values = rl.tensor(at), rl.tensor(source)
    written, number = x.copy(), x.copy()
    columns = np.arange(shape[1])
    for row, of_row in zip(at, source):
        written[row, columns] = of_row
        number[row, columns] = 0.5
    added = scattered(x, at, source, "sum")
    ours = rl.tensor(x)
    np.testing.assert_array_equal(ours.scatter(0, index, values).numpy(), written)
    np.testing.assert_array_equal(ours.scatter(0, index, 0.5).numpy(), number)
    np.testing.assert_array_equal(ours.scatter_add(0, index, values).numpy(), added)
    turned = values.t().contiguous().t()  # not row-major
    np.testing.assert_array_equal(ours.scatter_add(0, index, turned).numpy(), added)
    into = rl.tensor(x.T.copy()).t()
    np.testing.assert_array_equal(into.scatter_add_(0, index, values).numpy(), added)
    for short in (rl.bfloat16, rl.float16):
        got = ours.to(short).scatter_add(0, index, values.to(short))
        np.testing.assert_array_equal(got.float().numpy(), rl.tensor(added).to(short).float())
    with pytest.raises(RuntimeError, match="out of bounds"):
        ours.scatter_add(0, index + (index == index.max()) * shape[0], values)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.float16])
@pytest.mark.parametrize("reduce", ["amax", "amin"])
def test_extremes_that_have_no_order(reduce, dtype):
    inf, nan = float("inf"), float("nan")
    specials = [0.0, -0.0, 1.0, -1.0, inf, -inf, nan]
    a = rl.tensor([x for x in specials for _ in specials]).to(dtype)
    b = rl.tensor(specials * len(specials)).to(dtype)
    index = rl.arange(a.numel())
    want = rl.where(
        a.isnan() | b.isnan(), nan, (rl.maximum if reduce == "amax" else rl.minimum)(a, b)
    )
    found = {
        "line": a.scatter_reduce(0, index, b, reduce),
        "elements": a[:, None].scatter_reduce(1, index[:, None] * 0, b[:, None], reduce)[:, 0],
        "rows": a[None].scatter_reduce(0, index[None] * 0, b[None], reduce)[0],
    }
    for name, got in found.items():
        np.testing.assert_array_equal(got.double().numpy(), want.double().numpy(), err_msg=name)
        zeros = (a == 0) & (b == 0)
        signs = got.signbit()[zeros].tolist()
        assert signs == a.signbit()[zeros].tolist(), name  # of equals the first stays


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("spread", [1, 2, 40, 700])  # slices that most positions are of
def test_rows_enough_for_threads_to_share(threads, spread, dtype):
    x = numbers((700, 1100), dtype)
    at = np.random.default_rng(3).integers(0, spread, 701)
    source = np.random.default_rng(4).normal(0, 100, (701, 1100)).astype(dtype)
    want = x.copy()
    np.add.at(want, at, source)  # one after another, as the positions come
    got = rl.tensor(x).index_add_(0, rl.tensor(at), rl.tensor(source))
    np.testing.assert_array_equal(got.numpy(), want)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int64"])
@pytest.mark.parametrize(
    "shape, count", [((5, 63), 9), ((9, 64), 20), ((200, 301), 500), ((300, 4), 900)]
)
def test_slices_at_positions(threads, shape, count, dtype):
    x, source = numbers(shape, dtype), numbers((count, shape[1]), dtype, 1)
    at = np.random.default_rng(2).integers(0, shape[0], count)
    ours, values, index = rl.tensor(x), rl.tensor(source), rl.tensor(at)
    added, copied, extreme, total = x.copy(), x.copy(), x.copy(), np.ones(shape[0], "int64")
    for i, row in zip(at, source):
        added[i] += row
        copied[i] = row
        extreme[i] = np.maximum(extreme[i], row)
        total[i] += 1
    np.testing.assert_array_equal(ours.index_add(0, index, values).numpy(), added)
    np.testing.assert_array_equal(ours.index_copy(0, index, values).numpy(), copied)
    np.testing.assert_array_equal(ours.index_put((index,), values).numpy(), copied)
    got = ours.index_put((index,), values, accumulate=True)
    np.testing.assert_array_equal(got.numpy(), added)
    got = ours.index_reduce(0, index, values, "amax")
    np.testing.assert_array_equal(got.numpy(), extreme)
    mean = meant(added, total[:, None], x.dtype)
    got = ours.index_reduce(0, index, values, "mean")
    np.testing.assert_array_equal(got.numpy(), mean)
    got = rl.tensor(x.T.copy()).index_reduce(1, index, rl.tensor(source.T.copy()), "mean")
    np.testing.assert_array_equal(got.numpy(), mean.T)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "complex64"])
@pytest.mark.parametrize("width", [1, 63, 64, 65, 1000, 1100])
@pytest.mark.parametrize("alpha", [1, 0, -3, 0.3, 1.5j])
def test_scaled_slices(threads, dtype, width, alpha):
    kinds = {"i": int, "f": (int, float), "c": (int, float, complex)}
    if not isinstance(alpha, kinds[np.dtype(dtype).kind]):
        return
    x, source = numbers((9, width), dtype), numbers((20, width), dtype, 1)
    at = np.random.default_rng(2).integers(0, 9, 20)
    want, got = x.copy(), rl.tensor(x).index_add(0, rl.tensor(at), rl.tensor(source), alpha=alpha)
    for i, row in zip(at, source):
        want[i] += row * np.array(alpha, dtype)
    np.testing.assert_array_equal(got.numpy(), want)
    across = rl.tensor(x.T.copy()).index_add(
        1, rl.tensor(at), rl.tensor(source.T.copy()), alpha=alpha
    )
    np.testing.assert_array_equal(across.numpy(), want.T)


@pytest.mark.parametrize("n", [1000, 100_000, 262_145, 300_001])
def test_runs_that_are_copied_and_filled(threads, n):
    x = rl.arange(n).float()
    np.testing.assert_array_equal(x.clone().numpy(), np.arange(n, dtype="float32"))
    assert (rl.full((n,), 2.5).numpy() == 2.5).all()
    assert (rl.zeros(n, dtype=rl.complex128).numpy() == 0).all()


@pytest.mark.parametrize("dtype", [rl.bfloat16, rl.float16])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 33, 64, 513, 1300])
@pytest.mark.parametrize("rows, count", [(4, 0), (3, 1), (7, 40), (200, 5), (60, 300)])
def test_short_slices(threads, dtype, rows, width, count):
    def make(n, seed):
        values = np.random.default_rng(seed).standard_normal((n, width)).astype("float32")
        values[:, ::5] *= 1e4
        values[n // 2 :, -1:] = np.nan
        return rl.tensor(values).to(dtype)

    x, source = make(rows, 0), make(count, 1)
    at = np.random.default_rng(2).integers(0, rows, count)
    index = rl.tensor(at)
    # Added in float32 one after another and rounded once ...
    sums = x.float().numpy().copy()
    for i, row in zip(at, source.float().numpy()):
        sums[i] += row
    want = rl.tensor(sums).to(dtype).float().numpy()
    np.testing.assert_array_equal(x.index_add(0, index, source).float().numpy(), want)
    across = x.t().contiguous().index_add(1, index, source.t().contiguous())
    np.testing.assert_array_equal(across.float().numpy(), want.T)
    both = rl.stack([x, x]).index_add(1, index, rl.stack([source, source]))
    np.testing.assert_array_equal(both[1].float().numpy(), want)
    # ... but for index_put, which rounds each sum.
    put = x.clone()
    for i, j in zip(at.tolist(), range(count)):
        put[i] = put[i] + source[j]
    got = x.index_put((index,), source, accumulate=True)
    np.testing.assert_array_equal(got.float().numpy(), put.float().numpy())


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("n", [0, 1, 7, 16, 33, 1000])
def test_masked_places_in_order(n, dtype):
    x, source = numbers(n, dtype), numbers(n + 2, dtype, 1)
    for part in (0.0, 0.5, 1.0):
        mask = np.random.default_rng(2).random(n) < part
        want = x.copy()
        want[mask] = source[: mask.sum()]
        got = rl.tensor(x).masked_scatter(rl.tensor(mask), rl.tensor(source))
        np.testing.assert_array_equal(got.numpy(), want)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.float16, rl.bfloat16])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 100, 1025])
def test_draws_fall_where_they_may(n, dtype):
    weights = rl.ones(n, dtype=dtype)
    weights[::3] = 0
    weights[n - 1] = 1
    draws = weights.multinomial(400, replacement=True, generator=rl.Generator().manual_seed(3))
    single = rl.zeros(n, dtype=dtype)
    single[n // 2] = 1
    assert (weights[draws] > 0).all()
    assert (single.multinomial(50, replacement=True) == n // 2).all()
    if n <= 9:
        assert set(draws.tolist()) == set(weights.nonzero().flatten().tolist())


@pytest.mark.parametrize("dtype", [rl.float32, rl.bfloat16, rl.float16])
@pytest.mark.parametrize("width", [1, 15, 16, 17, 64, 65, 130])
def test_bags_of_rows(threads, dtype, width):
    """Of a table that is within the cache and of one that is not."""
    for rows in (9, 9000):
        rng = np.random.default_rng(4)
        table = rl.tensor(rng.standard_normal((rows, width)).astype("float32")).to(dtype)
        bags = rng.integers(0, rows, (12, 5))
        bags[-1, -1] = rows - 1  # the last row has nothing behind it
        for mode in ("sum", "mean"):
            got = rl.nn.functional.embedding_bag(rl.tensor(bags), table, mode=mode)
            picked = table.double().numpy()[bags]
            want = picked.sum(1) if mode == "sum" else picked.mean(1)
            error = np.abs(got.double().numpy() - want)
            step = {rl.float32: 2e-7, rl.bfloat16: 2**-8, rl.float16: 2**-11}[dtype]
            assert (error <= step * np.abs(want) + 4e-7 * np.abs(picked).sum(1)).all()


def test_values_put_where_they_are_read(threads):
    x = rl.arange(12.0).reshape(4, 3)
    index = (rl.tensor([1, 2, 3, 0]),)
    x.index_put_(index, x)
    assert x.tolist() == [[9, 10, 11], [0, 1, 2], [3, 4, 5], [6, 7, 8]]
    x.index_put_((rl.tensor([-1, 0]),), x[:2].clone(), accumulate=True)
    assert x.tolist() == [[9, 11, 13], [0, 1, 2], [3, 4, 5], [15, 17, 19]]
    for wrong in (4, -5):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
            x.index_put_((rl.tensor([0, wrong]),), rl.zeros(2, 3))


def test_masks_of_bytes_beyond_one():
    mask = rl.tensor([2, 0, 1, 255] * 50, dtype=rl.uint8).view(rl.bool)
    plain = rl.tensor([True, False, True, True] * 50)
    x, source = rl.zeros(200), rl.arange(1.0, 1001.0)
    assert rl.equal(x.masked_scatter(mask, source), x.masked_scatter(plain, source))
    for chosen in (rl.masked_select, lambda t, m: t[m], lambda t, m: m.nonzero()):
        assert rl.equal(chosen(source[:200], mask), chosen(source[:200], plain))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.int64, rl.int8, rl.bool])
@pytest.mark.parametrize("shape, dim, count", [
    ((5, 3), 0, 9), ((40, 64), 0, 300), ((300, 70), 0, 500), ((6, 33), 1, 50), ((4, 9, 17), 1, 30),
    ((3, 1, 8), 1, 4), ((1000, 1), 0, 9), ((2000, 65), 0, 4000),
])  # fmt: skip
def test_an_index_that_repeats_is_one_of_slices(threads, dtype, shape, dim, count):
    thin = [1] * len(shape)
    thin[dim] = count
    wide = [*shape]
    wide[dim] = count
    out = (rl.randn(shape) * 3).to(dtype)
    source = (rl.randn(wide) * 3).to(dtype)
    index = rl.randint(shape[dim], thin).expand(wide)
    for at in (index, index.int()):
        whole = at.contiguous()
        assert rl.equal(out.gather(dim, at), out.gather(dim, whole))
        assert rl.equal(out.scatter(dim, at, source), out.scatter(dim, whole, source))
        added = out.scatter_add(dim, at, source)
        rl.testing.assert_close(added, out.scatter_add(dim, whole, source), rtol=1e-6, atol=1e-6)
        for reduce in REDUCTIONS:
            for include in (True, False):
                got = out.scatter_reduce(dim, at, source, reduce, include_self=include)
                want = out.scatter_reduce(dim, whole, source, reduce, include_self=include)
                rl.testing.assert_close(got, want, rtol=1e-6, atol=1e-6, equal_nan=True)
    apart = rl.stack([source, source], -1)[..., 0]
    assert rl.equal(out.scatter(dim, index, apart), out.scatter(dim, index, source))


def test_positions_of_slices_are_checked():
    x, source = rl.zeros(3, 70), rl.ones(2, 70)
    for bad in (3, -1):
        at = rl.tensor([[0], [bad]]).expand(2, 70)
        for call in (
            lambda at: x.gather(0, at),
            lambda at: x.scatter(0, at, source),
            lambda at: x.scatter_add(0, at, source),
            lambda at: x.scatter_reduce(0, at, source, "amax"),
        ):
            with pytest.raises(RuntimeError, match=f"index {bad} is out of bounds"):
                call(at)
    narrow = x.scatter_add(0, rl.tensor([[1]]).expand(1, 60), source)
    assert narrow[1].sum() == 60 and narrow[1, 60:].eq(0).all()


def test_gradients_by_slices():
    index = rl.tensor([[2], [0], [2]]).expand(3, 5)
    x, y = (rl.randn(4, 5, dtype=rl.float64, requires_grad=True) for _ in range(2))
    for f in (
        lambda x, y: x.scatter_add(0, index, y[:3]),
        lambda x, y: x.gather(0, index) * y[:3],
        lambda x, y: x.scatter(0, index[:2], y[:2]),
    ):
        assert rl.autograd.gradcheck(f, (x, y)) and rl.autograd.gradgradcheck(f, (x, y))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize(
    "shape", [(0,), (1,), (7,), (8,), (1030,), (200_001,), (0, 3), (3, 0), (900, 5), (300, 801)]
    + [(2, 3, 17), (40, 30, 130), (2, 3, 4, 9)]
)  # fmt: skip
def test_positions_of_what_is_not_zero(threads, shape, share):
    x = np.random.default_rng(len(shape)).uniform(size=shape)
    x = np.where(x < share, x + 1, 0)
    want = np.argwhere(x)
    for dtype in ("bool", "float32"):
        got = rl.tensor(x.astype(dtype)).nonzero()
        assert got.dtype == rl.int64
        np.testing.assert_array_equal(got.numpy(), want)
    assert rl.tensor(3).nonzero().shape == (1, 0) and rl.tensor(0).nonzero().shape == (0, 0)


@pytest.mark.parametrize("reduce", ("sum", "prod", "mean", "amax", "amin"))
@pytest.mark.parametrize("include_self", (True, False))
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.int64, rl.bfloat16))
@pytest.mark.parametrize("dim", (0, 1))
def test_an_index_for_whole_slices_is_one_for_each_element(reduce, include_self, dtype, dim):
    generator = rl.Generator().manual_seed(0)
    base = (rl.rand(9, 40, 17, generator=generator) * 7 - 3).to(dtype)
    shape = [9, 40, 17]
    shape[dim] = 30
    source = (rl.rand(shape, generator=generator) * 7 - 3).to(dtype)
    places = rl.randint(0, base.shape[dim] - 2, (30,), generator=generator)
    index = places.view([-1 if d == dim else 1 for d in range(3)]).expand(shape)
    got = base.scatter_reduce(dim, index, source, reduce, include_self=include_self)
    want = base.scatter_reduce(dim, index.contiguous(), source, reduce, include_self=include_self)
    rl.testing.assert_close(got, want)
