"""Connectionist temporal classification against sums over all paths, in plain Python."""

import itertools
import math

import pytest

import rushlight as rl
from rushlight.autograd import gradcheck, gradgradcheck

F = rl.nn.functional
INF = float("inf")


def merged(path, blank):
    return [s for i, s in enumerate(path) if s != blank and (i == 0 or path[i - 1] != s)]


def by_paths(log_p, target, blank):
    """The loss of one sample and its gradient for log_softmax's input: exp(log_p) - posterior."""
    steps, classes = log_p.shape
    values = log_p.tolist()
    total, shares = 0.0, [[0.0] * classes for _ in range(steps)]
    for path in itertools.product(range(classes), repeat=steps):
        if merged(path, blank) != target:
            continue
        p = math.exp(sum(values[t][s] for t, s in enumerate(path)))
        total += p
        for t, s in enumerate(path):
            shares[t][s] += p
    if not total:
        return INF, None
    return -math.log(total), log_p.exp() - rl.tensor(shares, dtype=rl.float64) / total


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("blank", [0, 2])
def test_losses_and_gradients_are_sums_over_paths(dtype, blank):
    rl.manual_seed(0)
    a, b = [k for k in range(3) if k != blank]
    targets = [[a, b], [a, a, b], [], [b, b, b, a]]
    steps = [5, 6, 3, 6]
    x = rl.randn(6, 4, 3, dtype=rl.float64).log_softmax(2)
    given = x.to(dtype).requires_grad_()
    flat = rl.tensor([k for row in targets for k in row])
    table = rl.full((4, 5), 99)  # what follows a target's end is not read
    for row, labels in zip(table, targets):
        row[: len(labels)] = rl.tensor(labels, dtype=rl.int64)
    lengths = [len(t) for t in targets]
    for form in (flat, table, table.int()):
        loss = F.ctc_loss(given, form, steps, lengths, blank=blank, reduction="none")
        weights = rl.tensor([1.0, -2.0, 3.0, 0.5], dtype=dtype)
        (grad,) = rl.autograd.grad(loss, given, weights)
        for n, (target, count) in enumerate(zip(targets, steps)):
            value, slope = by_paths(x[:count, n], target, blank)
            tolerance = 1e-5 if dtype == rl.float32 else 1e-12
            assert abs(loss[n].item() - value) < tolerance * max(1, value)
            error = grad[:count, n].double() - slope * weights[n].double()
            assert error.abs().max() < 4 * tolerance and not grad[count:, n].any()


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 23, 24, 40])
def test_targets_around_whole_vectors_of_states(length):
    steps, classes = 2 * length + 5, 6
    rl.manual_seed(length)
    x = rl.randn(steps, 2, classes, dtype=rl.float64).log_softmax(2)
    target = rl.randint(1, classes, (2, length))
    single = [
        F.ctc_loss(x[:, n], target[n, :length], [steps], [length], reduction="sum") for n in (0, 1)
    ]
    together = F.ctc_loss(x, target, [steps, steps], [length, length], reduction="none")
    assert rl.equal(together, rl.stack(single))
    wide = F.ctc_loss(x.float(), target, [steps, steps], [length, length], reduction="none")
    assert rl.allclose(wide.double(), together, rtol=1e-5)
    by_log_softmax = x.clone().requires_grad_()
    loss = F.ctc_loss(by_log_softmax, target, [steps, steps], [length, length], reduction="sum")
    (grad,) = rl.autograd.grad(loss, by_log_softmax)
    assert grad.sum(2).abs().max() < 1e-12  # a change of all logits changes nothing
    assert grad.isfinite().all()


def test_without_a_path():
    x = rl.zeros(3, 2, 3).log_softmax(2).requires_grad_()
    given = x, rl.tensor([[1, 1], [1, 2]]), [2, 3], [2, 2]
    loss = F.ctc_loss(*given, reduction="none")
    (grad,) = rl.autograd.grad(loss.sum(), x)
    assert loss[0] == INF and loss[1].isfinite()
    assert grad[:2, 0].isnan().all() and not grad[2, 0].any() and grad[:, 1].isfinite().all()
    loss = F.ctc_loss(*given, reduction="none", zero_infinity=True)
    (grad,) = rl.autograd.grad(loss.sum(), x)
    assert loss[0] == 0 and not grad[:, 0].any() and grad[:, 1].any()


def test_impossible_classes_and_long_sequences():
    x = rl.zeros(6, 1, 4)
    x[:, :, 3] = -INF
    x = x.log_softmax(2).requires_grad_()
    loss = F.ctc_loss(x, rl.tensor([[1, 2]]), [6], [2])
    (grad,) = rl.autograd.grad(loss, x)
    assert loss.isfinite() and grad.isfinite().all() and not grad[..., 3].any()
    # Probabilities far below the least float.
    x = rl.full((2000, 1, 5), math.log(0.2)).requires_grad_()
    loss = F.ctc_loss(x, rl.ones(1, 1, dtype=rl.int64), [2000], [1])
    paths = math.log(2000 * 2001 / 2)
    assert abs(loss.item() - (2000 * math.log(5) - paths)) < 2e-2


def test_second_derivatives_and_reductions():
    x = rl.randn(5, 2, 3, dtype=rl.float64, requires_grad=True)
    targets = rl.tensor([[1, 2], [2, 0]])

    def loss(t, reduction="mean"):
        return F.ctc_loss(t.log_softmax(2), targets, [5, 4], [2, 1], reduction=reduction)

    assert gradcheck(loss, (x,)) and gradgradcheck(loss, (x,))
    each = loss(x, "none")
    assert rl.allclose(loss(x), (each[0] / 2 + each[1]) / 2)
    assert rl.allclose(loss(x, "sum"), each.sum())


def test_wrong_lengths_and_labels():
    x, targets = rl.zeros(4, 2, 3), rl.ones(2, 2, dtype=rl.int64)
    for ins, outs, part in (
        ([5, 4], [1, 1], "input_lengths to have value at most 4"),
        ([4, -1], [1, 1], "input_lengths to have value at least 0"),
        ([4, 4], [-1, 1], "target_lengths to have value at least 0"),
        ([4, 4], [3, 1], "size at least 3 at dimension 1"),
    ):
        with pytest.raises(RuntimeError, match=part):
            F.ctc_loss(x, targets, ins, outs)
    with pytest.raises(RuntimeError, match="size 3 at dimension 0"):
        F.ctc_loss(x, rl.ones(4, dtype=rl.int64), [4, 4], [1, 2])
    with pytest.raises(IndexError, match="target 3 is out of bounds"):
        F.ctc_loss(x, targets + 2, [4, 4], [1, 1])
    with pytest.raises(RuntimeError, match="must not be empty"):
        F.ctc_loss(x[:0], targets, [0, 0], [0, 0])


def test_lengths_are_ints_and_of_one_kind():
    x, targets = rl.zeros(5, 3, 6).log_softmax(2), rl.ones(3, 4, dtype=rl.int64)
    ins, outs = rl.tensor([5, 5, 5]), rl.tensor([2, 2, 2])
    for kind, lengths in (
        (RuntimeError, (ins.float(), outs)),
        (RuntimeError, (ins, outs.float())),
        (RuntimeError, (ins.bool(), outs)),
        (TypeError, ([5.0, 5.0, 5.0], [2, 2, 2])),
        (TypeError, (ins, [2, 2, 2])),
        (TypeError, ([5, 5, 5], outs)),
    ):
        with pytest.raises(kind):
            F.ctc_loss(x, targets, *lengths)
    expected = F.ctc_loss(x, targets, ins, outs)
    assert rl.equal(F.ctc_loss(x, targets, ins.to(rl.uint8), outs.int()), expected)
    assert rl.equal(F.ctc_loss(x, targets, (5, 5, 5), (2, 2, 2)), expected)
