"""Elementwise ops at their edges: neighbours of 16-bit floats, halves beside integers, complex
numbers where only reals have a meaning, and tensors that cannot hold a result in place.
"""

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
