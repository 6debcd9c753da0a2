"""Special functions at the ends of their ranges."""

import math

import pytest

import rushlight as rl

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize(
    "name, at, values",
    [
        ("erf", [INF, -INF, NAN], [1, -1, NAN]),
        ("erfc", [INF, -INF, NAN], [0, 2, NAN]),
        ("erfcx", [INF, -INF, -30, NAN], [0, INF, INF, NAN]),
        ("erfinv", [1, -1, 2, NAN], [INF, -INF, NAN, NAN]),
        ("ndtr", [INF, -INF, NAN], [1, 0, NAN]),
        ("log_ndtr", [INF, -INF, NAN], [0, -INF, NAN]),
        ("ndtri", [0, 1, 2, NAN], [-INF, INF, NAN, NAN]),
        ("expit", [INF, -INF, NAN], [1, 0, NAN]),
        ("i0e", [INF, -INF, NAN], [0, 0, NAN]),
        ("entr", [0, INF, -1, NAN], [0, -INF, -INF, NAN]),
        ("gammaln", [INF, -INF, 0, NAN], [INF, INF, INF, NAN]),
        ("digamma", [INF, 0, -1, NAN], [INF, -INF, NAN, NAN]),
    ],
)
def test_limits(name, at, values, dtype):
    got = getattr(rl.special, name)(rl.tensor(at, dtype=dtype))
    rl.testing.assert_close(got, rl.tensor(values, dtype=dtype), equal_nan=True, rtol=0, atol=0)
