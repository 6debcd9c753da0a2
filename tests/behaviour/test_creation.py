"""Tensors from sizes, numbers, Python data and other libraries,
against recorded PyTorch behaviour.
"""

import math
from fractions import Fraction

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


WIDTHS = [1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 63, 65, 4095, 4096, 4097, 9001]


@pytest.mark.parametrize("n", WIDTHS)
def test_evenly_spaced_numbers_are_rounded_once(n):
    first, last = 0.1, 77.7

    def spaced(i, base, step):  # exactly, counted from the nearer end
        return float(Fraction(base) + Fraction(step) * i)

    step = (last - first) / max(1, n - 1)
    half = n if n == 1 else n // 2
    want = [spaced(i, first, step) for i in range(half)]
    want += [spaced(n - 1 - i, last, -step) for i in range(half, n)]
    assert rl.linspace(first, last, n, dtype=rl.float64).tolist() == want
    narrow = rl.linspace(first, last, n, dtype=rl.float32).double()
    assert (narrow - rl.tensor(want, dtype=rl.float64)).abs().max() < 77.7 * 2**-22
    assert narrow[0] == rl.tensor(first, dtype=rl.float32).double()
    assert n == 1 or narrow[-1] == rl.tensor(last, dtype=rl.float32).double()
    assert rl.linspace(0, n - 1, n, dtype=rl.complex64).tolist() == list(range(n))
    assert rl.linspace(0, 100, n, dtype=rl.uint8).tolist() == [
        int(v) for v in rl.linspace(0, 100, n, dtype=rl.float64).tolist()
    ]


@pytest.mark.parametrize("n", WIDTHS)
def test_ranges_count_by_products(n):
    want = [0.3 + i * 0.7 for i in range(n)]
    found = rl.arange(0.3, 0.3 + 0.7 * (n - 0.5), 0.7, dtype=rl.float64)
    assert found.tolist() == want
    assert rl.equal(rl.arange(0.3, 0.3 + 0.7 * (n - 0.5), 0.7, dtype=rl.float32), found.float())
    for dtype in (rl.int64, rl.int32, rl.int16):
        assert rl.arange(5, 5 - 3 * n, -3, dtype=dtype).tolist() == list(range(5, 5 - 3 * n, -3))


def test_a_window_of_one_coefficient_is_constant():
    cosine = rl.signal.windows.general_cosine
    assert cosine(5, a=(0.7,), dtype=rl.float64).tolist() == [0.7] * 5
    turn = [2 * math.pi * i / 8 for i in range(9)]
    want = [0.7 - 0.2 * math.cos(t) + 0.1 * math.cos(2 * t) for t in turn]
    got = cosine(9, a=(0.7, 0.2, 0.1), dtype=rl.float64)
    assert rl.allclose(got, rl.tensor(want, dtype=rl.float64), rtol=1e-14)


@pytest.mark.parametrize(
    "fill",
    [
        lambda out: rl.arange(0, 4, out=out),
        lambda out: rl.linspace(0, 3, 4, out=out),
        lambda out: rl.logspace(0, 3, 4, out=out).log10_(),
    ],
)
def test_progressions_fill_an_out_of_any_shape(fill):
    x = rl.zeros(2, 3)
    fill(x.narrow(1, 1, 2))
    rl.testing.assert_close(x, rl.tensor([[0.0, 0, 1], [0, 2, 3]]))


def test_range_says_that_it_is_deprecated():
    with pytest.warns(UserWarning, match="arange"):
        assert rl.range(0, 2).tolist() == [0, 1, 2]


def test_empty_vectors_are_joined_along_any_dimension():
    empty = rl.empty(0)
    assert rl.cat([empty, empty], dim=1).shape == (0,)
    assert rl.cat([rl.ones(2, 2), empty], dim=1).shape == (2, 2)


def test_resize_as_takes_the_layout_if_asked():
    other = rl.ones(2, 3, 4, 5).to(memory_format=rl.channels_last)
    made = rl.ones(120).resize_as_(other, memory_format=rl.preserve_format)
    assert made.stride() == other.stride()
    assert rl.ones(120).resize_as_(other).stride() == (60, 20, 5, 1)
    assert rl.ones(120).resize_((2, 60), memory_format=None).shape == (2, 60)
    with pytest.raises(RuntimeError, match="preserve_format"):
        rl.ones(120).resize_((2, 60), memory_format=rl.preserve_format)


def test_broadcast_shapes_of_no_shape_and_of_wrong_ones():
    assert rl.broadcast_shapes(None, (2, 1), 3) == (2, 3)
    with pytest.raises(ValueError, match="negative"):
        rl.broadcast_shapes(-1)
    for wrong in (1.1, (1.1, 2), rl.tensor(2)):
        with pytest.raises(RuntimeError, match="ints"):
            rl.broadcast_shapes(wrong)


def test_lists_without_a_shape():
    own = [1, 2]
    own.append(own)
    first = []
    first.append(first)
    for nested in (own, first):
        with pytest.raises(TypeError, match="holds itself"):
            rl.tensor(nested)

    class Empty:
        def __len__(self):
            return 1

        def __getitem__(self, item):
            raise TypeError

    for data in (Empty(), [Empty()]):
        with pytest.raises(ValueError, match="Empty"):
            rl.tensor(data)


def test_grids_are_of_one_device():
    with pytest.raises(RuntimeError, match="device"):
        rl.meshgrid(rl.ones(1), rl.ones(1, device="meta"), indexing="ij")


def test_parts_of_channels_last_tensors_are_joined_as_such():
    x = rl.arange(24.0).reshape(2, 2, 3, 2).to(memory_format=rl.channels_last)
    for dim, parts in ((-1, (x[:, :, :2], x[:, :, 1:])), (1, (x[:, :1], x[:, 1:]))):
        made = rl.cat(parts, dim)
        assert made.is_contiguous(memory_format=rl.channels_last)
        assert rl.equal(made, rl.cat([p.contiguous() for p in parts], dim))


def test_tensor_types_keep_the_digits_of_their_data():
    assert rl.DoubleTensor([1e-4, 1e300]).tolist() == [1e-4, 1e300]
    assert rl.LongTensor([1.5]).tolist() == [1]


def test_full_of_a_complex_number_is_complex64_unless_doubles_are_the_default():
    before = rl.get_default_dtype()
    try:
        for dtype, made in ((rl.float16, rl.complex64), (rl.float64, rl.complex128)):
            rl.set_default_dtype(dtype)
            assert rl.full((1,), 1j).dtype == made
    finally:
        rl.set_default_dtype(before)


def test_tensors_of_several_elements_are_no_numbers():
    several = [rl.tensor([0, 1]), rl.tensor([1, 0])]
    with pytest.raises(TypeError, match="of a single element, got a tensor of 2"):
        rl.tensor(several)
    with pytest.raises(ValueError, match="only one element"):
        rl.tensor(several, dtype=rl.float32)
