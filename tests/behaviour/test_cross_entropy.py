"""Cross entropy in one pass, against the log-probabilities it does without."""

import math

import pytest

import rushlight as rl

F = rl.nn.functional
INF, NAN = float("inf"), float("nan")


def in_two_passes(x, target, **options):
    return F.nll_loss(x.log_softmax(1), target, **options)


def both(x, target, **options):
    """(loss, gradient) of one pass and of two."""
    results = []
    for function in (F.cross_entropy, in_two_passes):
        leaf = x.detach().requires_grad_()
        loss = function(leaf, target, **options)
        results.append((loss.detach(), *rl.autograd.grad(loss.sum(), leaf)))
    return results


@pytest.mark.parametrize("classes", [1, 2, 15, 16, 17, 100, 1024, 2500])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_equals_two_passes(classes, reduction):
    rl.manual_seed(classes)
    x, target = rl.randn(37, classes) * 3, rl.randint(classes, (37,))
    for weight in (None, rl.rand(classes)):
        for ignored in (-100, int(target[3])):
            options = dict(weight=weight, ignore_index=ignored, reduction=reduction)
            one, two = both(x, target, **options)
            assert rl.equal(one[0], two[0]) or one[0].isnan().all()
            with rl.no_grad():
                again = F.cross_entropy(x, target, **options)
            assert rl.equal(again, one[0]) or again.isnan().all()
            rl.testing.assert_close(one[1], two[1], atol=1e-6, rtol=1e-5, equal_nan=True)


def test_extremes():
    rows = [[INF, 0.0], [-INF, -INF], [-INF, 1.0], [NAN, 1.0], [3e38, -3e38], [1e-45, 0.0]]
    x, target = rl.tensor(rows), rl.tensor([0, 1, 0, 1, 1, 0], dtype=rl.uint8)
    one, two = both(x, target, reduction="none")
    for a, b in zip(one, two):
        rl.testing.assert_close(a, b, equal_nan=True)


def test_nothing_to_average():
    x = rl.randn(3, 4, requires_grad=True)
    loss = F.cross_entropy(x, rl.full((3,), 2), ignore_index=2)
    assert loss.isnan()
    loss.backward()
    assert rl.equal(x.grad, rl.zeros(3, 4))
    assert F.cross_entropy(rl.zeros(0, 4), rl.zeros(0).long(), reduction="sum") == 0
    assert F.cross_entropy(rl.zeros(2, 0), rl.full((2,), -100), reduction="sum") == 0


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_first_and_second_derivatives(reduction):
    rl.manual_seed(0)
    target, weight = rl.tensor([1, 4, 0, 2]), rl.rand(5, dtype=rl.float64)
    x = rl.randn(4, 5, dtype=rl.float64, requires_grad=True)
    for given in (None, weight):
        assert rl.autograd.gradcheck(F.cross_entropy, (x, target, given, None, 2, None, reduction))
        assert rl.autograd.gradgradcheck(
            F.cross_entropy, (x, target, given, None, 2, None, reduction)
        )


def test_the_input_may_change_after_the_loss():
    x, target = rl.randn(3, 20, requires_grad=True), rl.tensor([1, 2, 3])
    scores = x * 1
    loss = F.cross_entropy(scores, target)
    want = rl.autograd.grad(loss, x, retain_graph=True)[0]
    scores.detach().zero_()
    assert rl.equal(rl.autograd.grad(loss, x)[0], want)


def test_threads_and_layouts_agree():
    x, target = rl.randn(700, 513), rl.randint(513, (700,))
    transposed = x.t().contiguous().t()
    before = rl.get_num_threads()
    results = []
    for threads in (1, 2):
        rl.set_num_threads(threads)
        results += [both(x, target)[0], both(transposed, target)[0]]
    rl.set_num_threads(before)
    for loss, slope in results[1:]:
        assert rl.equal(loss, results[0][0]) and rl.equal(slope, results[0][1])


def test_large_gradients_in_parts():
    x, target = rl.randn(300, 30001), rl.randint(30001, (300,))
    (_, whole), _ = both(x, target, reduction="sum")
    (_, part), _ = both(x[100:120], target[100:120], reduction="sum")
    assert rl.equal(whole[100:120], part)


@pytest.mark.parametrize("shape", [(0, 3, 5), (0, 3, 5, 7)])
def test_no_samples_lose_nothing(shape):
    x = rl.zeros(shape, requires_grad=True)
    target = rl.zeros(0, *shape[2:], dtype=rl.int64)
    assert F.cross_entropy(x, target, reduction="none").shape == target.shape
    assert F.cross_entropy(x, target, reduction="sum").item() == 0
    assert math.isnan(F.nll_loss(x, target).item())
    assert rl.autograd.grad(F.nll_loss(x, target, reduction="sum"), x)[0].shape == shape


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_no_classes_lose_nothing(smoothing):
    options = {"label_smoothing": smoothing}
    x = rl.zeros(5, 0, 2)
    assert F.cross_entropy(x, x, reduction="none", **options).tolist() == [[0, 0]] * 5
    assert F.cross_entropy(x, x, reduction="sum", **options).item() == 0
    assert math.isnan(F.cross_entropy(x, x, **options).item())
