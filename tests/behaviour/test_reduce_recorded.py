"""Reductions, scans, order statistics, gathers and searches against recorded PyTorch behaviour.

Cases are in tests/data/reduce_cases.py; floats are compared to a few roundings, NaN equals NaN.
"""

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl

SETUP, ANSWERS = answers("reduce")


def agree(got, wanted):
    """Are two pieces of plain data equal, up to rounding of floats?"""
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(agree, got, wanted))
    if isinstance(wanted, float) and isinstance(got, float):
        return (
            got == wanted
            or got != got
            and wanted != wanted
            or abs(got - wanted) <= 1e-5 * max(1, abs(wanted))
        )
    return type(got) is type(wanted) and got == wanted


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    got = evaluate(text, rl, numpy, SETUP)
    assert agree(got, ANSWERS[text]), (got, ANSWERS[text])


def test_sums_do_not_depend_on_the_number_of_threads():
    x = rl.randn(300, 700)
    before = rl.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            rl.set_num_threads(threads)
            results.append(
                [
                    x.sum().item(),
                    x.sum(0).tolist(),
                    x.var(1).tolist(),
                    x.reshape(-1).sort()[1].tolist(),
                ]
            )
    finally:
        rl.set_num_threads(before)
    assert results[0] == results[1] == results[2]


def test_long_float_sums_keep_their_digits():
    x = rl.full((1 << 20,), 0.1)
    assert abs(x.sum().item() / (float(rl.tensor(0.1)) * (1 << 20)) - 1) < 1.5e-7
    assert abs(x.mean().item() - float(rl.tensor(0.1))) < 1.5e-8


def test_in_place_scatter_keeps_the_memory():
    x = rl.zeros(4, 4)
    place = x.data_ptr()
    x.scatter_add_(0, rl.zeros(1, 4, dtype=rl.int64), rl.ones(1, 4))
    assert x.data_ptr() == place and x.sum().item() == 4
    with pytest.raises(RuntimeError, match="same memory"):
        x.scatter_(1, rl.tensor([[0, 1]]), x)


def test_the_input_of_a_sum_may_change_before_backward():
    x = rl.ones(3, requires_grad=True)
    y = x * 2
    total = y.sum()
    y.zero_()
    total.backward()
    assert x.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("include_self", [True, False])
def test_scattered_means_read_a_source_with_gaps(include_self):
    wide = rl.arange(40.0).view(5, 8)
    source, index = wide[:, ::2], rl.tensor([[0, 1, 0, 1]] * 5)
    call = [rl.ones(3, 4), 0, index, source, "mean"]
    found = rl.scatter_reduce(*call, include_self=include_self)
    call[3] = source.contiguous()
    assert rl.equal(found, rl.scatter_reduce(*call, include_self=include_self))
