"""Sorts, selections and medians of lines of many lengths, against Python's sorted()."""

import pytest

import rushlight as rl

NAN = float("nan")
LENGTHS = [1, 2, 3, 16, 17, 31, 33, 100, 127, 128, 129, 257, 300, 511, 513, 1024, 1025, 2500]
DTYPES = [rl.float32, rl.float64, rl.bfloat16, rl.int64, rl.int32, rl.uint8]


def lines(n, count, dtype, spread=40):
    x = rl.randn(count, n, generator=rl.Generator().manual_seed(n)) * spread
    return x.to(dtype) if dtype != rl.uint8 else x.abs().to(dtype)


def key(value):
    return (value != value, value)


def order_of(row, descending=False):
    places = sorted(range(len(row)), key=lambda i: key(row[i]))
    if not descending:
        return places
    return sorted(range(len(row)), key=lambda i: key(-row[i] if row[i] == row[i] else 0)
                  if row[i] == row[i] else (False, -float("inf")))  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_sort_is_stable(n, dtype):
    x = lines(n, 19, dtype, 3 if dtype in (rl.int64, rl.float64) else 40)
    if dtype.is_floating_point and n > 2:
        x[3, 1], x[3, n // 2], x[4, 0], x[4, 1] = NAN, NAN, 0.0, -0.0
    for descending in (False, True):
        values, places = x.sort(1, descending=descending)
        expected = [order_of(row, descending) for row in x.tolist()]
        assert places.tolist() == expected
        assert rl.equal(values.nan_to_num(nan=7), x.gather(1, places).nan_to_num(nan=7))
        across = x.T.contiguous().sort(0, descending=descending)
        assert across.indices.T.tolist() == expected


@pytest.mark.parametrize("n", [5, 100, 300, 1024])
def test_sort_of_keys_that_differ_in_any_bits(n):
    top = 2**62
    x = lines(n, 17, rl.int64, 2.0**20)
    for scale in (1, 2**32, 2**40):
        for shift in (-top, 0, top):
            z = x * scale + shift
            assert z.sort(1).values.tolist() == [sorted(row) for row in z.tolist()]
    ends = rl.tensor([2**63 - 1, -(2**63), 0, -1, 1] * n)
    assert ends.sort().values.tolist() == sorted(ends.tolist())


@pytest.mark.parametrize("n", [70, 2000, 70_000])
@pytest.mark.parametrize("threads", [1, 2])
def test_sort_of_keys_that_agree_in_their_leading_bits(n, threads):
    before = rl.get_num_threads()
    rl.set_num_threads(threads)
    low = rl.randint(0, 2**20, (n,), generator=rl.Generator().manual_seed(n))
    far = rl.tensor([2**62, -(2**62), 2**44 + 5, 2**44 - 7])
    for x in (rl.cat([low, far]), rl.cat([far, low * 2**20, low, low]), low % 7 - 3):
        for z in (x, x.double(), x.clamp(-(2**31), 2**31 - 1).int()):
            values = z.tolist()
            expected = sorted(range(len(values)), key=values.__getitem__)
            assert z.sort().indices.tolist() == expected
            distinct, counts = z.unique(return_counts=True)
            assert distinct.tolist() == sorted(set(values)) and counts.sum() == len(values)
    rl.set_num_threads(before)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.uint8, rl.bfloat16])
@pytest.mark.parametrize("shape", [(9000, 3), (700, 21), (40_000, 5), (2, 3, 5), (2, 300, 18)])
def test_lines_whose_elements_lie_apart(shape, dtype):
    x = lines(shape[-1], rl.Size(shape).numel() // shape[-1], dtype, 99).reshape(shape)
    apart, along = x.sort(-2), x.transpose(-1, -2).contiguous().sort(-1)
    assert rl.equal(apart.values, along.values.transpose(-1, -2))
    assert rl.equal(apart.indices, along.indices.transpose(-1, -2))
    for f in (rl.median, rl.mode):
        apart, along = f(x, -2), f(x.transpose(-1, -2).contiguous(), -1)
        assert rl.equal(apart.values, along.values) and rl.equal(apart.indices, along.indices)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 5, 33, 100, 1023, 1024, 3000])
def test_medians_and_selections(n, dtype):
    x = lines(n, 11, dtype, 500)
    rows = [sorted(row) for row in x.tolist()]
    assert x.median(1).values.tolist() == [row[(n - 1) // 2] for row in rows]
    assert rl.equal(x.gather(1, x.median(1, keepdim=True).indices)[:, 0], x.median(1).values)
    assert x.median().item() == sorted(sum(rows, []))[(11 * n - 1) // 2]
    for k in {1, (n + 1) // 2, n}:
        assert x.kthvalue(k, 1).values.tolist() == [row[k - 1] for row in rows]
    same = rl.full((2, n), 3).to(dtype)
    assert same.median(1).values.tolist() == [3, 3] and same.kthvalue(n, 1).values[0].item() == 3


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.float16])
@pytest.mark.parametrize("n", [9, 100, 1025, 2049])
def test_medians_with_nan(n, dtype):
    x = lines(n, 3, dtype)
    x[0, 5], x[0, 7], x[1] = NAN, NAN, NAN
    values, places = x.median(1)
    assert values.isnan().tolist() == [True, True, False] and places.tolist()[:2] == [5, 0]
    row = sorted(v for v in x[0].tolist() if v == v)
    assert x.nanmedian(1).values[0].item() == row[(n - 3) // 2]
    assert x.nanmedian(1).indices[1].item() == 0 and x.median().isnan()


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64])
@pytest.mark.parametrize("n, k", [(40, 17), (100, 50), (300, 50), (600, 20), (1024, 900)])
def test_topk_of_distinct_elements(n, k, dtype):
    x = rl.stack([rl.randperm(n) for _ in range(21)]).to(dtype)
    for largest in (True, False):
        values, places = x.topk(k, 1, largest=largest)
        assert values.tolist() == [sorted(r, reverse=largest)[:k] for r in x.tolist()]
        assert rl.equal(x.gather(1, places), values)


@pytest.mark.parametrize("n", [100, 300])
def test_modes(n):
    x = lines(n, 20, rl.int64, 4)
    for row, value in zip(x.tolist(), x.mode(1).values.tolist(), strict=True):
        assert value == min(row, key=lambda v: (-row.count(v), v))


def taken_by_parts(row, k, largest):
    """Places of the first k as Hoare's partition around medians of three leaves them."""
    e = [(-v if largest else v, i) for i, v in enumerate(row)]

    def before(a, b):
        return a[0] < b[0]

    def middle(a, b, c):
        if before(e[a], e[b]):
            return b if before(e[b], e[c]) else c if before(e[a], e[c]) else a
        return a if before(e[a], e[c]) else c if before(e[b], e[c]) else b

    first, last, wanted = 0, len(e), k - 1
    while last - first > 3:
        m = middle(first + 1, first + (last - first) // 2, last - 1)
        e[first], e[m] = e[m], e[first]
        i, j = first + 1, last
        while True:
            while before(e[i], e[first]):
                i += 1
            j -= 1
            while before(e[first], e[j]):
                j -= 1
            if i >= j:
                break
            e[i], e[j] = e[j], e[i]
            i += 1
        first, last = (i, last) if i <= wanted else (first, i)
    e[first:last] = sorted(e[first:last], key=lambda a: a[0])
    return [i for _, i in sorted(e[: k - 1], key=lambda a: a[0]) + [e[k - 1]]]


@pytest.mark.parametrize("dtype", [rl.int64, rl.int32, rl.uint8, rl.float32, rl.float64])
@pytest.mark.parametrize("spread", [0, 3, 60])
@pytest.mark.parametrize("n", [4, 16, 17, 20, 40, 41, 64, 65, 66, 67, 96, 130, 200, 300])
def test_which_of_equal_elements_are_taken(n, spread, dtype):
    x = rl.randint(0, spread + 1, (23, n), generator=rl.Generator().manual_seed(n))
    x[3], x[7] = rl.arange(n) // 2, 0
    x = x.to(dtype)
    for k in (1, 2, 5, 16):
        if k > n or k * 64 <= n:
            continue
        for largest in (True, False):
            expected = [taken_by_parts(row, k, largest) for row in x.tolist()]
            assert x.topk(k, 1, largest)[1].tolist() == expected
            assert x.T.contiguous().topk(k, 0, largest)[1].T.tolist() == expected


@pytest.mark.parametrize("n", [1, 2, 16, 20, 100, 1024, 1025])
@pytest.mark.parametrize("at", [None, 0, -1])
def test_integers_within_and_beyond_32_bits(n, at):
    x = rl.randint(-(2**31), 2**31, (130, n), generator=rl.Generator().manual_seed(n))
    x[0, 0], x[1, 0] = 2**31 - 1, -(2**31)
    for value in (2**31, -(2**31) - 1, 2**62, -(2**63)) if at is not None else (0,):
        if at is not None:
            x[at, at] = value
        rows = x.tolist()
        assert x.sort(1).values.tolist() == [sorted(r) for r in rows]
        assert x.sort(1, descending=True).values.tolist() == [sorted(r)[::-1] for r in rows]
        assert x.topk(1, 1).values[:, 0].tolist() == [max(r) for r in rows]
        assert x.median(1).values.tolist() == [sorted(r)[(n - 1) // 2] for r in rows]
        assert x.kthvalue(n, 1).values.tolist() == [max(r) for r in rows]
        if n < 200:
            modes = [min(r, key=lambda v: (-r.count(v), v)) for r in rows]
            assert x.mode(1).values.tolist() == modes


@pytest.mark.parametrize("dtype", [rl.int64, rl.int32, rl.uint8, rl.float32, rl.float64])
def test_lines_that_are_in_order_already(dtype):
    x = (rl.arange(100) // 3).to(dtype).repeat(20, 1)
    for line in (x, x.flip(0), x[:, :1].expand(-1, 100)):
        values, places = line.sort(1)
        assert rl.equal(values, line) and rl.equal(places, rl.arange(100).expand(20, -1))
        values, places = line.sort(1, descending=True)
        assert places.tolist() == [order_of(r, True) for r in line.tolist()]
    x[5, 50] = 0
    assert x.sort(1).indices.tolist() == [order_of(r) for r in x.tolist()]


def shaped(n):
    """Lines that searches and sorts might trip over."""
    r = rl.randperm(n, generator=rl.Generator().manual_seed(n))
    rising = rl.arange(n)
    one_late = rising.clone()
    one_late[n // 2] = 0
    return {
        "rising": rising,
        "falling": rising.flip(0),
        "falling with equals": (rising // 3).flip(0),
        "equal": rl.full((n,), 7),
        "two values": r % 2,
        "few values": r % 5,
        "mostly zero": rl.where(r % 10 == 0, r, 0),
        "far ends": rl.where(r == 3, 2**30, r),
        "one late": one_late,
    }


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.int64, rl.int16, rl.bfloat16])
@pytest.mark.parametrize("n", [100, 255, 256, 300, 1024, 5000])
def test_shaped_lines(n, dtype):
    for name, line in shaped(n).items():
        x = line.clamp(max=2**15 - 1).to(dtype) if dtype == rl.int16 else line.to(dtype)
        row = x.tolist()
        for descending in (False, True):
            assert x.argsort(descending=descending, stable=True).tolist() == order_of(
                row, descending
            ), name
        ordered = sorted(row)
        assert x.median().item() == ordered[(n - 1) // 2], name
        for k in (1, n // 3, n // 2, n):
            value, place = x.kthvalue(k)
            assert value.item() == ordered[k - 1] == row[place], name
        for k in (1, 4, n // 70 + 1, 17, 50, n // 3):
            values, places = x.topk(k)
            assert values.tolist() == ordered[::-1][:k], name
            assert len(set(places.tolist())) == k and x[places].tolist() == values.tolist(), name


@pytest.mark.parametrize("k", [1, 5, 40])
def test_topk_of_a_line_that_is_all_candidates(k):
    for line in (rl.arange(4000.0), rl.arange(4000.0).flip(0)):
        for largest in (True, False):
            expected = line.argsort(descending=largest)[:k]
            assert rl.equal(line.topk(k, largest=largest).indices, expected)
