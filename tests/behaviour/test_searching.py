"""searchsorted and histogram against searches written out, on lengths around powers of two."""

import numpy as np
import pytest

import rushlight as rl

NAN, INF = float("nan"), float("inf")


def place_of(a, v, right):
    """As a search by halves finds it, whatever the order of a."""
    low, high = 0, len(a)
    while low < high:
        middle = low + (high - low) // 2
        after = not a[middle] > v if right else not a[middle] >= v
        low, high = (middle + 1, high) if after else (low, middle)
    return low


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64])
@pytest.mark.parametrize("right", [False, True])
def test_searches(dtype, right):
    for n in [*range(20), 31, 32, 33, 100, 1023, 1024, 1500]:
        a = rl.randint(0, max(n // 2, 1), (n,)).to(dtype)
        orders = [a, a.sort()[0]]
        values = rl.randint(-2, n + 3, (70,)).to(dtype)
        if dtype != rl.int64:
            values[3], values[4], values[5] = NAN, INF, -INF
            if n:
                orders.append(rl.cat((orders[1][1:], rl.tensor([NAN], dtype=dtype))))
        for a in orders:
            for count in (1, 3, 7, 8, 9, 16, 31, 33, 70):
                got = rl.searchsorted(a, values[:count], right=right).tolist()
                assert got == [place_of(a.tolist(), v, right) for v in values[:count].tolist()]
            order = a.argsort()
            got = rl.searchsorted(a, values, right=right, sorter=order).tolist()
            assert got == [place_of(a[order].tolist(), v, right) for v in values.tolist()]


def test_rows_and_threads():
    a, values = rl.randn(7, 33).sort(1)[0], rl.randn(7, 3001)
    wanted = [rl.searchsorted(x, v).tolist() for x, v in zip(a, values)]
    before = rl.get_num_threads()
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            assert rl.searchsorted(a, values).tolist() == wanted
    finally:
        rl.set_num_threads(before)


def counted(x, edges, weights):
    counts = np.zeros(len(edges) - 1)
    for v, w in zip(x, weights):
        for b, (low, high) in enumerate(zip(edges, edges[1:])):
            if low <= v < high or (v == high and b == len(counts) - 1):
                counts[b] += w
    return counts


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("bins", [1, 3, 10, 37])
def test_histograms(dtype, bins):
    edges = rl.linspace(-1.1, 1.3, bins + 1, dtype=dtype)
    beside = [edges.nextafter(rl.full_like(edges, way)) for way in (INF, -INF)]
    odd = rl.tensor([NAN, INF, -INF, -0.0, 1e30], dtype=dtype)
    x = rl.cat((edges, *beside, odd, rl.randn(301, dtype=dtype)))
    weights = rl.rand(x.numel(), dtype=dtype)
    uneven = rl.cat((edges[:1], (rl.rand(bins, dtype=dtype) - 0.5).sort()[0]))
    for given in (bins, edges, uneven):
        for weight in (None, weights):
            limits = (-1.1, 1.3) if given is bins else None
            got = rl.histogram(x, given, range=limits, weight=weight)
            if given is bins:
                assert got.bin_edges.equal(edges)
            by = [1] * x.numel() if weight is None else weight.tolist()
            wanted = counted(x.tolist(), got.bin_edges.tolist(), by)
            np.testing.assert_allclose(got.hist.numpy(), wanted, 1e-6, 1e-6)
            assert got.hist.dtype == dtype


def test_histograms_are_written_in_their_own_dtype():
    x = rl.tensor([0.0, 1.0])
    for outs in ((rl.float64, rl.float32), (rl.float32, rl.float64)):
        with pytest.raises(RuntimeError):
            rl.histogram(x, 2, out=tuple(rl.empty(2, dtype=dtype) for dtype in outs))


def test_histograms_refuse_edges_that_bound_nothing():
    x = rl.ones(3)
    for bins, limits in ((rl.empty(0), None), (x[:1], None), (2, (1.0,)), (2, (1.0, 2.0, 3.0))):
        with pytest.raises(RuntimeError):
            rl.histogram(x, bins, range=limits)
    for bins, limits in ((rl.ones(2), (0.0, 1.0)), (True, None)):
        with pytest.raises(TypeError):
            rl.histogram(x, bins, range=limits)
    with pytest.raises(RuntimeError):
        rl.histogramdd(rl.ones(2, 2), [x[:1], x])


def test_histograms_of_little():
    assert rl.histogram(rl.tensor([]), 3).hist.tolist() == [0.0] * 3
    assert rl.histogram(rl.tensor([2.0, 2.0]), 4).hist.tolist() == [0.0, 0.0, 2.0, 0.0]
    got = rl.histogram(rl.tensor([[0.0, 1.0], [1.0, 3.0]]), rl.tensor([0.0, 1.0, 1.0, 3.0]))
    assert got.hist.tolist() == [1.0, 0.0, 3.0]
    with pytest.raises(RuntimeError, match="expected a weight for each"):
        rl.histogram(rl.tensor([1.0, 2.0]), 2, weight=rl.tensor([1.0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_histc_reckons_bins_in_the_dtype(dtype):
    x = rl.randn(50_000, dtype=getattr(rl, dtype))
    v = x.numpy()
    low, high, bins = v.min(), v.max(), np.array(50, dtype=dtype)
    place = ((v - low) * bins / (high - low)).astype(np.int64).clip(max=49)
    assert x.histc(50).tolist() == np.bincount(place, minlength=50).tolist()


@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16, rl.int64, rl.uint8))
@pytest.mark.parametrize("count", (0, 1, 2, 17, 191, 192, 1000))
def test_unique_gives_what_is_asked_for(dtype, count):
    x = (rl.randn(count) * 40).round().to(dtype) if count else rl.empty(0, dtype=dtype)
    expected = sorted(set(x.tolist()))
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert values.tolist() == expected and rl.equal(x.unique(), values)
    assert rl.equal(values[inverse], x)
    assert counts.tolist() == [x.tolist().count(v) for v in expected]
    assert rl.equal(x.unique(return_inverse=True)[1], inverse)
    assert rl.equal(x.unique(return_counts=True)[1], counts)


def test_unique_keeps_every_nan_and_the_first_zero():
    nan, inf = float("nan"), float("inf")
    x = rl.tensor([nan, -0.0, inf, 0.0, nan, -inf, inf])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert str(values.tolist()) == "[-inf, -0.0, inf, nan, nan]"
    assert inverse.tolist() == [3, 1, 2, 1, 4, 0, 2] and counts.tolist() == [1, 2, 2, 1, 1]
    most = rl.tensor([2**63 - 1, -(2**63), 2**63 - 1])
    assert most.unique().tolist() == [-(2**63), 2**63 - 1]


def test_histograms_refuse_what_their_bins_cannot_be():
    x = rl.ones(3)
    for call in (
        lambda: x.histogram(0),
        lambda: x.histogram(3, range=(0, float("nan"))),
        lambda: x.histogram(rl.ones(3, dtype=rl.int32)),
        lambda: x.histogram(rl.ones(3, 2)),
        lambda: x.histogram(3, weight=rl.ones(3, dtype=rl.float64)),
    ):
        with pytest.raises(RuntimeError, match="histogram"):
            call()


def test_a_histogram_of_no_dimensions_is_a_number():
    made = rl.histogramdd(rl.empty(3, 0), [])
    assert made.hist.shape == () and made.bin_edges == ()


def test_distinct_elements_have_no_derivative():
    x = rl.tensor([[1.0, 2.0], [1.0, 2.0]], requires_grad=True)
    for function in (rl.unique, rl.unique_consecutive):
        for dim in (None, 0):
            values, places = function(x, return_inverse=True, dim=dim)
            assert values.requires_grad and not places.requires_grad
            with pytest.raises(NotImplementedError):
                values.sum().backward()
