"""Functions whose kernels take vectors of elements at a time: orthogonal polynomials, Bessel
functions, greatest common divisors, exponentials and powers of doubles, logarithms, `tanh` and
`erf` of floats, reciprocals of complex numbers, Kronecker products, the gradients of gamma numbers,
of `glu` and of `prelu`.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import rushlight as rl

F = rl.nn.functional
FLOATS = [rl.float32, rl.float64]
# Around the vectors of every level.
WIDTHS = [0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 1030]


def _recurrence(first, step):
    def value(x, n):
        before, p = 1.0, first(x)
        for k in range(2, n + 1):
            before, p = p, step(k, x, p, before)
        return 0.0 if n < 0 else p if n else 1.0

    return value


def _chebyshev(first):
    return _recurrence(first, lambda k, x, p, before: 2 * x * p - before)


POLYNOMIALS = {
    "chebyshev_polynomial_t": _chebyshev(lambda x: x),
    "chebyshev_polynomial_u": _chebyshev(lambda x: 2 * x),
    "chebyshev_polynomial_v": _chebyshev(lambda x: 2 * x - 1),
    "chebyshev_polynomial_w": _chebyshev(lambda x: 2 * x + 1),
    "hermite_polynomial_h": _recurrence(
        lambda x: 2 * x, lambda k, x, p, before: 2 * (x * p - (k - 1) * before)
    ),
    "hermite_polynomial_he": _recurrence(
        lambda x: x, lambda k, x, p, before: x * p - (k - 1) * before
    ),
    "laguerre_polynomial_l": _recurrence(
        lambda x: 1 - x, lambda k, x, p, before: ((2 * k - 1 - x) * p - (k - 1) * before) / k
    ),
    "legendre_polynomial_p": _recurrence(
        lambda x: x, lambda k, x, p, before: ((2 * k - 1) * x * p - (k - 1) * before) / k
    ),
}


def _close(got, want, dtype, scale=1.0):
    tolerance = (2e-4 if dtype == rl.float32 else 1e-11) * scale
    want = rl.tensor(want, dtype=rl.float64)
    assert rl.allclose(got.double(), want, rtol=tolerance, atol=tolerance, equal_nan=True)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials_of_a_degree_for_each_element(name, dtype):
    for width in WIDTHS:
        x = (rl.arange(width, dtype=dtype) * 0.37).sin() * 1.05
        n = rl.arange(width).remainder(13) - 1
        got = getattr(rl.special, name)(x, n.to(dtype))
        want = [POLYNOMIALS[name](*pair) for pair in zip(x.tolist(), n.tolist())]
        assert got.shape == x.shape and got.dtype == dtype
        size = max([1.0, *map(abs, want)])
        _close(got / size, [w / size for w in want], dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials_at_the_edges(name, dtype):
    f = getattr(rl.special, name)
    x = rl.tensor([1.0, -1.0, 0.0, math.inf, math.nan], dtype=dtype)
    for n in (0, 1, 2, 7, 8):
        _close(f(x[:3], n), [POLYNOMIALS[name](v, n) for v in (1.0, -1.0, 0.0)], dtype)
    assert f(x, -1).tolist() == [0.0] * 5 and f(x, -0.5).tolist() == [1.0] * 5
    assert f(x, math.nan).isnan().all() and f(x, 1e19).isnan().all()
    assert f(x, 2.9)[:3].tolist() == f(x, 2)[:3].tolist()
    assert f(x, 3)[4].isnan()
    if name.startswith("hermite"):
        assert f(x, 513).isnan().all()
    elif name != "laguerre_polynomial_l":  # without that many steps
        assert f(rl.full((5,), 3.0, dtype=dtype), 4e8).isfinite().sum() == 0


def _bessel_by_integral(n, x):
    """J_n(x), the mean of cos(n t - x sin t), by a rule that is exact to rounding."""
    count = 400
    steps = [math.pi * (k + 0.5) / count for k in range(count)]
    return math.fsum(math.cos(n * t - x * math.sin(t)) for t in steps) / count


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("order", [0, 1])
def test_bessel_functions_of_the_first_kind(order, dtype):
    f = getattr(rl.special, f"bessel_j{order}")
    for width, scale in [(w, s) for w in WIDTHS[1:12] for s in (0.1, 5.0, 90.0)]:
        x = (rl.arange(width, dtype=dtype) * 0.71).cos() * scale
        want = rl.tensor([_bessel_by_integral(order, v) for v in x.tolist()], dtype=rl.float64)
        bound = 2e-7 if dtype == rl.float32 else 2e-15
        assert ((f(x).double() - want).abs() <= bound).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_bessel_functions_have_their_wronskian(dtype):
    # J_1 Y_0 - J_0 Y_1 = 2 / (pi x)
    s = rl.special
    for top in (2.0, 5.0, 8.0, 200.0, 1e6):
        x = rl.linspace(top / 1030, top, 1030, dtype=dtype)
        got = s.bessel_j1(x).double() * s.bessel_y0(x) - s.bessel_j0(x).double() * s.bessel_y1(x)
        want = 2 / (math.pi * x.double())
        bound = 1e-6 if dtype == rl.float32 else 1e-14
        assert ((got - want).abs() <= bound * want).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_bessel_functions_at_the_edges(dtype):
    s = rl.special
    x = rl.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, -2.0], dtype=dtype)
    assert s.bessel_j0(x)[:4].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert s.bessel_j1(x)[:4].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert s.bessel_j1(x)[:2].signbit().tolist() == [False, True]
    for y in (s.bessel_y0(x), s.bessel_y1(x)):
        assert y[:3].tolist() == [-math.inf, -math.inf, 0.0] and y[3:].isnan().all()
    assert s.bessel_j0(x)[4].isnan() and s.bessel_j1(x)[4].isnan()
    # Huge arguments, which share a block with others.
    huge = rl.tensor([1e15, 1.0, 3e9], dtype=rl.float64)
    assert abs(s.bessel_j0(huge)[1] - 0.7651976865579666) < 1e-15
    assert (s.bessel_j0(huge).abs() <= rl.sqrt(2 / (math.pi * huge))).all()
    # Relative to itself near its zeros.
    near = s.bessel_j0(rl.tensor([2.404825557695773], dtype=rl.float64))
    assert abs(near.item()) < 2e-16


@pytest.mark.parametrize("dtype", [rl.uint8, rl.int8, rl.int16, rl.int32, rl.int64])
def test_divisors(dtype):
    info = rl.iinfo(dtype)
    edges = [0, 0, 1, info.max, info.max, info.min + 1, info.max // 2 + 1, 12, info.min]
    for width in WIDTHS:
        a = rl.arange(width).mul(7919).remainder(info.max).to(dtype)
        b = rl.arange(width).mul(104729).remainder(info.max).add(info.min // 2).to(dtype)
        if width > 16:
            a[:9] = rl.tensor(edges, dtype=dtype)
            b[:9] = rl.tensor(edges[::-1], dtype=dtype)
        want = [math.gcd(*pair) for pair in zip(a.tolist(), b.tolist())]
        wrapped = rl.tensor([w - 2 * (info.max + 1) * (w > info.max) for w in want])
        assert rl.gcd(a, b).tolist() == wrapped.tolist()
    a, b = rl.tensor([4, 0, 6, -8, 7]), rl.tensor([6, 5, 0, 12, 7])
    assert rl.lcm(a, b).tolist() == [12, 0, 0, 24, 7]


def test_gamma_gradients_do_not_depend_on_neighbours():
    a = rl.tensor(
        [0.1, 0.7, 3.0, 12.0, 15.0, 1e3, 1e11, 2.0, -1.0, math.nan] * 13, dtype=rl.float64
    )
    x = rl.tensor([0.01, 0.9, 5.0, 9.0, 25.0, 1e3, 1e11, 0.0, 1.0, 1.0] * 13, dtype=rl.float64)
    for dtype in FLOATS:
        p, q = a.to(dtype), x.to(dtype)
        whole = rl._standard_gamma_grad(p, q)
        apart = rl.cat([rl._standard_gamma_grad(p[i : i + 1], q[i : i + 1]) for i in range(len(p))])
        assert rl.allclose(
            whole, apart, rtol=1e-6 if dtype == rl.float32 else 1e-11, equal_nan=True
        )
    # dx/da = -(dP/da) / (dP/dx), by differences of P.
    a, x = a[:6], x[:6]
    h = a * 1e-5
    moved = rl.special.gammainc(a + h, x) - rl.special.gammainc(a - h, x)
    density = ((a - 1) * x.log() - x - rl.lgamma(a)).exp()
    assert rl.allclose(rl._standard_gamma_grad(a, x), -moved / (2 * h) / density, rtol=1e-4)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.float16])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gradient_of_glu(dim, dtype):
    x = rl.linspace(-9, 9, 6 * 10 * 3, dtype=rl.float64).view(6, 10, 3)[:, :, :2].to(dtype)
    x.requires_grad_()
    g = rl.ones_like(F.glu(x, dim)) * 0.75
    (got,) = rl.autograd.grad(F.glu(x, dim), x, g)
    (kept,) = rl.autograd.grad(F.glu(x, dim), x, g, create_graph=True)
    wide = x.detach().double().requires_grad_()
    a, b = wide.chunk(2, dim)
    (want,) = rl.autograd.grad(a * b.sigmoid(), wide, g.double())
    bound = {rl.float32: 1e-6, rl.float64: 1e-14, rl.bfloat16: 3e-2, rl.float16: 4e-3}[dtype]
    assert rl.allclose(got.double(), want, rtol=bound, atol=bound) and rl.equal(got, kept)
    assert got.dtype == dtype and got.shape == x.shape


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("width", WIDTHS)
def test_elu_of_pieces_above_zero(width, dtype):
    x = rl.linspace(-3, 4, 3 * width, dtype=dtype).reshape(3, width)  # one row is of both signs
    want = np.where(x.numpy() > 0, x.numpy(), 1.5 * np.expm1(x.double().numpy()))
    assert np.allclose(F.elu(x, 1.5).numpy(), want, rtol=1e-6, atol=0)
    x = x.abs()
    assert rl.equal(F.elu(x), x) and F.elu(x - math.nan).isnan().all()
    assert rl.equal(F.celu(x[:, ::2], 2.0), x[:, ::2])
    assert F.elu(-0.0 * x).signbit().all()


def test_second_gradients_of_glu_and_prelu():
    x = rl.linspace(-3, 3, 24, dtype=rl.float64).view(2, 12).requires_grad_()
    w = rl.linspace(0.1, 0.6, 12, dtype=rl.float64).requires_grad_()
    assert rl.autograd.gradgradcheck(F.glu, (x,))
    assert rl.autograd.gradgradcheck(F.prelu, (x, w))
    rows = rl.func.vmap(rl.func.grad(lambda r: F.glu(r).sum()))(x.detach())
    (whole,) = rl.autograd.grad(F.glu(x).sum(), x)
    assert rl.allclose(rows, whole)
    _, slope = rl.func.jvp(lambda v: F.glu(v), (x.detach(),), (rl.ones_like(x),))
    a, b = x.detach().chunk(2, 1)
    s = b.sigmoid()
    assert rl.allclose(slope, s + a * s * (1 - s))


def test_gradient_of_prelu():
    for width in WIDTHS[1:]:
        x = rl.linspace(-1, 1, width).requires_grad_()
        w = rl.linspace(0.1, 0.9, width).requires_grad_()
        gx, gw = rl.autograd.grad(rl.prelu(x.view(1, -1), w).sum(), (x, w))
        below = x.detach() <= 0
        assert rl.equal(gx, rl.where(below, w.detach(), 1.0))
        assert rl.equal(gw, rl.where(below, x.detach(), 0.0))


def test_gelu_in_double_is_precise_in_its_tail():
    x = rl.linspace(-37, 37, 1031, dtype=rl.float64)
    cdf = [0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()]
    slope = [
        c + v * math.exp(-0.5 * v * v) / math.sqrt(2 * math.pi) for c, v in zip(cdf, x.tolist())
    ]
    want = x * rl.tensor(cdf, dtype=rl.float64)
    # In the tail, what erfc's argument loses by rounding is multiplied by its square.
    assert rl.allclose(F.gelu(x), want, rtol=1e-12, atol=1e-305)
    z = x.clone().requires_grad_()
    (got,) = rl.autograd.grad(F.gelu(z).sum(), z)
    assert rl.allclose(got, rl.tensor(slope, dtype=rl.float64), rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("dtype", FLOATS)
def test_logaddexp2(dtype):
    for width in WIDTHS:
        a = (rl.arange(width, dtype=dtype) * 0.9).sin() * 40
        b = a.flip(0) * 0.5
        want = [
            max(p, q) + math.log1p(2 ** -abs(p - q)) / math.log(2)
            for p, q in zip(a.tolist(), b.tolist())
        ]
        _close(rl.logaddexp2(a, b), want, dtype, 1e-2)
    inf = math.inf
    edge = rl.logaddexp2(rl.tensor([inf, -inf, inf, 1.0]), rl.tensor([inf, -inf, -inf, -inf]))
    assert edge.tolist() == [inf, -inf, inf, 1.0]
    with pytest.raises(NotImplementedError, match="int64"):
        rl.logaddexp2(rl.tensor([3, 3]), rl.tensor([3, 3]))


LONG = np.longdouble


def long_sigmoid(x):
    small = np.exp(-np.abs(x))
    return np.where(x < 0, small, LONG(1)) / (1 + small)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 17, 100, 1027])
def test_exponentials_of_doubles(width):
    rng = np.random.default_rng(width)
    x = np.concatenate([rng.uniform(-700, 700, width // 2), rng.normal(size=width - width // 2)])
    g = rng.normal(size=width)
    wide = x.astype(LONG)
    sigmoid = long_sigmoid(wide)
    a, grad = rl.tensor(x), rl.tensor(g)

    def near(got, expected, ulps):
        expected = expected.astype(np.float64)
        assert np.all(np.abs(got.numpy() - expected) <= ulps * np.spacing(np.abs(expected)))

    def slope(f):
        leaf = a.clone().requires_grad_()
        return rl.autograd.grad(f(leaf), leaf, grad)[0]

    near(a.exp(), np.exp(wide), 1)
    near(a.sigmoid(), sigmoid, 2)
    near(F.silu(a), wide * sigmoid, 3)
    near(slope(F.logsigmoid), g * long_sigmoid(-wide), 4)
    expected = g * sigmoid * (1 + wide * (1 - sigmoid))
    assert np.allclose(slope(F.silu).numpy(), expected.astype(np.float64), rtol=1e-13, atol=1e-15)
    small = wide / 50
    powers = np.exp(small - small.max())
    near(rl.tensor(small.astype(np.float64)).softmax(0), powers / powers.sum(), 64)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 17, 100, 255, 257, 1027])
@pytest.mark.parametrize("exponent", [1.7, -3.3, 0.37, 40.0, -1000.5, 3e6])
def test_powers_of_floats(width, exponent):
    rng = np.random.default_rng(width)
    y = np.float32(exponent)
    x = np.exp(rng.uniform(-1, 1, width) * min(87, 86 / abs(exponent))).astype(np.float32)
    x[::5] = (1 + rng.uniform(-1e-6, 1e-6, len(x[::5]))).astype(np.float32)
    want = x.astype(LONG) ** LONG(y)
    ulp = np.spacing(want.astype(np.float32)).astype(np.float64)
    for power in (rl.tensor(x) ** float(y), rl.tensor(x) ** rl.full((width,), float(y))):
        assert np.all(np.abs(power.numpy() - want) <= 0.51 * ulp)


def test_powers_of_floats_at_the_edges():
    inf, nan, tiny = math.inf, math.nan, 2.0**-149
    x = rl.tensor([0.0, -0.0, inf, -inf, nan, 1.0, -1.0, -2.0, tiny, 3e38, 0.75, 1.5])
    for y in (0.5, 1.7, -1.7, 3.0, 5.0, -3.0, -5.0, 1e30, -1e30, inf, -inf, nan, 0.0):
        with np.errstate(all="ignore"):
            # An array: for a number of 0.5 older releases of NumPy take a root, NaN of -inf.
            powers = x.numpy().astype(LONG) ** np.full(12, np.float32(y), LONG)
            want = rl.tensor(powers.astype(np.float32))
        for got in (x**y, x ** rl.full((12,), y)):
            assert rl.allclose(got, want, rtol=1e-7, atol=0, equal_nan=True), y
            assert rl.equal(got.signbit() & ~got.isnan(), want.signbit() & ~want.isnan()), y


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 17, 100, 1027])
def test_sigmoid_of_floats(width):
    x = np.random.default_rng(width).uniform(-87, 87, width).astype(np.float32)
    g = np.random.default_rng(1).normal(size=width).astype(np.float32)
    wide, leaf = x.astype(np.float64), rl.tensor(x, requires_grad=True)
    want = long_sigmoid(wide.astype(LONG)).astype(np.float64)
    for got, value in ((leaf.sigmoid(), want), (F.silu(leaf), wide * want)):
        assert np.all(
            np.abs(got.detach().numpy() - value) <= 3 * np.spacing(np.float32(abs(value)))
        )
    (slope,) = rl.autograd.grad(F.silu(leaf), leaf, rl.tensor(g))
    expected = g * want * (1 + wide * (1 - want))
    assert np.allclose(slope.numpy(), expected, rtol=2e-6, atol=1e-7)


def test_sigmoid_of_floats_at_the_edges():
    x = rl.tensor([math.inf, -math.inf, 0.0, -0.0, 120.0, -120.0, -88.0] * 3 + [math.nan] * 2)
    assert x.sigmoid()[:6].tolist() == [1, 0, 0.5, 0.5, 1, 0]
    assert abs(x.sigmoid()[6].item() * math.exp(88) - 1) < 1e-5
    assert x.sigmoid()[-2:].isnan().all() and F.silu(x)[-2:].isnan().all()
    assert F.silu(x)[[0, 2, 3, 4, 5]].tolist() == [math.inf, 0, 0, 120, 0]
    assert F.silu(x)[3].signbit() and F.silu(x)[1].isnan()


def test_exponentials_of_doubles_at_the_edges():
    x = rl.tensor([math.inf, -math.inf, math.nan, 0.0, -0.0, 800.0, -800.0, -740.0] * 3).double()
    tiny = math.exp(-740)
    assert rl.equal(
        x.exp()[[0, 1, 3, 4, 5, 6]], rl.tensor([math.inf, 0, 1, 1, math.inf, 0]).double()
    )
    assert x.exp()[7].item() == tiny and x.sigmoid()[7].item() == tiny
    assert rl.equal(x.sigmoid()[[0, 1, 3, 4, 5, 6]], rl.tensor([1, 0, 0.5, 0.5, 1, 0]).double())
    for f in (rl.exp, rl.sigmoid, F.silu, F.logsigmoid):
        assert f(x)[2].isnan()
    assert F.silu(x)[0] == math.inf and F.silu(x)[5] == 800


@pytest.mark.parametrize("width", [1, 15, 17, 33, 300])
@pytest.mark.parametrize("dtype, spread", [(np.complex64, 120), (np.complex128, 1000)])
def test_reciprocals_of_complex_numbers(dtype, spread, width):
    rng = np.random.default_rng(width)
    real = np.float32 if dtype == np.complex64 else np.float64
    for most in (5, spread):  # all of them usual, or not
        parts = rng.normal(size=(2, width)) * 2.0 ** rng.uniform(-most, most, (2, width))
        z = (parts[0] + 1j * parts[1]).astype(dtype)
        got = rl.tensor(z).reciprocal().numpy()
        for a, b in zip(z, got):
            x, y = Fraction(float(a.real)), Fraction(float(a.imag))
            square = x * x + y * y
            ulp = np.spacing(real(max(abs(x), abs(y)) / square))
            assert abs(Fraction(float(b.real)) - x / square) <= 3 * Fraction(float(ulp))
            assert abs(Fraction(float(b.imag)) + y / square) <= 3 * Fraction(float(ulp))
        alone = rl.cat([rl.tensor(z[i : i + 1]).reciprocal() for i in range(width)])
        assert np.array_equal(alone.numpy(), got)
        kept = rl.tensor(z)
        assert np.array_equal(kept.reciprocal_().numpy(), got)


def test_reciprocals_of_complex_numbers_at_the_edges():
    for dtype in (rl.complex64, rl.complex128):
        z = rl.tensor([complex(0, 0), complex(math.inf, 1), complex(1, -math.inf)] * 7, dtype=dtype)
        zero, right, down = z.reciprocal()[:3].tolist()
        assert zero.real == math.inf and math.isnan(zero.imag)
        assert right == 0 and down == 0
        z = rl.tensor([complex(math.nan, 1), complex(1, math.nan)] * 9, dtype=dtype).reciprocal()
        assert z.real.isnan().all() and z.imag.isnan().all()


@pytest.mark.parametrize("width", [1, 7, 8, 9, 17, 255, 257, 600])
def test_powers_of_doubles(width):
    rng = np.random.default_rng(width)
    x = np.exp(rng.uniform(-20, 20, width))
    y = rng.uniform(-30, 30, width)
    edges = [(-2.0, 3.0), (-2.0, 0.5), (0.0, -1.0), (math.inf, -2.0), (1.0, math.nan), (1.5, 1e300)]
    more = rng.integers(0, width, min(width, 6))
    for mixed in (False, True):
        for at, (base, exponent) in zip(more, edges if mixed else []):
            x[at], y[at] = base, exponent
        with np.errstate(all="ignore"):
            expected = np.power(x.astype(LONG), y.astype(LONG)).astype(np.float64)
            single = np.power(x.astype(LONG), LONG(-2.75)).astype(np.float64)
        for got, want in (
            (rl.tensor(x).pow(rl.tensor(y)), expected),
            (rl.float_power(rl.tensor(x), rl.tensor(y)), expected),
            (rl.tensor(x).pow(-2.75), single),
        ):
            np.testing.assert_allclose(got.numpy(), want, rtol=2.5e-16, atol=0)
        alone = [rl.tensor(x[i : i + 1]).pow(rl.tensor(y[i : i + 1])) for i in range(width)]
        whole = rl.tensor(x).pow(rl.tensor(y))
        assert rl.allclose(rl.cat(alone), whole, rtol=2.5e-16, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [rl.uint8, rl.int16, rl.float32, rl.float64, rl.complex128])
@pytest.mark.parametrize("width", [1, 2, 5, 16, 33, 70])
def test_every_few_elements_and_one_for_all(width, dtype):
    for step in (2, 3, 4, 5):
        for rows in (1, 4):
            flat = rl.arange(rows * width * step).remainder(251).to(dtype)
            x = flat.view(rows, width * step)[:, step - 1 :: step]
            expected = [
                [(r * width * step + step - 1 + step * i) % 251 for i in range(width)]
                for r in range(rows)
            ]
            assert x.contiguous().tolist() == expected
            assert x.to(rl.complex128).sum(1).tolist() == [sum(row) for row in expected]
    one = rl.tensor([[7], [9]]).to(dtype).expand(2, width)
    assert one.contiguous().tolist() == [[7] * width, [9] * width]


@pytest.mark.parametrize("a", [(2, 2), (3, 4), (8, 8), (4, 1), (0, 3), (5,), (), (2, 3, 2)])
@pytest.mark.parametrize("b", [(3, 5), (32, 32), (1, 1), (4,), (33,), (0,), (), (2, 1, 3)])
def test_kronecker_products(a, b):
    rng = np.random.default_rng(len(a) + 10 * len(b))
    x, y = rng.normal(size=a), rng.normal(size=b)
    assert np.array_equal(rl.kron(rl.tensor(x), rl.tensor(y)).numpy(), np.kron(x, y))
    p, q = rl.tensor(x).requires_grad_(), rl.tensor(y).requires_grad_()
    assert rl.autograd.gradcheck(rl.kron, (p, q)) if x.size * y.size < 100 else True


def _floats(top, count):
    rng = np.random.default_rng(count)
    near, spread = rng.uniform(-top, top, count), np.exp(rng.uniform(-80, np.log(top), count))
    return np.concatenate([near, spread, -spread]).astype(np.float32)


def _ulps(got, x, function):
    want = np.array([function(float(v)) for v in x])
    return np.abs(got.numpy() - want) / np.spacing(np.abs(want).astype(np.float32))


@pytest.mark.parametrize("count", [1, 5, 16, 33, 20_000])
def test_functions_of_floats_by_ranges(count):
    for name, top in (("tanh", 12.0), ("erf", 5.0)):
        x = _floats(top, count)
        assert _ulps(getattr(rl, name)(rl.tensor(x)), x, getattr(math, name)).max() < 1.1
    x = np.abs(_floats(3.0, count))
    x = np.concatenate([x, 1 / x, 1 + _floats(1e-2, count)])
    assert _ulps(rl.tensor(x).log(), x, math.log).max() < 1.1
    x = _floats(10.0, count)
    got = F.gelu(rl.tensor(x), approximate="tanh").double()
    wide = rl.tensor(x).double()
    want = wide * (2 * math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)).sigmoid()
    assert rl.allclose(got, want, rtol=3e-5, atol=1e-30)


def test_functions_of_floats_by_ranges_at_the_edges():
    x = rl.tensor([0.0, -0.0, 1e-45, -1e-45, 1e-30, 50.0, -50.0, math.inf, -math.inf, math.nan] * 2)
    for f in (rl.tanh, rl.erf):
        got = f(x)
        assert got[:2].signbit().tolist() == [False, True]
        assert got[5:9].tolist() == [1.0, -1.0, 1.0, -1.0] and got[9].isnan()
    assert rl.equal(rl.tanh(x[:5]), x[:5])
    got = rl.tensor(
        [0.0, -0.0, math.inf, 1.0, 1e-45, 3e38, -1.0, -math.inf, math.nan, -1e-45]
    ).log()
    assert got[:4].tolist() == [-math.inf, -math.inf, math.inf, 0.0]
    assert rl.allclose(got[4:6], rl.tensor([-103.278929, 88.5968475]), rtol=1e-7)
    assert got[6:].isnan().all()
    got = F.gelu(rl.tensor([0.0, -0.0, math.inf, -1e20, 1e20, math.nan]), approximate="tanh")
    assert got[:5].tolist() == [0.0, 0.0, math.inf, 0.0, rl.tensor(1e20).item()] and got[5].isnan()


@pytest.mark.parametrize("count", [1, 7, 8, 9, 33, 20_000])
def test_normal_distribution_and_logarithm(count):
    x = np.sort(_floats(12.0, count))
    cdf = np.array([0.5 * math.erfc(-float(v) / math.sqrt(2)) for v in x])
    near = x > -12.0  # below, gelu is not a normal number
    a = rl.tensor(x).requires_grad_()
    y = F.gelu(a)
    assert np.allclose(y.detach().numpy()[near], (x * cdf)[near], rtol=8e-7, atol=1e-37)
    slope = cdf + x * np.exp(-0.5 * x.astype(np.float64) ** 2) / math.sqrt(2 * math.pi)
    got = rl.autograd.grad(y.sum(), a)[0].numpy()
    assert np.all(np.abs(got - slope) <= 8e-7 * (np.abs(slope) + np.abs(x * cdf)) + 1e-37)
    wide = np.exp(np.linspace(-700, 700, count)) * (1 + np.arange(count) / 7)
    exact = np.array([math.log(v) for v in wide])
    got = rl.tensor(wide).log().numpy()
    assert np.all(np.abs(got - exact) <= np.spacing(np.abs(exact)))
    wide = x.astype(np.float64) / 2
    exact = np.array([math.erf(v) for v in wide])
    assert np.all(np.abs(rl.tensor(wide).erf().numpy() - exact) <= 2 * np.spacing(np.abs(exact)))
