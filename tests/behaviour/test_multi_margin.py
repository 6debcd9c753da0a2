"""multi_margin_loss against its definition in plain Python."""

import pytest

import rushlight as rl
from rushlight.autograd import gradcheck, gradgradcheck

F = rl.nn.functional


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("classes", [1, 2, 7, 8, 15, 16, 17, 33, 300])
def test_values_and_gradients(classes, p, dtype):
    rl.manual_seed(classes)
    x = rl.randn(5, classes, dtype=dtype, requires_grad=True)
    target = rl.randint(0, classes, (5,))
    loss = F.multi_margin_loss(x, target, p=p, margin=0.7, reduction="none")
    given = rl.randn(5, dtype=dtype)
    (grad,) = rl.autograd.grad(loss, x, given)
    tolerance = 1e-5 if dtype == rl.float32 else 1e-13
    for row, t, value, slopes, by in zip(
        x.tolist(), target.tolist(), loss.tolist(), grad.tolist(), given.tolist()
    ):
        z = [max(0.0, 0.7 - row[t] + v) * (i != t) for i, v in enumerate(row)]
        assert abs(value - sum(v**p for v in z) / classes) < tolerance * (1 + value)
        want = [(v > 0) * p * v ** (p - 1) * by / classes for v in z]
        want[t] = -sum(want)
        assert max(abs(a - b) for a, b in zip(slopes, want)) < tolerance * (1 + abs(want[t]))


def test_orders_reductions_and_other_forms():
    x = rl.randn(4, 6, dtype=rl.float64, requires_grad=True)
    target = rl.tensor([0, 5, 2, 2])
    for p in (1, 2):
        assert gradcheck(lambda t, p=p: F.multi_margin_loss(t, target, p=p), (x,))
        assert gradgradcheck(lambda t, p=p: F.multi_margin_loss(t, target, p=p), (x,))
        each = F.multi_margin_loss(x, target, p=p, reduction="none")
        ones = F.multi_margin_loss(x, target, p, weight=rl.ones(6).double(), reduction="none")
        assert rl.allclose(each, ones)
        assert rl.allclose(F.multi_margin_loss(x, target, p=p), each.mean())
        assert rl.equal(F.multi_margin_loss(x.t().contiguous().t(), target, p=p), each.mean())
        alone = [F.multi_margin_loss(row, t, p=p) for row, t in zip(x, target)]
        assert rl.allclose(rl.stack(alone), each)
    assert F.multi_margin_loss(x[:0], target[:0], reduction="none").shape == (0,)


def test_ties_and_targets_out_of_range():
    x = rl.tensor([[0.0, -1.0, 1.0]], requires_grad=True)
    (grad,) = rl.autograd.grad(F.multi_margin_loss(x, rl.tensor([0])), x)
    assert rl.allclose(grad, rl.tensor([[-1 / 3, 0.0, 1 / 3]]))  # at the margin itself it is 0
    for wrong in (-1, 3):
        with pytest.raises(IndexError):
            F.multi_margin_loss(x, rl.tensor([wrong]))
    with pytest.raises(RuntimeError, match="inconsistent target size"):
        F.multi_margin_loss(x, rl.tensor([0, 1]))
