"""multi_margin_loss and multilabel_margin_loss against their definitions in plain Python."""

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


def _labels(rows, classes):
    """Some classes of each row, also twice, behind which -1 and then anything follows."""
    t = rl.randint(0, classes, (rows, classes))
    for r in range(1, rows):
        t[r, min(r - 1, classes - 1)] = -1
    return t


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("classes", [1, 2, 7, 8, 15, 16, 17, 33, 100])
def test_several_labels(classes, dtype):
    x = rl.randn(6, classes, dtype=dtype, requires_grad=True)
    target = _labels(6, classes)
    loss = F.multilabel_margin_loss(x, target, reduction="none")
    given = rl.randn(6, dtype=dtype)
    (grad,) = rl.autograd.grad(loss, x, given)
    tolerance = 1e-5 if dtype == rl.float32 else 1e-13
    for row, t, value, slopes, by in zip(
        x.tolist(), target.tolist(), loss.tolist(), grad.tolist(), given.tolist()
    ):
        labels = t[: t.index(-1)] if -1 in t else t
        want, sum_ = [0.0] * classes, 0.0
        for j in labels:
            for i in set(range(classes)) - set(labels):
                if (z := 1 - row[j] + row[i]) > 0:
                    sum_ += z / classes
                    want[i] += by / classes
                    want[j] -= by / classes
        assert abs(value - sum_) < tolerance * (1 + sum_)
        assert max(abs(a - b) for a, b in zip(slopes, want)) < tolerance * classes
    if dtype == rl.float32:
        half = F.multilabel_margin_loss(x.bfloat16(), target, reduction="none")
        assert rl.allclose(half.float(), loss, 0.05, 0.05)


def test_several_labels_in_other_orders_and_forms():
    x = rl.randn(4, 6, dtype=rl.float64, requires_grad=True)
    target = _labels(4, 6)
    assert gradcheck(lambda t: F.multilabel_margin_loss(t, target), (x,))
    assert gradgradcheck(lambda t: F.multilabel_margin_loss(t, target), (x,))
    each = F.multilabel_margin_loss(x, target, reduction="none")
    assert type(each.grad_fn).__name__ == "MultilabelMarginLossBackward0"
    assert rl.equal(
        F.multilabel_margin_loss(x.t().contiguous().t(), target, reduction="none"), each
    )
    alone = [F.multilabel_margin_loss(row, t) for row, t in zip(x, target)]
    assert rl.allclose(rl.stack(alone), each)
    mapped = rl.vmap(lambda row, t: F.multilabel_margin_loss(row, t))(x, target)
    assert rl.allclose(mapped, each)
    assert F.multilabel_margin_loss(x[:0], target[:0], reduction="none").shape == (0,)
    with pytest.raises(RuntimeError, match="out of bounds"):
        F.multilabel_margin_loss(x, rl.full((4, 6), 6))
    inf = float("inf")
    y = rl.tensor([[0.0, inf, -inf]])
    assert F.multilabel_margin_loss(y, rl.tensor([[0, 1, -1]])).item() == 0
    assert F.multilabel_margin_loss(y, rl.tensor([[0, -1, 1]])).item() == inf
