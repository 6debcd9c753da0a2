"""Fake quantization: values on the grid of a few integers, gradients that pass through."""

import pytest
import rushlight as torch


def nearest(x, scale, zero, low, high):
    """By plain Python, one number at a time."""
    whole = round(x / scale) + zero
    return (min(max(whole, low), high) - zero) * scale, low <= whole <= high


X = [0.26, -0.34, 1.0, -2.0, 0.04]


def test_per_tensor_agrees_with_plain_python_and_passes_gradients():
    x = torch.tensor(X, requires_grad=True)
    y = torch.fake_quantize_per_tensor_affine(x, 0.1, 2, -8, 7)
    values, inside = zip(*[nearest(v, 0.1, 2, -8, 7) for v in X])
    assert torch.allclose(y, torch.tensor(values))
    y.sum().backward()
    assert x.grad.tolist() == [float(i) for i in inside]


def test_scale_and_zero_point_may_be_tensors():
    x = torch.tensor(X)
    given = torch.fake_quantize_per_tensor_affine(
        x, torch.tensor(0.1), torch.tensor([2], dtype=torch.int32), -8, 7
    )
    assert torch.equal(given, torch.fake_quantize_per_tensor_affine(x, 0.1, 2, -8, 7))


def test_per_channel_is_per_tensor_for_each_channel():
    x = torch.linspace(-2, 2, 12).view(3, 4)
    scales, zeros = torch.tensor([0.1, 0.2, 0.5]), torch.tensor([0, 1, -1], dtype=torch.int32)
    y = torch.fake_quantize_per_channel_affine(x, scales, zeros, 0, -8, 7)
    for row, out, s, z in zip(x, y, scales.tolist(), zeros.tolist()):
        assert torch.allclose(out, torch.fake_quantize_per_tensor_affine(row, s, z, -8, 7))


def test_integer_zero_points_are_added_after_rounding_and_floats_before():
    x, one = torch.tensor([[0.5, 1.5, 2.5, -0.5]]), torch.ones(1)
    whole = torch.fake_quantize_per_channel_affine(x, one, one.int(), 0, -8, 7)
    assert whole.tolist() == [[0, 2, 2, 0]]
    assert torch.fake_quantize_per_channel_affine(x, one, one, 0, -8, 7).tolist() == [[1, 1, 3, -1]]


def test_what_is_not_finite_is_limited():
    x = torch.tensor([float("nan"), float("inf"), -float("inf")])
    given = torch.fake_quantize_per_tensor_affine(x, 0.5, 0, -8, 7)
    assert given.tolist() == [-4, 3.5, -4]


def test_transforms():
    x = torch.linspace(-2, 2, 6).view(2, 3)

    def quantize(t):
        return torch.fake_quantize_per_tensor_affine(t, 0.25, 0, -4, 3)

    assert torch.equal(torch.func.vmap(quantize)(x), quantize(x))
    passed = torch.func.grad(lambda t: quantize(t).sum())(x)
    assert torch.equal(passed, ((x * 4).round().clamp(-4, 3) == (x * 4).round()).float())


@pytest.mark.parametrize(
    "kind, arguments",
    [
        (RuntimeError, (0.1, 20, -8, 7)),
        (RuntimeError, (0.1, 2, 8, 7)),
    ],
)
def test_bad_ranges(kind, arguments):
    with pytest.raises(kind, match="quant_m"):
        torch.fake_quantize_per_tensor_affine(torch.ones(2), *arguments)


def test_bad_channels():
    x, zeros = torch.ones(3, 2), torch.zeros(3, dtype=torch.int32)
    for scale, axis in ((torch.ones(2), 0), (torch.ones(3).double(), 0), (torch.ones(3), 1)):
        with pytest.raises(RuntimeError):
            torch.fake_quantize_per_channel_affine(x, scale, zeros, axis, -8, 7)
    with pytest.raises(IndexError):
        torch.fake_quantize_per_channel_affine(x, torch.ones(3), zeros, 5, -8, 7)
    with pytest.raises(NotImplementedError):
        torch.fake_quantize_per_tensor_affine(x.long(), 0.1, 0, -8, 7)
