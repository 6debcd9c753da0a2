"""sinc in one pass: against Python's sine of the rounded angle, and alike at every place."""

import cmath
import math

import pytest

import rushlight as rl

EDGES = [0.0, -0.0, 0.5, 1.0, -2.0, 3.75, 1e-40, 5e-324, 7e4, 4e8, 1e18, math.inf, -math.inf]


def sinc(angle, sine=math.sin):
    if math.isinf(abs(angle)) or cmath.isnan(angle):
        return math.nan
    return sine(angle) / angle if angle else 1.0


@pytest.mark.parametrize("dtype, bound", [(rl.float32, 3e-7), (rl.float64, 1e-15)])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 17, 255, 257, 600])
def test_sine_over_the_rounded_angle(n, dtype, bound):
    for x in (rl.randn(n, dtype=dtype) * 4, rl.tensor((EDGES * n)[-n:], dtype=dtype)):
        want = rl.tensor([sinc(a) for a in (x * math.pi).tolist()], dtype=rl.float64)
        got = rl.sinc(x)
        assert got.dtype == dtype
        rl.testing.assert_close(got.double(), want, rtol=bound, atol=0, equal_nan=True)
        rl.testing.assert_close(rl.sinc(x.repeat_interleave(2)[::2]), got, equal_nan=True)
    assert math.isnan(rl.sinc(rl.tensor([math.nan], dtype=dtype)).item())


@pytest.mark.parametrize("dtype, bound", [(rl.complex64, 1e-6), (rl.complex128, 4e-15)])
@pytest.mark.parametrize("n", [1, 5, 127, 129, 300])
def test_complex_numbers(n, dtype, bound):
    x = rl.randn(n, dtype=dtype) * 2
    x[n // 2] = 0
    want = [sinc(a, cmath.sin) for a in (x * math.pi).tolist()]
    rl.testing.assert_close(rl.sinc(x), rl.tensor(want, dtype=dtype), rtol=bound, atol=bound)


@pytest.mark.parametrize("dtype", [rl.float16, rl.bfloat16])
def test_short_floats_are_rounded_once(dtype):
    x = (rl.randn(331) * 3).to(dtype)
    assert rl.equal(rl.sinc(x), rl.sinc(x.float()).to(dtype))


def test_whole_numbers_give_floats():
    for dtype in (rl.bool, rl.uint8, rl.int64):
        x = rl.tensor([0, 1, 1, 0], dtype=dtype)
        rl.testing.assert_close(rl.sinc(x), rl.sinc(x.float()))
        assert rl.special.sinc(x).dtype == rl.float32
    with pytest.raises(RuntimeError):
        rl.tensor([1, 2]).sinc_()


def test_derivatives_and_meta():
    x = rl.tensor([0.3, -1.2, 2.0, 0.0], dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(rl.sinc, x)
    assert rl.sinc(rl.empty(3, 4, device="meta")).shape == (3, 4)
    y = rl.sinc(x)
    assert y.grad_fn.name() == "SincBackward0"
    batched = rl.func.vmap(rl.sinc)(x.detach().reshape(2, 2))
    assert rl.equal(batched.flatten(), y.detach())
