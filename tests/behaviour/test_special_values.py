"""Special functions in every vector width, against values of 40 digits (mpmath's)."""

import math

import pytest

import rushlight as rl

KNOWN = {
    "gammaln": [
        (8.673617379884035e-19, 41.58883083359672),
        (0.375, 0.8630739822706475),
        (0.9375, 0.039390901734582304),
        (1.0625, -0.03295710029357782),
        (1.46875, -0.12146183058765041),
        (2.0625, 0.027667521522857022),
        (2.96875, 0.6645037976116387),
        (3.0625, 0.751586360749556),
        (11.5, 16.292000476567242),
        (1.2379400392853803e27, 7.598877827467825e28),
        (-0.25, 1.589575312551186),
        (-1.375, 1.0232050173821319),
        (-2.5, -0.056243716497674054),
        (-7.71875, -8.605054590162935),
        (-100.5, -364.90096830942736),
    ],
    "digamma": [
        (8.673617379884035e-19, -1.152921504606847e18),
        (0.375, -2.7539990491451394),
        (0.9375, -0.6850006744956978),
        (1.0625, -0.47885349006010436),
        (1.46875, 0.006865411470735777),
        (2.0625, 0.4623229805281309),
        (2.96875, 0.9103667842039483),
        (3.0625, 0.9471714653766158),
        (11.5, 2.3982391295357814),
        (1.2379400392853803e27, 62.383246250395075),
        (-0.25, 2.9141391202135276),
        (-1.375, 1.9412306293628274),
        (-2.5, 1.103156640645243),
        (-7.71875, -0.4712050700050644),
        (-100.5, 4.6151246013380645),
    ],
    "trigamma": [
        (8.673617379884035e-19, 1.329227995784916e36),
        (0.375, 8.161777632761508),
        (0.9375, 1.808971117885678),
        (1.0625, 1.5064200429154142),
        (1.46875, 0.9614082520277534),
        (2.0625, 0.620606894126487),
        (2.96875, 0.39980890055052853),
        (3.0625, 0.3855288408666155),
        (11.5, 0.09084666127454623),
        (1.2379400392853803e27, 8.077935669463161e-28),
        (-0.25, 18.541879647671607),
        (-1.375, 11.04121990398623),
        (-2.5, 9.539246644989124),
        (-7.71875, 16.395394293375592),
        (-100.5, 9.859703491870086),
    ],
    "erfinv": [
        (8.673617379884035e-19, 7.686793263128236e-19),
        (0.25, 0.2253120550121781),
        (-0.515625, -0.4944679650856978),
        (0.53125, 0.5123090336346424),
        (0.75, 0.8134198475976185),
        (-0.984375, -1.7094723742995115),
        (0.9999990463256836, 3.465505025803331),
    ],
    "ndtri": [
        (7.52316384526264e-37, -12.626696560491395),
        (9.094947017729282e-13, -7.047700256664409),
        (0.0009765625, -3.0972690781987846),
        (0.125, -1.150349380376008),
        (0.265625, -0.6260990123464212),
        (0.375, -0.31863936396437514),
        (0.625, 0.31863936396437514),
        (0.96875, 1.8627318674216515),
    ],
    "ndtr": [
        (-10.5, 4.3190063178092304e-26),
        (-1.25, 0.10564977366685525),
        (-0.125, 0.4502617751698871),
        (0.5, 0.6914624612740131),
        (3.0, 0.9986501019683699),
    ],
    "log_ndtr": [
        (-1000.0, -500007.82669481216),
        (-12.5, -81.57596787074388),
        (-1.0, -1.8410216450092636),
        (-0.125, -0.7979261427530241),
        (0.125, -0.598313068912425),
        (2.0, -0.02301290932896349),
        (8.5, -9.479534822203318e-18),
    ],
    "entr": [
        (9.094947017729282e-13, 2.521654753072454e-11),
        (0.75, 0.2157615543388357),
        (3.0, -3.295836866004329),
        (1024.0, -7097.82712893384),
    ],
    "i0": [
        (0.125, 1.0039100663533544),
        (-2.5, 3.289839144050123),
        (7.75, 338.5137537472759),
        (8.25, 540.325079074807),
        (60.0, 5.894077055609801e24),
    ],
    "i1": [
        (0.125, 0.06262214981123483),
        (-2.5, -2.5167162452886984),
        (7.75, 315.85248092400343),
        (8.25, 506.4338383076455),
        (60.0, 5.844751588390468e24),
    ],
    "i0e": [
        (0.125, 0.885947524030331),
        (-2.5, 0.27004644161220276),
        (7.75, 0.1458122743089143),
        (8.25, 0.1411645506329935),
        (1000.0, 0.012617240455891257),
    ],
    "i1e": [
        (0.125, 0.05526385324160324),
        (-2.5, -0.20658464953126657),
        (7.75, 0.1360511000803391),
        (8.25, 0.13231017396500142),
        (1000.0, 0.012610930256928629),
    ],
    "modified_bessel_k0": [
        (9.313225746154785e-10, 20.910346932456772),
        (0.75, 0.6105824221164641),
        (1.9375, 0.12300567052555429),
        (2.0625, 0.10550071349007924),
        (50.0, 3.4101677497894956e-23),
    ],
    "scaled_modified_bessel_k0": [
        (9.313225746154785e-10, 20.91034695193105),
        (0.75, 1.2926029977639617),
        (1.9375, 0.8538285872562115),
        (2.0625, 0.8298273904353701),
        (1000.0, 0.03962832160075422),
    ],
    "modified_bessel_k1": [
        (9.313225746154785e-10, 1073741824.0),
        (0.75, 0.9495804669621403),
        (1.9375, 0.151894691359947),
        (2.0625, 0.12888016682027845),
        (50.0, 3.4441022267175555e-23),
    ],
    "scaled_modified_bessel_k1": [
        (9.313225746154785e-10, 1073741825.0),
        (0.75, 2.010261864333922),
        (1.9375, 1.0543581379741223),
        (2.0625, 1.0137210353691468),
        (1000.0, 0.03964813081296021),
    ],
}


def function(name):
    if name == "trigamma":
        return lambda x: rl.polygamma(1, x)
    return getattr(rl.special, name)


@pytest.mark.parametrize("dtype, bound", [(rl.float32, 2.4e-7), (rl.float64, 2e-15)])
@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name, dtype, bound):
    x, y = (rl.tensor(column, dtype=dtype) for column in zip(*KNOWN[name]))
    for count in (1, 3, 7, 8, 9, 16, 17, 31, 1025):
        turn = rl.arange(count) % len(x)
        rl.testing.assert_close(function(name)(x[turn]), y[turn], rtol=bound, atol=4e-16)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_poles_of_gamma(dtype):
    inf, nan = float("inf"), float("nan")
    x = rl.tensor([0.0, -0.0, -1.0, -2.0, -inf, inf, nan, -(2.0**60)], dtype=dtype)
    expected = {
        "gammaln": [inf, inf, inf, inf, inf, inf, nan, inf],
        "digamma": [-inf, inf, nan, nan, nan, inf, nan, nan],
        "trigamma": [inf, inf, inf, inf, nan, 0.0, nan, inf],
    }
    for name, values in expected.items():
        y = rl.tensor(values, dtype=dtype)
        rl.testing.assert_close(function(name)(x), y, equal_nan=True, rtol=0, atol=0)


def test_gammaln_of_huge_numbers():
    x = rl.tensor([2.0**1000, 2.5e305, 2.6e305], dtype=rl.float64)
    y = rl.tensor([7.416416614096889e303, 1.7555118602376452e308, float("inf")], dtype=rl.float64)
    rl.testing.assert_close(rl.lgamma(x), y, rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype, bound", [(rl.float32, 1.3e-7), (rl.float64, 4e-15)])
def test_zeta_and_polygamma(dtype, bound):
    def compare(got, value):
        expected = rl.full(got.shape, value, dtype=dtype)
        rl.testing.assert_close(got, expected, rtol=bound, atol=0)

    for count in (1, 7, 128, 129, 300):
        shift, order = rl.full((count,), 2.5, dtype=dtype), rl.full((count,), 3.5, dtype=dtype)
        compare(rl.special.zeta(order, shift), 0.06517125158965971)
        compare(rl.polygamma(2, shift), -0.2362040516417274)
        compare(rl.polygamma(5, shift), 0.5785691785671835)
        shift[-1] = -1.5  # a block with one outside the common range
        compare(rl.polygamma(2, shift)[:-1], -0.2362040516417274)
        compare(rl.polygamma(2, shift)[-1:], -0.2362040516417274)


@pytest.mark.parametrize("order", [3, 1.5, 0.5, 4, -3, -0.5])
@pytest.mark.parametrize("dtype, bound", [(rl.float32, 1.3e-7), (rl.float64, 2e-14)])
def test_norms_of_any_order(order, dtype, bound):
    x = rl.randn(17, 301, dtype=dtype) * 10
    for dim in (0, 1, (0, 1)):
        expected = (x.double().abs() ** order).sum(dim) ** (1 / order)
        got = rl.linalg.vector_norm(x, order, dim=dim)
        rl.testing.assert_close(got.double(), expected, rtol=bound, atol=0)
    nan, inf = float("nan"), float("inf")
    x = rl.tensor([[0, 1], [inf, 1], [nan, 1], [0, 0]], dtype=dtype)
    expected = [1, inf, nan, 0] if order > 0 else [0, 1, nan, 0]
    got = rl.linalg.vector_norm(x, order, dim=1)
    rl.testing.assert_close(got, rl.tensor(expected, dtype=dtype), equal_nan=True)


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"])
def test_bessel_functions_of_floats(name):
    function = getattr(rl.special, name)
    near = rl.linspace(0.01, 60, 4001)
    far = rl.logspace(1, 5, 301)
    for x in (near, far, near[:1], near[:17], rl.tensor([7.9999995, 8.0, 8.000001] * 5)):
        want = function(x.double())
        size = want.abs().maximum((2 / math.pi / x.double()).sqrt())
        assert ((function(x).double() - want).abs() / size).max() < 2**-23
    huge = rl.tensor([2.0**17, 2.0**18, 1e10, 3e38, 5.0])
    assert rl.equal(function(huge)[:-1], function(huge.double()).float()[:-1])
    edges = rl.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, -1.0])
    both = function(edges), function(edges.double()).float()
    for value, want in zip(*map(rl.Tensor.tolist, both)):
        same = math.isnan(value) and math.isnan(want) or value == want
        assert same and (math.isnan(value) or math.copysign(1, value) == math.copysign(1, want))
    tiny = rl.tensor([1e-30, 1e-45, 1e-10])
    assert rl.allclose(function(tiny), function(tiny.double()).float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 33])
def test_xlogy(n, dtype):
    edges = [0.0, -0.0, 1.0, -2.0, 0.5, math.inf, -math.inf, math.nan, 3.0]
    x = rl.tensor((edges * n)[-n:], dtype=dtype)[:, None]
    y = rl.tensor(edges, dtype=dtype)

    def one(a, b):
        if a == 0 and b == b:
            return 0.0
        log = math.log(b) if b > 0 else -math.inf if b == 0 else math.nan
        return a * log

    def close(got, columns):
        want = [[one(a, b) for b in columns] for (a,) in x.tolist()]
        rl.testing.assert_close(got, rl.tensor(want, dtype=dtype), equal_nan=True)
        zeros = got[(x == 0).expand_as(got) & ~got.isnan()]
        assert not zeros.signbit().any()

    close(rl.xlogy(x, y), y.tolist())
    for b in edges:
        close(rl.xlogy(x, b), [b])
    assert str(rl.xlogy(0, y).tolist()) == str([math.nan if b != b else 0.0 for b in y.tolist()])
    whole = rl.tensor([0, 3], dtype=rl.int64)
    rl.testing.assert_close(rl.xlogy(whole, whole), rl.tensor([0.0, 3 * math.log(3)]))


@pytest.mark.parametrize("name", ("zeta", "gammainc", "gammaincc"))
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64))
def test_arguments_outside_the_domain_do_not_disturb_their_neighbours(name, dtype):
    values = [-2.5, -1.0, -0.0, 0.0, 0.3, 1.0, 1.5, 7.0, 30.0, float("inf"), float("nan")]
    grid = rl.tensor(values, dtype=dtype)
    a, x = (t.reshape(-1) for t in rl.meshgrid(grid, grid.flip(0), indexing="ij"))
    order = rl.randperm(1000, generator=rl.Generator().manual_seed(0)) % len(a)
    function = getattr(rl.special, name)
    alone = rl.stack([function(p, q) for p, q in zip(a, x)])
    rl.testing.assert_close(function(a[order], x[order]), alone[order], equal_nan=True)
