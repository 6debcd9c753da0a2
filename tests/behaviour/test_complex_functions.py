"""Functions of complex numbers, in loops over their parts: the same for each number whatever stands
beside it, and what Python's complex arithmetic gives.
"""

import cmath
import math
import random

import pytest

import rushlight as rl

NAMES = ("exp", "sin", "cos", "sinh", "cosh", "log", "reciprocal", "sgn", "abs", "angle")
PARTS = [0.0, -0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, 80.0, 600.0, -710.0, 2e5, -2e9]
PARTS += [math.inf, -math.inf, math.nan]
EXACT = {
    "reciprocal": lambda z: 1 / z,
    "sgn": lambda z: z / abs(z),
    "abs": abs,
    "angle": cmath.phase,
}


def bits(x):
    return [str(v) for v in (rl.view_as_real(x) if x.is_complex() else x).flatten().tolist()]


@pytest.mark.parametrize("dtype", [rl.complex64, rl.complex128])
@pytest.mark.parametrize("name", NAMES)
def test_neighbours_do_not_matter(name, dtype):
    rng = random.Random(0)
    ordinary = [complex(rng.gauss(0, 2), rng.gauss(0, 2)) for _ in range(300)]
    z = rl.tensor([complex(x, y) for x in PARTS for y in PARTS] + ordinary, dtype=dtype)
    op = getattr(rl, name)
    whole = op(z)
    assert bits(whole) == bits(rl.stack([op(one) for one in z]))
    assert bits(op(z[::2])) == bits(whole[::2])
    if not name.startswith("a"):
        assert bits(op(z, out=z)) == bits(whole)


@pytest.mark.parametrize("dtype", [rl.complex64, rl.complex128])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 7, 128, 129, 400])
def test_they_are_what_python_computes(name, dtype, n):
    rng = random.Random(n)
    spread = [10 ** rng.uniform(-4, 1) for _ in range(n)]
    z = rl.tensor([complex(rng.gauss(0, s), rng.gauss(0, s)) for s in spread], dtype=dtype)
    exact = EXACT.get(name) or getattr(cmath, name)
    expected = [exact(v) for v in z.tolist()]
    eps = rl.finfo(dtype).eps
    for got, known in zip(getattr(rl, name)(z).tolist(), expected, strict=True):
        for a, b in ((got.real, known.real), (got.imag, known.imag)):
            assert math.isclose(a, b, rel_tol=4 * eps, abs_tol=4 * eps * min(1, abs(known)))


@pytest.mark.parametrize("name", ["exp", "sin", "cos", "sinh", "cosh"])
def test_zeros_keep_their_sign(name):
    for x in (0.0, -0.0, 1.0, -1.0):
        for y in (0.0, -0.0):
            for z in (complex(x, y), complex(y, x)):
                got = getattr(rl, name)(rl.tensor([z], dtype=rl.complex128)).item()
                known = getattr(cmath, name)(z)
                for a, b in ((got.real, known.real), (got.imag, known.imag)):
                    assert math.copysign(1, a) == math.copysign(1, b), (z, got, known)
