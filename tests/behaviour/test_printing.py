"""What tensors print as: recorded reprs of PyTorch, and the print options.

Add a case by adding ``[expression, options, repr]`` to ``tests/data/repr_golden.json``.
"""

import json
from pathlib import Path

import pytest
import rushlight as torch

GOLDEN = json.loads((Path(__file__).parent.parent / "data" / "repr_golden.json").read_text())
NAMES = {"torch": torch, "nan": float("nan"), "inf": float("inf")}


@pytest.fixture(autouse=True)
def default_options():
    torch.set_printoptions(profile="default")
    yield
    torch.set_printoptions(profile="default")


@pytest.mark.parametrize("expression, options, expected", GOLDEN)
def test_repr_is_the_recorded_one(expression, options, expected):
    torch.set_printoptions(**options)
    assert repr(eval(expression, NAMES)) == expected


def test_options_hold_until_changed():
    torch.set_printoptions(precision=2)
    torch.set_printoptions(linewidth=100)
    assert repr(torch.tensor([1.12345])) == "tensor([1.12])"
    torch.set_printoptions(profile="default")
    assert repr(torch.tensor([1.12345])) == "tensor([1.1235])"


def test_each_call_sets_sci_mode():
    torch.set_printoptions(sci_mode=True)
    assert repr(torch.tensor([1.5])) == "tensor([1.5000e+00])"
    torch.set_printoptions(precision=4)
    assert repr(torch.tensor([1.5])) == "tensor([1.5000])"


def test_printoptions_restores_also_after_an_error():
    with pytest.raises(KeyError), torch._tensor_str.printoptions(precision=1):
        assert repr(torch.tensor([0.5])) == "tensor([0.5])"
        raise KeyError
    assert repr(torch.tensor([0.5])) == "tensor([0.5000])"


def test_unknown_profile_is_an_error():
    with pytest.raises(ValueError, match="profile must be one of"):
        torch.set_printoptions(profile="tiny")


def test_format_of_a_scalar_tensor_is_that_of_its_number():
    assert f"{torch.tensor(1.5):.3f}" == "1.500"
    assert f"{torch.tensor(3):>4d}" == "   3"
    assert f"{torch.tensor([1.5])}" == "tensor([1.5000])"


def test_str_equals_repr():
    x = torch.tensor([[1.0, 2.5]])
    assert str(x) == repr(x)


def test_subclass_prints_under_its_own_name():
    class Metres(torch.Tensor):
        pass

    x = torch.tensor([1.5]).as_subclass(Metres)
    assert repr(x) == "Metres([1.5000])"


def test_printing_records_nothing():
    x = torch.ones(3, 3, requires_grad=True)
    y = x * 2
    node = y.grad_fn
    repr(y)
    assert y.grad_fn is node and y._version == 0
