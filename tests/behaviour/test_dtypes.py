"""Dtypes for storage and exchange, uint16, uint32, uint64, complex32 and the 8-bit floats, against
recorded PyTorch behaviour and against NumPy. Cases are in tests/data/dtypes_cases.py.
"""

import pickle

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl
from rushlight.utils import safetensors

SETUP, ANSWERS = answers("dtypes")
UNSIGNED = ("uint16", "uint32", "uint64")
FLOAT8 = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")


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


@pytest.mark.parametrize("name", FLOAT8)
def test_float8_limits_and_exchange(name):
    kind = getattr(rl, name)
    limits = rl.finfo(kind)
    assert rl.tensor([limits.min, limits.max], dtype=kind).tolist() == [limits.min, limits.max]
    tensor = rl.tensor([[1.0, 2.0, 0.5], [4.0, 8.0, 0.25]], dtype=kind)
    assert rl.from_dlpack(tensor.t()).tolist() == tensor.t().tolist()
    assert pickle.loads(pickle.dumps(kind)) is kind
    assert safetensors.load(safetensors.save({"t": tensor}))["t"].view(rl.uint8).tolist() == (
        tensor.view(rl.uint8).tolist()
    )


@pytest.mark.parametrize("name", (*UNSIGNED, "complex32", *FLOAT8))
def test_checkpoints_keep_them(name, tmp_path):
    tensor = rl.tensor([1, 2, 128 if name in FLOAT8 else 60000], dtype=getattr(rl, name))
    rl.save(tensor, tmp_path / "t.pt")
    back = rl.load(tmp_path / "t.pt")
    assert back.dtype is tensor.dtype and back.tolist() == tensor.tolist()


@pytest.mark.parametrize(
    "number, dtype",
    [(bool, rl.bool), (int, rl.int64), (float, rl.float64), (complex, rl.complex128)],
)
def test_types_of_python_numbers_name_dtypes(number, dtype):
    one = rl.ones(1)
    made = rl.tensor([1], dtype=number), rl.zeros(1, dtype=number), one.to(number)
    made += (
        rl.as_tensor(one, dtype=number),
        one.new_tensor([1], dtype=number),
        one.sum(dtype=number),
    )
    assert {t.dtype for t in made} == {dtype}
    with pytest.raises(TypeError, match="dtype"):
        rl.tensor([1], dtype=str)


@pytest.mark.parametrize("name", FLOAT8)
def test_float8_refusals(name):
    x, mask = rl.tensor([1.0, 2.0]).to(getattr(rl, name)), rl.tensor([True, False])

    def fill(value):
        y = x.clone()
        y[mask] = value
        return y

    for refused in (lambda: fill(2.0), lambda: fill(x[:1]), lambda: x.view(1, 2).to_sparse()):
        with pytest.raises(NotImplementedError):
            refused()
    with pytest.raises(NotImplementedError):
        rl.nn.functional.pad(x.view(1, 1, 2), (1, 1), mode="reflect")
    if name != "float8_e8m0fnu":
        two = rl.tensor([True, True])
        y = x.clone()
        y[two] = rl.stack([x[1], x[0]])
        assert y.float().tolist() == [2.0, 1.0]


def test_padding_needs_a_zero():
    x = rl.tensor([1.0, 2.0]).to(rl.float8_e8m0fnu)
    with pytest.raises(RuntimeError, match="without overflow"):
        rl.nn.functional.pad(x, (1, 1))
    assert rl.nn.functional.pad(x, (-1, 0)).float().tolist() == [2.0]
    assert rl.nn.functional.pad(x, (1, 0), value=4.0).float().tolist() == [4.0, 1.0, 2.0]


def test_pairs_of_four_bits_are_not_chosen_by_tensors():
    x = rl.tensor([1, 2, 3], dtype=rl.uint8).view(rl.float4_e2m1fn_x2)
    assert x[1:].view(rl.uint8).tolist() == [2, 3]
    position = rl.tensor([0])
    for refused in (
        lambda: x[position],
        lambda: x.index_select(0, position),
        lambda: x.masked_select(rl.tensor([True, False, True])),
        lambda: x.index_put_((position,), x[1:2]),
    ):
        with pytest.raises(NotImplementedError):
            refused()
