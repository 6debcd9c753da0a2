"""Scans along lines, against sums in plain Python."""

import math

import pytest

import rushlight as rl


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("n", [1, 2, 8, 9, 15, 16, 17, 18, 127, 128, 129, 130, 257, 1000])
def test_logcumsumexp_of_lines(n, dtype):
    rl.manual_seed(n)
    lines = rl.randn(3, n, dtype=dtype)
    lines[1] *= 300  # far apart, so that exponentials of differences overflow
    lines[2, ::7] = -math.inf
    got = lines.logcumsumexp(1)
    tolerance = 1e-6 if dtype == rl.float32 else 4e-15
    for line, result in zip(lines.tolist(), got.tolist()):
        most, terms = -math.inf, []
        for x, y in zip(line, result):
            most = max(most, x)
            terms.append(x)
            if most == -math.inf:
                assert y == most
                continue
            want = most + math.log(math.fsum(math.exp(t - most) for t in terms))
            assert abs(y - want) <= tolerance * max(1.0, abs(want))
    assert rl.equal(lines.t().contiguous().logcumsumexp(0).t().isinf(), got.isinf())


def test_logcumsumexp_of_complex_infinities():
    inf, quarter = math.inf, math.pi / 4
    for line, last in (
        ([complex(inf, 0)] * 2, complex(inf, 0)),
        ([complex(inf, 1)] * 2, complex(inf, quarter)),
        ([complex(inf, inf), 1], complex(inf, inf)),
        ([1, complex(inf, inf)], complex(inf, inf)),
        ([complex(-inf, 1), 1], 1),
    ):
        got = rl.tensor(line, dtype=rl.complex128).logcumsumexp(0)[-1].item()
        assert got.real == complex(last).real
        assert got.imag == pytest.approx(complex(last).imag)


def test_logcumsumexp_of_extremes():
    line = rl.zeros(300)
    line[140] = math.inf
    got = line.logcumsumexp(0)
    assert got[:140].isfinite().all() and (got[140:] == math.inf).all()
    line[200] = math.nan
    got = line.logcumsumexp(0)
    assert got[199] == math.inf and got[200:].isnan().all()
    first = rl.tensor([0.1, -math.inf, -math.inf])
    assert rl.equal(first.logcumsumexp(0), rl.tensor([0.1, 0.1, 0.1]))
