"""Reductions over many short runs of memory, and over elements that are apart, against rows of a
copy or Python's own numbers."""

import itertools
import math

import pytest

import rushlight as rl

RUNS = [1, 7, 16, 31, 32, 33, 96, 511, 512, 513]
COUNTS = [1, 15, 16, 17, 40]
INTEGERS = [rl.uint8, rl.int8, rl.int16, rl.int32, rl.int64]
FLOATS = [rl.float32, rl.float64, rl.bfloat16, rl.float16]


def values(dtype, *shape):
    x = rl.randn(shape) * 60
    if dtype == rl.bool:
        return x > 100
    if dtype == rl.complex64:
        return rl.complex(x, rl.randn(shape))
    return x.abs().to(dtype) if dtype == rl.uint8 else x.to(dtype)


def both_ways(x, dims):
    """x, and x as rows of what is reduced."""
    kept = [d for d in range(x.ndim) if d not in dims]
    return x, x.permute(*kept, *dims).contiguous().flatten(len(kept))


def check(op, x, dims, **tolerance):
    given, rows = both_ways(x, dims)
    rl.testing.assert_close(op(given, dims), op(rows, -1), equal_nan=True, **tolerance)


LAYOUTS = {
    "apart": lambda dtype, run, count: (values(dtype, 3, count, run + 5)[..., 2:-3], (1, 2)),
    "all": lambda dtype, run, count: (values(dtype, 1, count, run + 1)[..., 1:], (0, 1, 2)),
    "around": lambda dtype, run, count: (values(dtype, count, 5, run), (0, 2)),
    "around apart": lambda dtype, run, count: (values(dtype, count, 5, run + 2)[..., :-2], (0, 2)),
    "every other": lambda dtype, run, count: (values(dtype, count, 6, run)[:, ::2], (0, 2)),
    "turned": lambda dtype, run, count: (values(dtype, count, 3, run).mT, (0, 1)),
    "repeated": lambda dtype, run, count: (values(dtype, 1, 3, run).expand(count, 3, run), (0, 2)),
    "overlapping": lambda dtype, run, count: (
        values(dtype, run + count * 3).as_strided((count, 2, run), (2, 1, 1)),
        (0, 2),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("run", RUNS)
def test_short_runs(layout, run):
    rl.manual_seed(run)
    for count in COUNTS:
        for dtype in (*INTEGERS, rl.bool, *FLOATS, rl.complex64):
            x, dims = LAYOUTS[layout](dtype, run, count)
            loose = {rl.bfloat16: 2e-2, rl.float16: 2e-3}.get(dtype, 2e-5)
            size = run * count
            check(lambda t, d: t.sum(d), x, dims, rtol=loose, atol=loose * size)
            check(lambda t, d: (t != 0).all(d), x, dims)
            if not dtype.is_complex:
                check(lambda t, d: t.amax(d), x, dims, rtol=0, atol=0)
                check(lambda t, d: t.amin(d), x, dims, rtol=0, atol=0)
            if dtype.is_floating_point:
                check(lambda t, d: rl.linalg.vector_norm(t, dim=d), x, dims, rtol=loose, atol=1e-3)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_products_of_short_runs(dtype):
    rl.manual_seed(0)
    x = (1 + rl.randn(40, 3, 35, dtype=dtype) / 100)[..., :33]
    rl.testing.assert_close(x.prod(), x.double().flatten().prod().to(dtype), rtol=1e-5, atol=0)


@pytest.mark.parametrize("dtype", [*INTEGERS, rl.bool])
@pytest.mark.parametrize("width", [1, 7, 8, 31, 32, 33, 63, 65, 130, 1023, 1025])
def test_extremes_of_integers(dtype, width):
    rl.manual_seed(width)
    x = values(dtype, 37, width)
    if dtype != rl.bool:
        x[5, width // 2], x[20, width - 1] = rl.iinfo(dtype).max, rl.iinfo(dtype).min
    for t, dim in ((x, 0), (x, 1), (x.t().contiguous(), 0), (x[:, ::2], 1), (x[::2], 0)):
        lists = (t if dim == 1 else t.t()).tolist()
        most, least = [max(v) for v in lists], [min(v) for v in lists]
        assert t.amax(dim).tolist() == most and t.amin(dim).tolist() == least
        assert t.amax(dim).dtype == dtype
        assert [v.tolist() for v in rl.aminmax(t, dim=dim)] == [least, most]
        found, at = t.max(dim)
        assert found.tolist() == most and found.dtype == dtype
        assert at.tolist() == [v.index(m) for v, m in zip(lists, most, strict=True)]
        assert t.min(dim)[1].tolist() == [v.index(m) for v, m in zip(lists, least, strict=True)]
    assert x.max().item() == max(map(max, x.tolist())) and x.min().dtype == dtype


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", [1, 3, 4, 7, 8, 9, 33, 40, 100, 256, 257, 300, 600])
def test_nan_among_numbers(dtype, width):
    for rows, at in itertools.product((1, 3, 9, 33), {0, width // 2, width - 1}):
        x = -rl.arange(rows * width).remainder(100).add(1).to(dtype).view(rows, width)
        x[rows - 1, at] = math.nan
        for t, dim in ((x, 0), (x, 1), (x.t(), 0), (x.t(), 1)):
            wanted = x.isnan().any(0 if (dim == 0) == (t is x) else 1)
            assert rl.equal(t.amax(dim).isnan(), wanted) and rl.equal(t.amin(dim).isnan(), wanted)
        assert x.max().isnan() and x.min().isnan()
        x[rows - 1, at] = -math.inf
        assert x.max().item() == max(map(max, x.tolist())) and x.min() == -math.inf
        assert x.amin(0)[at] == -math.inf and (x.amax(1)[rows - 1] < 0)


@pytest.mark.parametrize("rows", [31, 33, 100, 1000])
@pytest.mark.parametrize("width", [1, 2, 3, 30, 129, 5000])
def test_columns_of_doubles_lose_nothing(rows, width):
    rl.manual_seed(rows)
    x = rl.randn(rows, width, dtype=rl.float64)
    x[0], x[rows // 2] = x[0] * 1e20, x[0] * -1e20  # most of what remains was rounded away
    x[:, width // 2] *= 1e-5
    for got, column in zip(x.sum(0).tolist(), x.t().tolist(), strict=True):
        assert abs(got - math.fsum(column)) <= 1e-15 * sum(map(abs, column))
    x[3, 0], x[7, width - 1] = math.inf, -math.inf
    ends = (x.sum(0)[0].item(), x.sum(0)[-1].item())
    assert str(ends) == ("(nan, nan)" if width == 1 else "(inf, -inf)")
    big = rl.full((2, width), 1.7e308, dtype=rl.float64)
    big[1] *= -1
    assert rl.equal(big.sum(0), rl.zeros(width, dtype=rl.float64))
    most = rl.finfo(rl.float64).max
    assert rl.tensor([[-3 * 2.0**970] * 4, [most] * 4], dtype=rl.float64).sum(0).isfinite().all()
    z = rl.complex(x[8:], -x[8:])
    assert rl.equal(z.sum(0).real, x[8:].sum(0)) and rl.equal(z.sum(0).imag, -x[8:].sum(0))


@pytest.mark.parametrize("dtype", [rl.float32, rl.uint8, rl.int64, rl.complex64, rl.bool])
@pytest.mark.parametrize("step", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 24, 25, 96, 512, 513])
def test_rows_of_elements_apart(dtype, step, count):
    rl.manual_seed(count)
    for rows in (1, 3, 40, 65):
        x = values(dtype, rows, count * step + step - 1)[:, : count * step : step]
        check(lambda t, d: t.sum(d), x, (1,), rtol=1e-5, atol=1e-2)
        if not dtype.is_complex:
            assert rl.equal(x.max(1)[1], x.contiguous().max(1)[1])
            check(lambda t, d: t.float().mean(d), x, (1,), rtol=1e-5, atol=1e-3)


def test_counts_of_truths():
    for rows, width in ((1, 1), (32, 5), (33, 40), (300, 70), (1000, 4100)):
        x = values(rl.bool, rows, width)
        x[:, 0] = True
        wanted = [sum(column) for column in x.t().tolist()]
        assert x.sum(0).tolist() == wanted == x.t().sum(1).tolist()
        assert x.count_nonzero(0).tolist() == wanted and wanted[0] == rows
        assert x.sum().item() == sum(wanted) and x.sum(0, dtype=rl.int32).dtype == rl.int32
        assert rl.equal(x.sum(0, dtype=rl.float32), x.float().sum(0))
    assert rl.zeros(0, 3, dtype=rl.bool).sum(0).tolist() == [0, 0, 0]


SCANS = {
    "cumsum": lambda x: x.cumsum(-1),
    "cumprod": lambda x: (1 + x / 1000).cumprod(-1) if x.is_floating_point() else x.cumprod(-1),
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "cummax": lambda x: x.cummax(-1)[0],
}
LINES = {
    "narrow": lambda x: x[..., 2:-3],
    "every other": lambda x: x[:, ::2],
    "some": lambda x: x[1:, 1:-1],
    "turned": lambda x: x.transpose(0, 1),
    "along another": lambda x: x.transpose(1, 2),
    "repeated": lambda x: x[:1].expand(4, -1, -1),
    "repeated in between": lambda x: x[:, :1].expand(-1, 3, -1),
    "overlapping": lambda x: x.as_strided((5, x.shape[-1]), (3, 1)),
    "one": lambda x: x[1:2, 2:3],
    "single": lambda x: x[..., 1:2],
    "empty": lambda x: x[..., 3:3],
    "none": lambda x: x[1, 1, 1],
}


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64, rl.bfloat16])
def test_scans_of_lines_apart(lines, name, dtype):
    if dtype == rl.int64 and name == "logcumsumexp":
        return
    for n in (7, 13, 40, 301):
        x = LINES[lines](values(dtype, 3, 6, n).clamp(-3, 3))
        assert rl.equal(SCANS[name](x), SCANS[name](x.clone(memory_format=rl.contiguous_format)))
