"""Quotients, remainders, shifts, steps to the next number, lengths and angles: in vectors where
nearly all operands go, one by one where some are extreme. Both must be what Python computes.
"""

import math
import os
import random
import subprocess
import sys

import pytest

import rushlight as rl

LENGTHS = (1, 3, 8, 17, 33, 255, 257, 700)
EXTREMES = {
    rl.float32: [1e-45, 1.2e-38, 3.4e38, 1e20, 2.0**23, 2.0**24, 2.0**25, 1e-3],
    rl.float64: [5e-324, 2.3e-308, 1.7e308, 1e200, 1e-290, 2.0**52, 2.0**53, 2.0**54],
}
INTEGERS = (rl.uint8, rl.int8, rl.int16, rl.int32, rl.int64)


def numbers(dtype):
    few = [0.0, 1.0, 3.0, 5.5, 0.1, 0.7, 7.25, math.inf, *EXTREMES[dtype]]
    few = rl.tensor([s * x for x in few for s in (1, -1)] + [math.nan], dtype=dtype)
    rng = random.Random(0)
    more = rl.tensor([rng.gauss(0, 1) * 10 ** rng.uniform(-4, 4) for _ in range(900)], dtype=dtype)
    n = len(few)
    a = rl.cat([few[:, None].expand(n, n).flatten(), more, (more[1:] * 3).round(), more[1:] * 3])
    b = rl.cat([few[None].expand(n, n).flatten(), more.flip(0), more[:-1].round(), more[1:]])
    return a, b


def fmod(a, b):
    return math.fmod(a, b) if math.isfinite(a) and b and not math.isnan(b) else math.nan


def same(got, expected):
    return str(got) == str(expected) or (math.isnan(got) and math.isnan(expected))


@pytest.mark.parametrize("dtype", list(EXTREMES))
def test_float_remainders_are_exact(dtype):
    a, b = numbers(dtype)
    assert all(map(same, rl.fmod(a, b).tolist(), map(fmod, a.tolist(), b.tolist())))
    for x, y, got in zip(a.tolist(), b.tolist(), rl.remainder(a, b).tolist(), strict=True):
        m = fmod(x, y)
        assert same(got, rl.tensor(m + y if m and (m < 0) != (y < 0) else m, dtype=dtype).item())


@pytest.mark.parametrize("dtype", list(EXTREMES))
def test_float_quotients_are_rounded_down(dtype):
    a, b = numbers(dtype)
    for x, y, got in zip(a.tolist(), b.tolist(), rl.floor_divide(a, b).tolist(), strict=True):
        quotient = rl.tensor(x, dtype=dtype) / rl.tensor(y, dtype=dtype)
        if y == 0 or not math.isfinite(x) or math.isnan(y):
            assert same(got, quotient.item()) or (math.isinf(x) and math.isnan(got))
        elif math.isfinite(y) and abs(quotient) < 1000:
            assert got == x // y, (x, y)
            assert got or math.copysign(1, got) == math.copysign(1, x) * math.copysign(1, y)


def wrapped(x, dtype):
    bits = 8 * dtype.itemsize
    x %= 1 << bits
    return x - (1 << bits) if dtype.is_signed and x >> (bits - 1) else x


def integers(dtype):
    info = rl.iinfo(dtype)
    edges = [0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 100, 2**24 + 1, 2**31 - 1, 2**51, 2**51 - 1]
    edges = {s * x for x in edges for s in (1, -1)} | {info.min, info.max, info.min // 2, 2**53 + 1}
    few = [x for x in sorted(edges) if info.min <= x <= info.max]
    rng = random.Random(1)
    more = [rng.randint(info.min, info.max) for _ in range(300)]
    small = [rng.randint(max(info.min, -99), 99) for _ in range(900)]
    a = [x for x in few for _ in few] + more + small
    b = [x for _ in few for x in few] + more[::-1] + small[::-1]
    return a, b


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_quotients_and_remainders(dtype):
    a, b = zip(*[(x, y) for x, y in zip(*integers(dtype), strict=True) if y], strict=True)
    s, t = rl.tensor(a, dtype=dtype), rl.tensor(b, dtype=dtype)
    pairs = list(zip(a, b, strict=True))
    assert rl.floor_divide(s, t).tolist() == [wrapped(x // y, dtype) for x, y in pairs]
    assert rl.remainder(s, t).tolist() == [x % y for x, y in pairs]
    towards_zero = [
        x - y * (abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)) for x, y in pairs
    ]
    assert rl.fmod(s, t).tolist() == towards_zero
    for op in (rl.floor_divide, rl.remainder, rl.fmod):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            op(s, t * 0)
        t_in_place = s.clone()
        getattr(t_in_place, op.__name__ + "_")(t)
        assert rl.equal(t_in_place, op(s, t))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts_by_any_number(dtype):
    a, b = integers(dtype)
    s, t = rl.tensor(a, dtype=dtype), rl.tensor(b, dtype=dtype)
    bits = 8 * dtype.itemsize
    known = [min(y, bits) if y >= 0 else bits for y in b]
    left = [wrapped(x << y, dtype) for x, y in zip(a, known, strict=True)]
    assert rl.bitwise_left_shift(s, t).tolist() == left
    right = [x >> y for x, y in zip(a, known, strict=True)]
    assert rl.bitwise_right_shift(s, t).tolist() == right


@pytest.mark.parametrize("dtype", list(EXTREMES))
def test_next_numbers(dtype):
    a, b = numbers(dtype)
    if dtype == rl.float64:
        expected = map(math.nextafter, a.tolist(), b.tolist())
        assert all(map(same, rl.nextafter(a, b).tolist(), expected))
    up, down = (rl.nextafter(a, rl.full_like(a, s * math.inf)) for s in (1, -1))
    towards = rl.where(a < b, up, rl.where(a > b, down, rl.where(a == b, b, a + b)))
    assert all(map(same, rl.nextafter(a, b).tolist(), towards.tolist()))
    finite = a[a.isfinite() & (a != 0)]
    whole = rl.int32 if dtype == rl.float32 else rl.int64
    steps = rl.nextafter(finite, rl.full_like(finite, math.inf)).view(whole)
    assert ((steps - finite.view(whole)).abs() == 1).all()


@pytest.mark.parametrize("dtype", list(EXTREMES))
def test_lengths_and_angles(dtype):
    a, b = numbers(dtype)
    pairs = list(zip(a.tolist(), b.tolist(), strict=True))
    largest = rl.finfo(dtype).max
    for (x, y), length, angle in zip(
        pairs, rl.hypot(a, b).tolist(), rl.atan2(a, b).tolist(), strict=True
    ):
        exact = math.hypot(x, y)
        least = rl.finfo(dtype).smallest_normal * rl.finfo(dtype).eps
        assert same(length, exact) or math.isclose(
            length, exact, rel_tol=rl.finfo(dtype).eps, abs_tol=least
        ) or (math.isinf(length) and exact > largest)  # fmt: skip
        exact = math.atan2(x, y)
        assert same(angle, exact) or (
            math.isclose(angle, exact, rel_tol=2 * rl.finfo(dtype).eps, abs_tol=least)
            and math.copysign(1, angle) == math.copysign(1, exact)
        ), (x, y)


@pytest.mark.parametrize("n", LENGTHS)
def test_every_length_and_stride(n):
    a, b = (rl.linspace(-9, s, 2 * n) for s in (7, 11))
    for op in (rl.fmod, rl.remainder, rl.floor_divide, rl.hypot, rl.atan2, rl.nextafter):
        whole = op(a, b)
        assert rl.equal(op(a[:n], b[:n]), whole[:n]) and rl.equal(op(a[::2], b[::2]), whole[::2])
        single = [op(x, y).item() for x, y in zip(a, b, strict=True)]
        assert whole.tolist() == single


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.float16, rl.bfloat16])
@pytest.mark.parametrize("n", [1, 9, 70])
def test_special_values_are_replaced_wherever_they_stand(dtype, n):
    values = ([math.nan, 1.5, math.inf, -2.0, -math.inf, 0.0, -0.0] * n)[: 3 * n]
    x = rl.tensor(values, dtype=dtype, requires_grad=True)
    known = {"nan": 0.5, "inf": 7.0, "-inf": -8.0}
    got = rl.nan_to_num(x, 0.5, 7.0, -8.0)
    assert got.tolist() == [known.get(str(v), v) for v in values]
    limits = {"nan": 0.0, "inf": rl.finfo(dtype).max, "-inf": rl.finfo(dtype).min}
    assert x.nan_to_num().tolist() == [limits.get(str(v), v) for v in values]
    got.sum().backward()
    assert x.grad.tolist() == [float(math.isfinite(v)) for v in values]
    angle = x.angle()
    pi = rl.tensor(math.pi, dtype=dtype).item()
    assert all(map(same, angle.tolist(), [v if v != v else pi if v < 0 else 0.0 for v in values]))
    assert rl.autograd.grad(angle.sum(), x)[0].tolist() == [0.0] * (3 * n)


def test_log_odds_have_a_slope_inside_alone():
    x = rl.tensor([-0.5, 0.0, 0.1, 0.5, 0.8, 1.0, 1.5], dtype=rl.float64, requires_grad=True)
    slope = rl.autograd.grad(x.logit().sum(), x, create_graph=True)[0]
    inside = [1 / (v * (1 - v)) for v in (0.1, 0.5, 0.8)]
    expected = [math.nan, math.inf, *inside, math.inf, math.nan]
    assert rl.allclose(slope, rl.tensor(expected, dtype=rl.float64), equal_nan=True)
    clamped = rl.autograd.grad(x.logit(0.2).sum(), x)[0]
    assert rl.allclose(clamped, rl.tensor([0.0, 0, 0, *inside[1:], 0, 0], dtype=rl.float64))
    part = x.detach()[2:5].requires_grad_()
    assert rl.autograd.gradgradcheck(rl.logit, [part]) and rl.autograd.gradcheck(rl.logit, [part])


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_right_angles_are_the_same_from_both_sides(dtype):
    y = rl.tensor([1.0, 0.6, 1e-30, 3e30, math.inf, 2.0] * 5, dtype=dtype)
    right = rl.full_like(y, math.pi / 2)
    for x in (0.0, -0.0, -1e-60 if dtype == rl.float64 else -1e-38):
        x = rl.full_like(y, x)
        assert rl.equal(rl.atan2(y[3:], x[3:]), right[3:])
        assert rl.equal(rl.atan2(-y[3:], x[3:]), -right[3:])
    assert rl.equal(rl.atan2(y, rl.full_like(y, -0.0)), right)


SMALL = [(7.662802e-317, 1.589126848158693e-14), (5e-324, 3e-9), (3e-310, 0.7), (1e-300, 1e-5)]
ANGLES = """
import sys, rushlight as rl
y, x = rl.tensor(eval(sys.argv[1]) * 16, dtype=rl.float64).T.contiguous()
print(*rl.atan2(y, x)[-4:].tolist())
"""


@pytest.mark.parametrize("level", ["v2", "v3", "v4"])
def test_small_angles_of_subnormal_numbers(level):
    """Without fused multiply-adds the remainder of the quotient loses its last digits there."""
    done = subprocess.run(
        [sys.executable, "-c", ANGLES, repr(SMALL)],
        env={**os.environ, "RUSHLIGHT_ISA": level},
        cwd=os.path.dirname(os.path.dirname(rl.__file__)),
        capture_output=True,
        text=True,
        check=True,
    )
    for got, (y, x) in zip(map(float, done.stdout.split()), SMALL, strict=True):
        assert abs(got - math.atan2(y, x)) <= 2 * math.ulp(got)
