"""`rushlight.testing`: comparisons and their messages, random test tensors, operator checks."""

from types import SimpleNamespace

import pytest
import rushlight as torch
from rushlight.testing import assert_close, check_op, make_tensor

t = torch.tensor


@pytest.mark.parametrize(
    "actual, expected, options, message",
    [
        (
            t([1.0, 2.0, 4.0]),
            t([1.0, 2.0, 3.0]),
            {},
            "Tensor-likes are not close!\n\nMismatched elements: 1 / 3 (33.3%)\n"
            "Greatest absolute difference: 1.0 at index (2,) (up to 1e-05 allowed)\n"
            "Greatest relative difference: 0.3333333432674408 at index (2,) "
            "(up to 1.3e-06 allowed)",
        ),
        (
            t([[1, 5]]),
            t([[1, 2]]),
            {},
            "Tensor-likes are not equal!\n\nMismatched elements: 1 / 2 (50.0%)\n"
            "Greatest absolute difference: 3 at index (0, 1)\n"
            "Greatest relative difference: 1.5 at index (0, 1)",
        ),
        (
            2.0,
            1.0,
            {},
            "Scalars are not close!\n\nExpected 1.0 but got 2.0.\n"
            "Absolute difference: 1.0 (up to 1e-07 allowed)\n"
            "Relative difference: 1.0 (up to 1e-07 allowed)",
        ),
        (
            {"a": [t(1), t(2)]},
            {"a": [t(1), t(3)]},
            {},
            "Scalars are not equal!\n\nExpected 3 but got 2.\nAbsolute difference: 1\n"
            "Relative difference: 0.3333333333333333\n\nThe failure occurred for item ['a'][1]",
        ),
        (
            t([1.0]),
            t([1.0], dtype=torch.float64),
            {},
            "The values for attribute 'dtype' do not match: torch.float32 != torch.float64.",
        ),
        (
            t([1.0]),
            t(1.0),
            {},
            "The values for attribute 'shape' do not match: torch.Size([1]) != torch.Size([]).",
        ),
        ([1], [1, 2], {}, "The length of the sequences mismatch: 1 != 2"),
        (
            {"a": 1},
            {"b": 1},
            {},
            "The keys of the mappings do not match:\nMissing keys in the actual mapping: ['b']\n"
            "Additional keys in the actual mapping: ['a']",
        ),
        (None, 1, {}, "None mismatch: None is not 1"),
        (True, False, {}, "Booleans mismatch: True is not False"),
        (1, 2, {"msg": "mine"}, "mine"),
        (1, 1.0, {}, "The (d)types do not match: <class 'int'> != <class 'float'>."),
    ],
)
def test_messages(actual, expected, options, message):
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected, **options)
    assert str(caught.value) == message


def test_what_is_close():
    assert_close(t([1.0]), t([1.0 + 1e-6]))
    assert_close(t([1.0]), t([2.0]), rtol=0.0, atol=1.0)
    assert_close(t([float("nan")]), t([float("nan")]), equal_nan=True)
    assert_close(t([1.0]), t([1.0], dtype=torch.float64), check_dtype=False)
    assert_close({"a": (1, 2.0)}, {"a": (1, 2.0)})
    assert_close(t([]), t([]))
    with pytest.raises(AssertionError):
        assert_close(t([float("nan")]), t([float("nan")]))


def test_misuse():
    with pytest.raises(ValueError, match="got no atol"):
        assert_close(t([1.0]), t([1.0]), rtol=1.0)
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(1, t(1))


def test_make_tensor():
    x = make_tensor((4, 6), dtype=torch.float32, device="cpu", low=-1, high=2, noncontiguous=True)
    assert x.shape == (4, 6) and not x.is_contiguous() and -1 <= x.min() and x.max() < 2
    n = make_tensor(200, dtype=torch.uint8, device="cpu", exclude_zero=True)
    assert n.min() == 1 and n.max() == 9
    assert make_tensor(2, dtype=torch.complex64, device="cpu", requires_grad=True).requires_grad
    for wrong in (
        {"low": 2, "high": 1},
        {"low": float("nan")},
        {"low": 300, "high": 400},
        {"requires_grad": True},
    ):
        with pytest.raises(ValueError):
            make_tensor(3, dtype=torch.uint8, device="cpu", **wrong)


def test_check_op_tells_which_check_failed():
    right = SimpleNamespace(name="exp", at=("torch", "Tensor"), reference=lambda x: x.exp())
    check_op(right, torch.float64, t([0.5, 1.0]))
    wrong = SimpleNamespace(name="exp", function=torch.exp, reference=torch.sin)
    with pytest.raises(AssertionError, match=r"exp\(float32\[2\]\): .*the reference"):
        check_op(wrong, torch.float32, t([0.5, 1.0]))
    spoiling = SimpleNamespace(name="spoil", function=lambda x: x.add_(1), reference=None)
    with pytest.raises(AssertionError, match="must not change"):
        check_op(spoiling, torch.float32, t([0.5, 1.0]))


@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc"])
def test_sparse_tensors_are_compared_by_their_parts(layout):
    def sparse(rows):
        x = t(rows)
        return getattr(x, f"to_sparse_{layout}")(*([(2, 2)] if layout[0] == "b" else []))

    x = sparse([[1.0, 0.0], [0.0, 2.0]])
    assert_close(x, x.clone())
    assert_close(x, x.to_dense(), check_layout=False)
    assert_close(x, x.double(), check_dtype=False)
    with pytest.raises(AssertionError, match="layout"):
        assert_close(x, x.to_dense())
    with pytest.raises(AssertionError, match="values of the sparse .* are not close"):
        assert_close(x, sparse([[1.0, 0.0], [0.0, 3.0]]))
    if layout[0] == "c":
        with pytest.raises(AssertionError, match="indices of the sparse .* are not equal"):
            assert_close(x, sparse([[0.0, 1.0], [2.0, 0.0]]))
        with pytest.raises(AssertionError, match="number of specified values"):
            assert_close(x, sparse([[1.0, 0.0], [1.0, 2.0]]))
