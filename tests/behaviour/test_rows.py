"""Functions by tables of rows, which some levels take for most arguments and leave for others:
`erf`, `erfc`, `erfinv`, `tanh`, `sin`, `cos`; and logarithms of vectors.
"""

import math

import numpy as np
import pytest
import rushlight as rl

EXACT = {
    "erf": math.erf,
    "erfc": math.erfc,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "log2": math.log2,
    "log10": math.log10,
}
TYPES = {rl.float32: np.float32, rl.float64: np.float64}


def _arguments(dtype):
    """Dense, beside the ends of every row, and small."""
    beside = np.arange(-1200, 1201) / 64
    dense = np.linspace(-19.5, 27, 4001)
    small = np.ldexp(1.0, -np.arange(1, 60))
    all_ = np.concatenate([beside, np.nextafter(beside, 99), dense, small, -small])
    return all_.astype(TYPES[dtype])


def _ulps(got, want, dtype):
    unit = np.spacing(np.abs(want).astype(TYPES[dtype])).astype(np.float64)
    return np.abs(got.numpy().astype(np.float64) - want) / unit


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", EXACT)
def test_are_near_those_of_the_c_library(name, dtype):
    x = _arguments(dtype)
    x = x[x > 0] if name.startswith("log") else x
    want = np.array([EXACT[name](float(v)) for v in x])
    usable = np.abs(want) > np.finfo(TYPES[dtype]).tiny
    got = getattr(rl, name)(rl.from_numpy(x))
    assert _ulps(got, want, dtype)[usable].max() <= 2


@pytest.mark.parametrize("dtype", TYPES)
def test_erfinv_is_inverse(dtype):
    ends = np.concatenate([2.0**-k * np.arange(8, 17) / 16 for k in range(14)])  # of 1 - x
    x = np.concatenate([1 - ends, ends / 2, np.linspace(0, 0.999, 999)]).astype(TYPES[dtype])
    y = rl.erfinv(rl.from_numpy(np.concatenate([x, -x])))
    assert rl.equal(y[: len(x)], -y[len(x) :])
    back = np.array([math.erf(v) for v in y[: len(x)].double().tolist()])
    slope = 2 / math.sqrt(math.pi) * np.exp(-(y[: len(x)].double().numpy() ** 2))
    unit = np.spacing(y[: len(x)].numpy()).astype(np.float64) * slope
    assert (np.abs(back - x) <= 1.5 * unit + 2.0**-53).all()


SPECIAL = {
    "erf": {0.0: 0.0, math.inf: 1.0, -math.inf: -1.0, 40.0: 1.0},
    "erfc": {0.0: 1.0, math.inf: 0.0, -math.inf: 2.0, 40.0: 0.0, -40.0: 2.0},
    "erfinv": {0.0: 0.0, 1.0: math.inf, -1.0: -math.inf, 2.0: math.nan},
    "tanh": {0.0: 0.0, math.inf: 1.0, -math.inf: -1.0, 40.0: 1.0, 5e-324: 5e-324},
    "sin": {0.0: 0.0, math.inf: math.nan, 1e300: math.sin(1e300), 5e-324: 5e-324},
    "cos": {0.0: 1.0, -math.inf: math.nan, 1e300: math.cos(1e300)},
    "log2": {0.0: -math.inf, math.inf: math.inf, -1.0: math.nan, 2.0**-1060: -1060.0, 1.0: 0.0},
    "log10": {0.0: -math.inf, math.inf: math.inf, -1.0: math.nan, 1e-310: -310.0, 1.0: 0.0},
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_beside_ordinary_ones(name):
    function = getattr(rl, name)
    ordinary = np.full(21, 0.3)
    usual = function(rl.tensor(0.3, dtype=rl.float64)).item()
    for at in range(21):
        for x, y in [*SPECIAL[name].items(), (math.nan, math.nan)]:
            given = ordinary.copy()
            given[at] = x
            got = function(rl.from_numpy(given)).numpy()
            np.testing.assert_allclose(got[at], y, rtol=4e-16)
            assert math.copysign(1, got[at]) == math.copysign(1, y) or math.isnan(y)
            np.testing.assert_allclose(np.delete(got, at), usual, rtol=4e-16)


@pytest.mark.parametrize("name", ["erf", "erfinv", "tanh", "sin"])
def test_zeros_keep_their_sign(name):
    got = getattr(rl, name)(rl.tensor([0.3, -0.0, 0.0] * 7, dtype=rl.float64))
    assert got.signbit().tolist() == [False, True, False] * 7


@pytest.mark.parametrize("dtype", TYPES)
def test_exact_logarithms(dtype):
    tiny = -149 if dtype == rl.float32 else -1074
    powers = np.arange(tiny, 127)
    assert (
        rl.log2(rl.from_numpy(np.ldexp(1.0, powers).astype(TYPES[dtype]))).numpy() == powers
    ).all()
    tens = np.arange(11 if dtype == rl.float32 else 23)
    x = np.array([float(10**k) for k in tens.tolist()], dtype=TYPES[dtype])
    assert (rl.log10(rl.from_numpy(x)).numpy() == tens).all()


@pytest.mark.parametrize("name", [*EXACT, "erfinv"])
@pytest.mark.parametrize("dtype", TYPES)
def test_lanes_do_not_depend_on_their_neighbours(name, dtype):
    x = np.linspace(0.001, 0.99, 77).astype(TYPES[dtype])
    whole = getattr(rl, name)(rl.from_numpy(x)).numpy()
    for start in (0, 1, 5, 13):
        for length in (1, 2, 3, 5, 8, 9, 15, 17, 33):
            part = getattr(rl, name)(rl.from_numpy(x[start : start + length].copy())).numpy()
            assert (part == whole[start : start + length]).all()
