"""Complex tensors of real ones, against Python's complex numbers."""

import cmath

import pytest

import rushlight as rl
from rushlight.autograd import gradcheck, gradgradcheck


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("n", [0, 1, 3, 7, 8, 9, 15, 16, 17, 33, 511, 512, 513, 1100])
def test_parts_and_angles(n, dtype):
    a, b = rl.rand(n, dtype=dtype) * 3, rl.randn(n, dtype=dtype) * 9
    assert rl.complex(a, b).tolist() == [complex(x, y) for x, y in zip(a.tolist(), b.tolist())]
    want = [cmath.rect(x, y) for x, y in zip(a.tolist(), b.tolist())]
    error = rl.polar(a, b).to(rl.complex128) - rl.tensor(want, dtype=rl.complex128)
    assert n == 0 or error.abs().max() < (1e-6 if dtype == rl.float32 else 1e-15)


def test_of_other_layouts():
    a, b = rl.rand(5, 6), rl.randn(6, 5).t()
    for join in (rl.complex, rl.polar):
        assert rl.equal(join(a, b), join(a.contiguous(), b.contiguous()))
        assert rl.equal(join(a, b[0]), join(a, b[0].expand(5, 6)))
        assert join(a[:1, :1], b).shape == (5, 6) and join(a[0, 0], b[0, 0]).shape == ()
        assert rl.equal(rl.vmap(join, in_dims=(0, 0))(a, b), join(a, b))
        assert rl.equal(rl.vmap(join, in_dims=(0, None))(a, b[0]), join(a, b[0]))
        out = rl.empty(5, 6, dtype=rl.complex64)
        assert join(a, b, out=out) is out and rl.equal(out, join(a, b))
    assert rl.polar(rl.tensor(2.0), rl.tensor(1e30)).abs().sub(2).abs() < 1e-6


@pytest.mark.parametrize("join", [rl.complex, rl.polar])
def test_gradients(join):
    a = (rl.rand(3, 1, dtype=rl.float64) + 0.5).requires_grad_()
    b = rl.randn(4, dtype=rl.float64, requires_grad=True)
    assert gradcheck(join, (a, b)) and gradgradcheck(join, (a, b))
    (only,) = rl.autograd.grad(join(a, b).real.sum(), a)
    assert only.shape == (3, 1)


def test_changes_of_real_parts_reach_the_gradient_of_the_complex_tensor():
    c = rl.tensor([[1 + 2j, 3 - 1j, 2j]], requires_grad=True)
    y = c * 1
    y.imag[:, 1:].mul_(rl.tensor([2.0, 3.0]))
    assert y.tolist() == [[1 + 2j, 3 - 2j, 6j]]
    (g,) = rl.autograd.grad(y.abs().square().sum(), c, create_graph=True)
    assert rl.allclose(g, rl.tensor([[2 + 4j, 6 - 8j, 36j]]))
    (h,) = rl.autograd.grad((g.real.sum() + g.imag.sum()), c)
    assert rl.allclose(h, rl.tensor([[2 + 2j, 2 + 8j, 2 + 18j]]))


def test_changes_of_transposed_parts_of_a_complex_view():
    c = rl.randn(2, 3, 5, dtype=rl.complex128, requires_grad=True)
    y = c * 1
    part = y[:, 1:].real.mT[:, :4]
    part += 1
    part.exp_()
    part.sum().backward()
    expected = rl.zeros(2, 3, 5, dtype=rl.complex128)
    expected[:, 1:, :4] = (c.detach().real[:, 1:, :4] + 1).exp()
    assert rl.allclose(c.grad, expected)
    assert rl.allclose(y.real[:, 1:, :4].mT, part)


def test_changes_of_a_complex_view_reach_the_gradient_of_the_real_tensor():
    x = rl.arange(12.0, dtype=rl.float64).reshape(3, 2, 2).requires_grad_()
    y = x.clone()
    z = rl.view_as_complex(y)[1:].reshape(-1)
    z.mul_(2j)
    assert y[1].tolist() == [[-10.0, 8.0], [-14.0, 12.0]]
    (g,) = rl.autograd.grad(y.sum(), x, retain_graph=True)
    assert g.tolist() == [[[1, 1], [1, 1]], [[2, -2], [2, -2]], [[2, -2], [2, -2]]]
    (g,) = rl.autograd.grad(z.real.sum(), x)
    assert g.tolist() == [[[0, 0], [0, 0]], [[0, -2], [0, -2]], [[0, -2], [0, -2]]]


@pytest.mark.parametrize("changed", ["whole", "parts"])
def test_gradients_of_chosen_inputs_through_changed_parts(changed):
    x = rl.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    whole = x.clone()
    parts = rl.view_as_real(whole)
    (whole if changed == "whole" else parts).mul_(2)
    (g,) = rl.autograd.grad(parts.sum(), x)
    assert g.tolist() == [2 + 2j, 2 + 2j]


def test_moduli_go_to_any_floating_target():
    z = rl.tensor([3 + 4j, 1j])
    for dtype in (rl.float16, rl.float64):
        for size in (2, 0):
            out = rl.empty(size, dtype=dtype)
            assert rl.abs(z, out=out) is out and out.dtype == dtype and out.tolist() == [5, 1]
    for dtype in (rl.complex128, rl.int32):
        with pytest.raises(RuntimeError):
            rl.abs(z, out=rl.empty(2, dtype=dtype))
    with pytest.raises(RuntimeError, match="expected out"):
        rl.abs(z.real, out=rl.empty(2, dtype=rl.float64))


def test_the_real_part_of_a_real_tensor_is_itself():
    x = rl.ones(3, requires_grad=True)
    assert x.real is x and rl.real(x) is x
    z = rl.tensor([1 + 2j], requires_grad=True)
    assert type(z.real.grad_fn).__name__ == type(z.imag.grad_fn).__name__ == "SelectBackward0"
    assert z.real._base is z


def test_means_are_divided_as_complex_numbers_are():
    z = rl.tensor([[complex(float("inf"), 1), 1j], [1, 2]])
    for mean in (z.mean(), z.mean(0)[0], z.mean(1)[0]):
        assert mean.real == float("inf") and mean.imag.isnan()
    assert z.mean(0)[1] == 1 + 0.5j
