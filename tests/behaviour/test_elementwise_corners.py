"""Elementwise ops at their edges: neighbours of 16-bit floats, halves beside integers, complex
numbers where only reals have a meaning, tensors that cannot hold a result in place, numbers taken
apart, shifts, and incomplete gammas of very different arguments.
"""

import math

import numpy as np
import pytest

import rushlight as rl


@pytest.mark.parametrize(
    ("dtype", "up", "down"),
    [
        (rl.float16, 1.0009765625, 1.99902343750),
        (rl.bfloat16, 1.0078125, 1.9921875),
    ],
)
def test_nextafter_of_16_bit_floats_is_their_neighbour(dtype, up, down):
    x = rl.tensor([1.0, 2.0, -1.0, 3.0], dtype=dtype)
    found = rl.nextafter(x, rl.tensor([3, -4, -3, 3]))
    assert found.dtype == dtype
    assert found.tolist() == [up, down, -up, 3.0]
    assert x.nextafter_(rl.tensor(5.0, dtype=dtype))[0].item() == up
    least = rl.nextafter(rl.zeros(2, dtype=dtype), rl.tensor([1.0, -1.0], dtype=dtype))
    assert least.view(rl.int16).tolist() == [1, -(2**15) + 1]
    nan = rl.tensor(float("nan"), dtype=dtype)
    assert rl.nextafter(x, nan).isnan().all() and rl.nextafter(nan, x).isnan().all()


@pytest.mark.parametrize("op", ["xlogy", "ldexp", "logaddexp2", "logaddexp"])
def test_halves_beside_integers_stay_halves(op):
    found = getattr(rl, op)(rl.tensor([1.0, 2.0]).half(), rl.tensor([3, 4]))
    assert found.dtype == rl.float16


def test_real_functions_refuse_complex_numbers():
    z, x = rl.tensor([1 + 1j, 2.0]), rl.tensor([1.0, 2.0])
    for call in (
        lambda: rl.logit(z),
        lambda: rl.xlogy(x, 2j),
        lambda: rl.xlogy(z, x),
        lambda: rl.deg2rad(z),
        lambda: rl.rad2deg(z),
    ):
        with pytest.raises(RuntimeError, match="real|not implemented"):
            call()


def test_results_that_a_tensor_cannot_hold_are_not_written_into_it():
    with pytest.raises(RuntimeError, match="in place"):
        rl.tensor([1 + 1j]).abs_()
    for x in (rl.tensor([2.0]), rl.tensor([1j]), rl.tensor([2])):
        with pytest.raises(RuntimeError, match="float_power_"):
            x.float_power_(2)
    assert rl.tensor([2.0], dtype=rl.float64).float_power_(3).item() == 8.0


def test_dtypes_that_do_not_fit_are_refused():
    x, n = rl.tensor([0.0, 2.0]), rl.tensor([1, 2])
    for call in (
        lambda: rl.heaviside(x, n),
        lambda: rl.logaddexp(n, n),
        lambda: rl.logaddexp2(n, n),
    ):
        with pytest.raises(RuntimeError):
            call()
    assert rl.heaviside(x, rl.tensor([0.5, 0.5])).tolist() == [0.5, 1.0]


@pytest.mark.parametrize("op", [rl.isreal, rl.positive])
def test_functions_without_out_refuse_it(op):
    with pytest.raises(TypeError, match="out"):
        op(rl.ones(2), out=rl.ones(2))


def test_ops_on_lists_take_lists_of_tensors_and_give_their_kind_back():
    for op in (rl._foreach_sqrt, rl._foreach_sqrt_, rl._foreach_norm):
        with pytest.raises(TypeError, match="Tensors"):
            op([rl.ones(2), None])
    assert type(rl._foreach_add_((rl.ones(2),), 1)) is tuple
    assert type(rl._foreach_add_([rl.ones(2)], 1)) is list


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_frexp_of_any_number(dtype):
    bits = np.random.default_rng(0).integers(0, 2 ** (8 * dtype().itemsize) - 1, 3001, np.uint64)
    x, tiny = bits.astype(f"u{dtype().itemsize}").view(dtype), np.finfo(dtype)
    x = np.concatenate([x, [0, -0.0, 1, 0.5, tiny.tiny, tiny.smallest_subnormal]]).astype(dtype)
    x = x[np.isfinite(x)]
    mantissa, exponent = rl.frexp(rl.from_numpy(x))
    want, power = np.frexp(x)
    assert mantissa.numpy().tobytes() == want.tobytes()
    assert exponent.tolist() == power.tolist()
    odd = rl.tensor([math.inf, -math.inf, math.nan], dtype=rl.from_numpy(x).dtype)
    mantissa, exponent = rl.frexp(odd)
    rl.testing.assert_close(mantissa, odd, equal_nan=True)
    assert exponent.tolist() == [0, 0, 0]


@pytest.mark.parametrize("by", [0, 1, 62, 63, 64, 100, -1])
def test_shifts_by_one_number_are_those_by_tensors(by):
    a = rl.tensor([1, -1, 5, -7, 2**62, -(2**63)] * 7)
    each = rl.full_like(a, by)
    assert rl.equal(a << by, a << each) and rl.equal(a >> by, a >> each)


def test_incomplete_gammas_of_very_different_arguments():
    huge = [1e7, 2e6, 1e155, 1e300, 1e308]
    a = rl.tensor([3.0] * 5 + huge + [1e300], dtype=rl.float64)
    x = rl.tensor(huge + [1e-3, 1.9e6 / 2, 1e154, 0.9e300, 1e3] + [1e308], dtype=rl.float64)
    want = rl.tensor([1.0] * 5 + [0.0] * 5 + [1.0], dtype=rl.float64)
    assert rl.equal(rl.special.gammainc(a, x), want)
    assert rl.equal(rl.special.gammaincc(a, x), 1 - want)
    for order in (0.3, 1.0, 4.5, 19.9, 20.1, 300.0):
        ends = rl.linspace(0.05, 3 * order + 3, 500, dtype=rl.float64)
        orders = rl.full_like(ends, order)
        lower, upper = rl.special.gammainc(orders, ends), rl.special.gammaincc(orders, ends)
        rl.testing.assert_close(lower + upper, rl.ones_like(lower), rtol=1e-13, atol=0)
        assert (lower.diff() >= -1e-15).all()
    ends = rl.linspace(0.05, 40, 300, dtype=rl.float64)  # of order 1 it is an exponential
    exact = rl.special.gammaincc(rl.ones_like(ends), ends)
    rl.testing.assert_close(exact, (-ends).exp(), rtol=1e-13, atol=0)


def test_xlogy_takes_logarithms_in_the_dtype_of_the_result():
    x, y = rl.tensor([1.0, 300.0]), rl.tensor(3.14, dtype=rl.float16)
    assert rl.equal(rl.xlogy(x, y), rl.xlogy(x, y.float()))
    assert rl.equal(rl.xlogy(x, y.reshape(1)), rl.xlogy(x, y.float()))
