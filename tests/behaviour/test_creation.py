"""Tensors from sizes, numbers, Python data and other libraries,
against recorded PyTorch behaviour.
"""

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl

SETUP, ANSWERS = answers("creation")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    assert evaluate(text, rl, numpy, SETUP) == ANSWERS[text]


def test_messages():
    with pytest.raises(ValueError, match=r"expected sequence of length 2 at dim 1 \(got 1\)"):
        rl.tensor([[1, 2], [3]])
    with pytest.raises(ValueError, match="too many dimensions 'str'"):
        rl.tensor(["abc"])
    with pytest.raises(
        RuntimeError, match="a Tensor with 3 elements cannot be converted to Scalar"
    ):
        rl.ones(3).item()
    with pytest.raises(
        RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"
    ):
        bool(rl.ones(3))


def test_default_dtype_decides():
    before = rl.get_default_dtype()
    try:
        rl.set_default_dtype(rl.float64)
        assert rl.tensor([1.0]).dtype == rl.zeros(1).dtype == rl.arange(1.0).dtype == rl.float64
        assert rl.tensor(1j).dtype == rl.complex128
    finally:
        rl.set_default_dtype(before)


def test_copying_a_tensor_warns():
    with pytest.warns(UserWarning, match="copy construct"):
        rl.tensor(rl.ones(2))
