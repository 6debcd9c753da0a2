"""Dtypes for storage and exchange, uint16, uint32, uint64 and complex32, against recorded PyTorch
behaviour and against NumPy. Cases are in tests/data/dtypes_cases.py.
"""

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl

SETUP, ANSWERS = answers("dtypes")
UNSIGNED = ("uint16", "uint32", "uint64")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    assert evaluate(text, rl, numpy, SETUP) == ANSWERS[text]


@pytest.mark.parametrize("name", UNSIGNED)
def test_numpy_arrays_go_back_and_forth(name):
    top = numpy.iinfo(name).max
    array = numpy.array([[0, 1], [top // 2 + 1, top]], dtype=name)
    tensor = rl.from_numpy(array)
    assert tensor.dtype is getattr(rl, name) and tensor.tolist() == array.tolist()
    assert tensor.numpy().dtype == name
    array[0, 0] = 7  # memory is shared
    assert tensor[0, 0].item() == 7
    assert (numpy.from_dlpack(tensor) == array).all() and (rl.from_dlpack(array) == tensor).all()


@pytest.mark.parametrize("to", (*UNSIGNED, "int64", "int8", "float64", "float32", "bool"))
@pytest.mark.parametrize("name", UNSIGNED)
def test_conversions_are_numpys(name, to):
    top = numpy.iinfo(name).max
    array = numpy.tile(numpy.array([0, 1, 200, top // 2 + 1, top], dtype=name), 60)
    tensor = rl.from_numpy(array)
    assert tensor.to(getattr(rl, to)).tolist() == array.astype(to).tolist()
    assert tensor[::3].to(getattr(rl, to)).tolist() == array[::3].astype(to).tolist()


@pytest.mark.parametrize("name", ("int32", "float16", "float64", "complex64", "complex128"))
def test_complex32_rounds_its_parts_to_float16(name):
    values = numpy.linspace(-3e4, 3e4, 301)
    if name.startswith("complex"):
        values = values + 1j * values[::-1]
    array = values.astype(name)
    half = rl.from_numpy(array).chalf()
    for got, part in ((half.real, array.real), (half.imag, array.imag)):
        assert got.dtype is rl.float16
        assert got.tolist() == part.astype("float32").astype("float16").tolist()
    back = half.to(rl.complex128)
    assert back.real.tolist() == half.real.tolist() and back.imag.tolist() == half.imag.tolist()


@pytest.mark.parametrize("name", (*UNSIGNED, "complex32"))
def test_checkpoints_keep_them(name, tmp_path):
    tensor = rl.tensor([1, 2, 60000], dtype=getattr(rl, name))
    rl.save(tensor, tmp_path / "t.pt")
    back = rl.load(tmp_path / "t.pt")
    assert back.dtype is tensor.dtype and back.tolist() == tensor.tolist()
