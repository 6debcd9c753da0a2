"""Powers, each way an exponent can come: a number, a tensor of one value, a tensor of several.
Short ones (squares, roots, reciprocals) have loops of their own, so all are held to one truth.
"""

import math

import pytest

import rushlight as rl

EXPONENTS = [0.0, 1.0, -1.0, 2.0, 3.0, 0.5, -0.5, 4.0, -2.0, 5.0, 1.7, -1.7, 1 / 3, 1e30, -1e30]
EXPONENTS += [math.inf, -math.inf, math.nan]
BASES = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.3, -0.3, math.inf, -math.inf, math.nan, 1e-40, 3e38]


def power(x, y):
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and y % 2 == 1 else math.inf
    except ValueError:
        negative = math.copysign(1, x) < 0 and y % 2 == 1
        return (-math.inf if negative else math.inf) if x == 0 else math.nan


def agree(got, expected):
    if math.isnan(expected) or math.isinf(expected) or expected == 0:
        return str(got) == str(expected)
    return math.isclose(got, expected, rel_tol=3e-7)


@pytest.mark.parametrize("exponent", EXPONENTS)
def test_every_form_of_an_exponent_gives_the_power(exponent):
    x = rl.tensor(BASES * 30)
    same, other = rl.full_like(x, exponent), rl.full_like(x, 1.3)
    forms = {
        "number": x**exponent,
        "tensor": x**same,
        "column": x[:, None].expand(-1, 3).pow(same[:, None])[:, 1],
        "mixed": x.expand(2, -1).pow(rl.stack([same, other]))[0],
        "rows": rl.cat([part**exponent for part in x.split(5)]),
    }
    single = [power(b, same[0].item()) for b in x[: len(BASES)].tolist()]
    expected = rl.tensor(single, dtype=rl.float64).float().tolist() * 30
    for form, result in forms.items():
        for base, got, wanted in zip(x.tolist(), result.tolist(), expected, strict=True):
            assert agree(got, wanted), (form, base, exponent, got, wanted)


@pytest.mark.parametrize("exponent", [1, 2, 3, -1, 0.5, 1.7, -0.5])
def test_derivatives_of_a_power_are_powers(exponent):
    x = rl.linspace(0.2, 3.0, 40, dtype=rl.float64, requires_grad=True)
    (first,) = rl.autograd.grad((x**exponent).sum(), x, create_graph=True)
    (second,) = rl.autograd.grad(first.sum(), x)
    x = x.detach()
    rl.testing.assert_close(first.detach(), exponent * x ** float(exponent - 1))
    slope = exponent * (exponent - 1)
    rl.testing.assert_close(second, slope * x ** float(exponent - 2))


@pytest.mark.parametrize("n", [1, 3, 8, 9, 255, 256, 257, 520])
def test_double_powers_to_the_last_bits(n):
    x = rl.rand(n, dtype=rl.float64) * 40 - 2
    y = rl.where(x < 0, rl.randn(n).mul(9).round().double(), rl.randn(n, dtype=rl.float64) * 99)
    want = rl.tensor([power(a, b) for a, b in zip(x.tolist(), y.tolist())], dtype=rl.float64)
    rl.testing.assert_close(x**y, want, rtol=3e-16, atol=0)
    rl.testing.assert_close(rl.float_power(x, y), want, rtol=3e-16, atol=0)
    positive = x.abs()
    want = rl.tensor([power(a, 1.7) for a in positive.tolist()], dtype=rl.float64)
    rl.testing.assert_close(positive**1.7, want, rtol=3e-16, atol=0)
