"""Reductions that read 16-bit floats where they lie, products in double, trapezoids, and softmax
gradients of 16 bits, against sums and products of Python's numbers or of float64."""

import math

import pytest

import rushlight as rl

INF, NAN = float("inf"), float("nan")
WIDTHS = [1, 7, 8, 15, 16, 17, 31, 33, 64, 100, 257, 1100]
SHORT = [rl.bfloat16, rl.float16]


def numbers(*sizes, dtype=rl.float32):
    return rl.randn(*sizes, generator=rl.Generator().manual_seed(3)).to(dtype)


def near(found, expected, dtype):
    rl.testing.assert_close(found, expected.to(dtype))


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("width", WIDTHS)
def test_sums_of_short_floats(dtype, width):
    x = numbers(37, width, dtype=dtype)
    wide = x.double()
    for part, of in ((x, wide), (x.T, wide.T), (x[:, ::2], wide[:, ::2]), (x[::3], wide[::3])):
        for dim in (0, 1, (0, 1)):
            near(part.sum(dim), of.sum(dim), dtype)
            near(part.mean(dim), of.mean(dim), dtype)
            near(part.nansum(dim), of.sum(dim), dtype)
            near(part.sum(dim, dtype=rl.float32), of.sum(dim), rl.float32)
            near(part.sum(dim, dtype=rl.float64), of.sum(dim), rl.float64)


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("width", [1, 16, 40])
@pytest.mark.parametrize("bits", [0x0001, 0x8001, 0x007F, 0x0400])
def test_the_least_short_floats(dtype, width, bits):
    x = rl.tensor([bits - 65536 if bits > 32767 else bits] * width, dtype=rl.int16).view(dtype)
    one = x[0].double().item()
    assert x.sum(dtype=rl.float32).item() == one * width
    assert x.view(1, -1).expand(3, -1).contiguous().sum(0, dtype=rl.float32)[-1].item() == 3 * one


@pytest.mark.parametrize("dtype", SHORT)
def test_what_is_no_number(dtype):
    for width in (3, 40):
        x = rl.ones(5, width, dtype=dtype)
        x[0, -1], x[1, -1], x[2, 0], x[3, 0], x[3, -1] = NAN, INF, -INF, INF, -INF
        rows = x.sum(1).tolist()
        assert math.isnan(rows[0]) and rows[1:3] == [INF, -INF] and math.isnan(rows[3])
        assert x.nansum(1)[0].item() == width - 1
        assert math.isnan(x.sum(0)[-1].item()) and x.nansum(0)[1].item() == 5
    assert rl.zeros(0, 3, dtype=dtype).sum(0).tolist() == [0, 0, 0]
    assert rl.tensor(2.5, dtype=dtype).sum().item() == 2.5


@pytest.mark.parametrize("dtype", [rl.float32, *SHORT])
@pytest.mark.parametrize("width", WIDTHS)
def test_products(dtype, width):
    x = (numbers(37, width) / 16 + 1).to(dtype)
    for part in (x, x.T, x[:, ::2], x[1:]):
        for dim in (0, 1):
            near(part.prod(dim), part.double().prod(dim), dtype)
    near(x[0].prod(), rl.tensor(math.prod(x[0].tolist()), dtype=rl.float64), dtype)


def test_products_that_leave_the_range_of_float_and_return():
    for width in (4, 8, 33, 40):
        x = rl.full((8, width), 1e38)
        x[1::2] = 1e-38
        assert rl.equal(x.prod(0).round(decimals=3), rl.ones(width))
        assert rl.equal(x.T.contiguous().prod(1).round(decimals=3), rl.ones(width))
        assert rl.full((4, width), 1e38).prod(0).tolist() == [INF] * width
        x[0], x[5] = INF, 0.0
        assert x.prod(0).isnan().all() and x.T.prod(1).isnan().all()


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_trapezoids_of_equal_steps(dim):
    y = numbers(9, 37, dtype=rl.float64)
    steps = (y.narrow(dim, 1, y.shape[dim] - 1) + y.narrow(dim, 0, y.shape[dim] - 1)) / 2
    rl.testing.assert_close(rl.trapezoid(y, dim=dim), steps.sum(dim))
    rl.testing.assert_close(rl.trapezoid(y, dx=0.25, dim=dim), steps.sum(dim) * 0.25)
    whole = (y * 9).long()
    found = rl.trapezoid(whole, dim=dim)
    assert found.dtype == rl.float32
    rl.testing.assert_close(found, rl.trapezoid(whole.double(), dim=dim).float())


def test_trapezoids_of_few_samples_and_their_gradients():
    for n in (0, 1):
        assert rl.trapezoid(rl.ones(2, n)).tolist() == [0, 0]
    y = rl.ones(3, requires_grad=True)
    rl.trapezoid(y, dx=2).backward()
    assert y.grad.tolist() == [1, 2, 1]
    assert rl.trapezoid(rl.tensor([1 + 1j, 3 - 1j])).item() == 2


@pytest.mark.parametrize("dtype", [*SHORT, rl.float32, rl.float64])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("width", [*WIDTHS, 5000])
def test_softmax_in_a_few_rows_at_a_time(dtype, name, width):
    softmax = getattr(rl, name)
    for x, dim in ((numbers(5, width, dtype=dtype), 1), (numbers(width, 5, dtype=dtype), 0),
                   (numbers(3, 70, width, dtype=dtype), 1)):  # fmt: skip
        x.requires_grad_()
        g = numbers(*x.shape, dtype=dtype)
        wide = x.detach().double().requires_grad_()
        y = softmax(x, dim)
        rl.testing.assert_close(y, softmax(wide, dim).to(dtype))
        y.backward(g)
        kept = y.detach().double()
        if name == "softmax":
            expected = kept * (g.double() - (g.double() * kept).sum(dim, keepdim=True))
        else:
            expected = g.double() - kept.exp() * g.double().sum(dim, keepdim=True)
        rl.testing.assert_close(x.grad, expected.to(dtype))


@pytest.mark.parametrize("dtype", SHORT)
def test_softmax_of_strided_and_infinite_elements(dtype):
    x = numbers(40, 60, dtype=dtype)
    for part in (x[:, ::2], x.T, x[::3, 1:]):
        assert rl.equal(part.softmax(1), part.contiguous().softmax(1))
        leaf = part.contiguous().requires_grad_()
        g = part[:1].expand(part.shape)
        (spread,) = rl.autograd.grad(leaf.softmax(0), leaf, g)
        (whole,) = rl.autograd.grad(leaf.softmax(0), leaf, g.contiguous())
        assert rl.equal(spread, whole)
    x[0], x[1, 3], x[2, 4] = -INF, INF, NAN
    y = x.softmax(1)
    assert y[:3].isnan().all() and not y[3:].isnan().any()
    assert rl.zeros(0, 4, dtype=dtype).softmax(1).shape == (0, 4)
    assert rl.tensor(3.0, dtype=dtype).softmax(0).item() == 1


@pytest.mark.parametrize("dtype", SHORT)
@pytest.mark.parametrize("rows, width", [(3, 70), (700, 100), (67, 1100), (1000, 66)])
def test_gradients_of_normalised_rows(dtype, rows, width):
    x, g = numbers(rows, width, dtype=dtype), numbers(width, rows, dtype=dtype).T.contiguous()
    w, b = numbers(width, dtype=dtype), rl.zeros(width, dtype=dtype)
    eps = 1e-5

    def by_hand(centred):
        p, q = x.double(), g.double()
        p = p - p.mean(1, keepdim=True) if centred else p
        p = p * (p.square().mean(1, keepdim=True) + eps).rsqrt()
        scale = (x.double() - (x.double().mean(1, keepdim=True) if centred else 0)).square()
        qw = q * w.double()
        less = qw.mean(1, keepdim=True) if centred else 0
        slope = qw - less - p * (qw * p).mean(1, keepdim=True)
        return slope * (scale.mean(1, keepdim=True) + eps).rsqrt(), (q * p).sum(0), q.sum(0)

    leaves = [t.clone().requires_grad_() for t in (x, w, b)]
    y = rl.nn.functional.layer_norm(leaves[0], (width,), leaves[1], leaves[2], eps)
    found = rl.autograd.grad(y, leaves, g)
    # Statistics of the rows are kept in 16 bits.
    off = {"rtol": 3e-2, "atol": 8e-2} if dtype == rl.bfloat16 else {"rtol": 4e-3, "atol": 2e-2}
    for one, expected in zip(found, by_hand(True), strict=True):
        rl.testing.assert_close(one.double(), expected, **off)
    y = rl.nn.functional.rms_norm(leaves[0], (width,), leaves[1], eps)
    found = rl.autograd.grad(y, leaves[:2], g)
    for one, expected in zip(found, by_hand(False)[:2], strict=True):
        rl.testing.assert_close(one.double(), expected, **off)


@pytest.mark.parametrize("dtype", [rl.float64, rl.float32])
@pytest.mark.parametrize("width", [17, 31, 100, 1100])
def test_softmax_sums(dtype, width):
    x = numbers(6, width, dtype=dtype)
    powers = [[math.exp(v) for v in row] for row in x.tolist()]
    shares = [[p / math.fsum(row) for p in row] for row in powers]
    rl.testing.assert_close(x.softmax(1), rl.tensor(shares, dtype=dtype))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.int32])
@pytest.mark.parametrize("width", WIDTHS)
def test_both_extremes(dtype, width):
    x = (numbers(9, width) * 50).to(dtype)
    low, high = x.aminmax(dim=1)
    assert low.tolist() == [min(row) for row in x.tolist()]
    assert high.tolist() == [max(row) for row in x.tolist()]
    assert [t.item() for t in x.aminmax()] == [low.min().item(), high.max().item()]
    if dtype.is_floating_point:
        for at in {0, width // 2, width - 1}:
            z = x.clone()
            z[2, at], z[3, at], z[4, at] = NAN, INF, -INF
            low, high = z.aminmax(dim=1)
            assert low[2].isnan() and high[2].isnan() and low.isnan().sum() == 1
            assert high[3].item() == INF and low[4].item() == -INF
            assert all(t.isnan() for t in z.aminmax())
