"""Loops that vectors of one width take and others do not: the same results from all, at any length.
Values come from the formulas in Python or in a wider dtype.
"""

import math

import pytest

import rushlight as rl

HALVES = [rl.float16, rl.bfloat16]
LENGTHS = [1, 7, 8, 16, 31, 33, 100, 1025]
F = rl.nn.functional


def mixed(n, dtype):
    rl.manual_seed(n)
    return (rl.randn(n) * 3).to(dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("n", LENGTHS)
def test_extremes_of_16_bits_are_those_of_wide_numbers(n, dtype):
    for x in (mixed(n, dtype), mixed(n, dtype).abs() + 1, -mixed(n, dtype).abs() - 1):
        for end in (None, math.inf, -math.inf):
            if end is not None:
                x[n // 2] = end
            for t in (x, x.expand(5, n), x.expand(5, n).contiguous(), x.repeat(5, 1).t()):
                wide = t.float()
                assert t.max().equal(wide.max().to(dtype)) and t.min().equal(wide.min().to(dtype))
                for dim in range(t.ndim):
                    assert t.amax(dim).equal(wide.amax(dim).to(dtype))
                    assert t.amin(dim).equal(wide.amin(dim).to(dtype))
                    least, most = t.aminmax(dim=dim)
                    assert least.equal(wide.amin(dim).to(dtype))
                    assert most.equal(wide.amax(dim).to(dtype))


@pytest.mark.parametrize("dtype", [*HALVES, rl.float32, rl.float64])
@pytest.mark.parametrize("n", LENGTHS)
def test_not_a_number_is_every_extreme(n, dtype):
    for at in {0, n // 2, n - 1}:
        for nan in (math.nan, -math.nan):
            x = mixed(n, dtype)
            x[at] = nan
            many = x.repeat(3, 1)
            assert x.max().isnan() and x.min().isnan()
            assert many.amax(1).isnan().all() and many.amin(1).isnan().all()
            assert many.amax(0)[at].isnan() and many.amin(0).isnan().sum() == 1


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("n", LENGTHS)
def test_ops_on_16_bits_round_once(n, dtype):
    x, y, z = mixed(n, dtype), mixed(n + 1, dtype)[:n], mixed(n + 2, dtype)[:n]
    one = rl.tensor(0.7).to(dtype)
    for f in (
        lambda a, b, c: a + b,
        lambda a, b, c: a * b,
        lambda a, b, c: a / b,
        lambda a, b, c: rl.addcmul(a, b, c, value=0.3),
        lambda a, b, c: rl.lerp(a, b, 0.3),
        lambda a, b, c: rl.lerp(a, b, 0.8),
        lambda a, b, c: rl.lerp(a, b, c),
        lambda a, b, c: a.abs().rsqrt(),
        lambda a, b, c: a.clamp(-1, 2),
        lambda a, b, c: rl.maximum(a, b),
        lambda a, b, c: F.softshrink(a),
        lambda a, b, c: F.hardswish(a),
        lambda a, b, c: a < b,
    ):
        got, want = f(x, y, z), f(x.float(), y.float(), z.float())
        assert got.equal(want.to(got.dtype))
    assert (one * x).equal((one.float() * x.float()).to(dtype))
    assert rl.addcmul(one, x, y).equal(rl.addcmul(one.float(), x.float(), y.float()).to(dtype))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_signs_and_zeros(n, dtype):
    x = mixed(n, dtype)
    x[n // 2] = -0.0
    for t in (x, rl.complex(x, -x).real, x.to(rl.float16)):
        signs = [float((v > 0) - (v < 0)) for v in t.tolist()]
        assert t.sign().tolist() == signs and not t.sign()[n // 2].signbit()
    assert x.sign().add(math.nan).sign().isnan().all()
    shrunk = F.softshrink(x, 0.5)
    assert shrunk.tolist() == [
        math.copysign(max(abs(v) - 0.5, 0), v) if abs(v) > 0.5 else 0 for v in x.tolist()
    ]
    assert shrunk.signbit().equal(x.signbit())
    z = rl.complex(x, x.flip(0))
    assert z.conj().resolve_conj().tolist() == [v.conjugate() for v in z.tolist()]


@pytest.mark.parametrize("n", LENGTHS)
def test_long_integers_as_floats(n):
    edges = [0, 2**31 - 1, -(2**31), 2**31, -(2**31) - 1, 2**53 + 1, -(2**61) - 3, 2**24 + 1]
    for at in {0, n // 2, n - 1}:
        for edge in edges:
            x = rl.arange(n) * 1234567 - 5
            x[at] = edge
            assert x.double().tolist() == [float(v) for v in x.tolist()]
            assert x.float().tolist() == [rl.tensor(float(v)).item() for v in x.tolist()]
            assert (x + 1).tolist() == [v + 1 for v in x.tolist()]
            assert rl.add(x, x, alpha=-3).tolist() == [-2 * v for v in x.tolist()]


def test_smooth_l1_of_bfloat16_is_rounded_once():
    x, y = mixed(300, rl.bfloat16), mixed(301, rl.bfloat16)[:300]
    for beta in (0.75, 1.0):
        got = F.smooth_l1_loss(x, y, reduction="none", beta=beta)
        want = F.smooth_l1_loss(x.double(), y.double(), reduction="none", beta=beta)
        assert got.equal(want.to(rl.bfloat16))


@pytest.mark.parametrize("dtype", HALVES)
def test_gradient_of_smooth_l1_is_rounded_once(dtype):
    """Its share in a mean is not rounded either, as in PyTorch."""
    x, y = mixed(300, dtype).requires_grad_(), mixed(301, dtype)[:300]
    F.smooth_l1_loss(x, y, beta=0.75).backward()
    d = x.detach().double() - y.double()
    want = rl.where(d.abs() < 0.75, d / 0.75, d.sign()) / 300
    assert (x.grad.double() - want).abs().max() <= rl.finfo(dtype).eps / 300
    assert x.grad.equal(want.to(dtype))


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("f", [rl.exp, rl.log, rl.erf, rl.tanh, rl.sigmoid, F.gelu, F.silu])
def test_neighbours_do_not_matter(f, dtype):
    """Elements that need more steps, among those that do not, change none of them."""
    info, ordinary = rl.finfo(dtype), rl.linspace(0.01, 5, 40, dtype=dtype)
    corners = [0.0, -0.0, math.inf, -math.inf, math.nan, info.tiny / 4, info.tiny, info.max, -1.0]
    corners += [95.0, -95.0, 707.9, 708.1, -740.0, 87.0, -87.1, 1e-30]
    alone = {str(c): f(rl.tensor([c], dtype=dtype)) for c in corners}
    expected = f(ordinary)
    for place in (0, 7, 8, 15, 16, 37):
        for c in corners:
            x = ordinary.clone()
            x[place] = c
            got = f(x)
            assert rl.equal(got[:place], expected[:place])
            assert rl.equal(got[place + 1 :], expected[place + 1 :])
            assert rl.allclose(got[place], alone[str(c)][0], rtol=0, atol=0, equal_nan=True)
