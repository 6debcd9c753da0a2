"""Pooling, normalisation, softmax, losses, activations: against definitions,
and their gradients.
"""

import math

import pytest
import rushlight as rl

F = rl.nn.functional
gradcheck, gradgradcheck = rl.autograd.gradcheck, rl.autograd.gradgradcheck


def leaf(*sizes):
    return rl.randn(*sizes, dtype=rl.float64).requires_grad_(True)


# ---- pooling
def windows(x, kernel, stride, padding, fill):
    """The windows of images as a last dimension, by unfold."""
    x = F.pad(x, (padding,) * 4, value=fill)
    return x.unfold(2, kernel, stride).unfold(3, kernel, stride).flatten(4)


@pytest.mark.parametrize("size", [(2, 3, 8, 9), (1, 1, 5, 4)])
@pytest.mark.parametrize("kernel,stride,padding", [(2, 2, 0), (3, 1, 1), (3, 2, 1)])
def test_pools_reduce_their_windows(size, kernel, stride, padding):
    x = rl.randn(*size)
    maxima = windows(x, kernel, stride, padding, float("-inf")).amax(-1)
    means = windows(x, kernel, stride, padding, 0.0).mean(-1)
    assert rl.equal(F.max_pool2d(x, kernel, stride, padding), maxima)
    assert rl.allclose(F.avg_pool2d(x, kernel, stride, padding), means, atol=1e-6)


def test_max_pool_propagates_nan_and_names_positions():
    x = rl.tensor([[[1.0, float("nan"), 3.0, 2.0]]])
    values, at = F.max_pool1d(x, 2, return_indices=True)
    assert math.isnan(values[0, 0, 0].item()) and at.tolist() == [[[1, 2]]]
    assert F.max_unpool1d(rl.tensor([[[5.0]]]), rl.tensor([[[1]]]), 2).tolist() == [[[0.0, 5.0]]]


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: F.max_pool2d(x, 2, 1, 1),
        lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
        lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
        lambda x: F.adaptive_max_pool2d(x, 2),
        lambda x: F.lp_pool2d(x, 2, 2),
    ],
)
def test_pool_gradients(pool):
    x = leaf(2, 2, 5, 6)
    assert gradcheck(pool, (x,))
    assert gradgradcheck(pool, (x,))


def test_pool_errors():
    with pytest.raises(RuntimeError, match="pad should be at most half"):
        F.max_pool2d(rl.ones(1, 1, 4, 4), 2, padding=2)
    with pytest.raises(RuntimeError, match="output size is too small"):
        F.max_pool2d(rl.ones(1, 1, 2, 2), 3)


# ---- normalisation
def test_norms_have_mean_zero_and_variance_one():
    x = rl.randn(4, 6, 5, 3) * 3 + 100
    for y, dims in (
        (F.layer_norm(x, (5, 3)), (2, 3)),
        (F.instance_norm(x), (2, 3)),
        (F.batch_norm(x, None, None, training=True), (0, 2, 3)),
    ):
        assert y.mean(dims).abs().max().item() < 1e-4
        assert (y.var(dims, unbiased=False) - 1).abs().max().item() < 1e-3
    grouped = F.group_norm(x, 2).view(4, 2, -1)
    assert (grouped.var(-1, unbiased=False) - 1).abs().max().item() < 1e-3


@pytest.mark.parametrize(
    "norm",
    [
        lambda x, w, b: F.layer_norm(x.transpose(1, 2), (4,), w, b),
        lambda x, w, b: F.group_norm(x, 2, w, b),
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        lambda x, w, b: F.batch_norm(x, rl.zeros(4).double(), rl.ones(4).double(), w, b, False),
        lambda x, w, b: F.instance_norm(x, None, None, w, b),
        lambda x, w, b: F.rms_norm(x.transpose(1, 2), (4,), w) + b,
    ],
)
def test_norm_gradients_of_both_orders(norm):
    inputs = (leaf(3, 4, 2), leaf(4), leaf(4))
    assert gradcheck(norm, inputs)
    assert gradgradcheck(norm, inputs)


@pytest.mark.parametrize("last", [False, True])
def test_batch_norm_updates_running_statistics(last):
    x = rl.randn(4, 3, 5, 5)
    x = x.contiguous(memory_format=rl.channels_last) if last else x
    mean, var = rl.zeros(3), rl.ones(3)
    y = F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert rl.allclose(mean, 0.5 * x.mean((0, 2, 3)), atol=1e-6)
    assert rl.allclose(var, 0.5 + 0.5 * x.var((0, 2, 3)), atol=1e-5)
    assert y.is_contiguous(memory_format=rl.channels_last) == last
    assert rl.allclose(y, F.batch_norm(x.contiguous(), None, None, training=True), atol=1e-5)


def test_norm_errors():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        F.batch_norm(rl.ones(1, 3), None, None, training=True)
    with pytest.raises(RuntimeError, match="normalized_shape"):
        F.layer_norm(rl.ones(2, 3), (4,))


# ---- softmax and losses
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_is_a_distribution_even_for_large_inputs(dim):
    x = rl.randn(3, 40, 5) * 1000
    assert rl.allclose(x.softmax(dim).sum(dim), rl.ones(()), atol=1e-5)
    assert rl.allclose(x.log_softmax(dim).exp(), x.softmax(dim), atol=1e-5)
    assert gradcheck(lambda t: t.softmax(dim), (leaf(2, 3, 2),))
    assert gradgradcheck(lambda t: t.log_softmax(dim), (leaf(2, 3, 2),))


def test_softmax_keeps_nan_and_half():
    assert rl.tensor([1.0, float("nan")]).softmax(0).isnan().all()
    assert rl.ones(4).half().softmax(0).dtype == rl.float16
    with pytest.raises((RuntimeError, NotImplementedError)):
        rl.ones(3, dtype=rl.int64).softmax(0)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy_with_weights_and_ignored_targets(reduction):
    x, weight = leaf(5, 4, 3), rl.rand(4, dtype=rl.float64)
    target = rl.randint(0, 4, (5, 3))
    target[0, 0] = -100
    picked = -x.log_softmax(1).gather(1, target.clamp(0).unsqueeze(1)).squeeze(1)
    scale = weight[target.clamp(0)] * (target != -100)
    want = {
        "none": picked * scale,
        "sum": (picked * scale).sum(),
        "mean": (picked * scale).sum() / scale.sum(),
    }
    got = F.cross_entropy(x, target, weight, reduction=reduction)
    assert rl.allclose(got, want[reduction])
    assert gradcheck(lambda t: F.cross_entropy(t, target, weight, reduction=reduction), (x,))
    assert gradgradcheck(lambda t: F.cross_entropy(t, target, weight, reduction=reduction), (x,))


def test_cross_entropy_of_probabilities_agrees_with_indices():
    x, target = rl.randn(5, 4), rl.randint(0, 4, (5,))
    one_hot = F.one_hot(target, 4).float()
    for smoothing in (0.0, 0.3):
        assert rl.allclose(
            F.cross_entropy(x, one_hot, label_smoothing=smoothing),
            F.cross_entropy(x, target, label_smoothing=smoothing),
            atol=1e-6,
        )


def test_nll_loss_rejects_bad_targets():
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        F.nll_loss(rl.zeros(2, 3), rl.tensor([0, 7]))


@pytest.mark.parametrize(
    "loss",
    [
        F.mse_loss,
        F.l1_loss,
        F.smooth_l1_loss,
        F.huber_loss,
        F.poisson_nll_loss,
        F.binary_cross_entropy_with_logits,
        F.soft_margin_loss,
    ],
)
def test_elementwise_loss_gradients(loss):
    x, target = leaf(3, 4), rl.rand(3, 4, dtype=rl.float64)
    assert gradcheck(lambda t: loss(t, target), (x,))
    assert rl.allclose(loss(x, target, reduction="sum"), loss(x, target, reduction="none").sum())


def test_ctc_loss_counts_every_path():
    log_p = rl.randn(4, 1, 3, dtype=rl.float64).log_softmax(2)
    total = 0.0
    for path in range(3**4):
        steps = [path // 3**t % 3 for t in range(4)]
        merged = [s for i, s in enumerate(steps) if s and (i == 0 or steps[i - 1] != s)]
        if merged == [1, 2]:
            total += math.exp(sum(log_p[t, 0, s].item() for t, s in enumerate(steps)))
    got = F.ctc_loss(
        log_p, rl.tensor([[1, 2]]), rl.tensor([4]), rl.tensor([2]), reduction="sum"
    ).item()
    assert abs(got + math.log(total)) < 1e-9


# ---- activations
ACTIVATIONS = [
    F.relu,
    F.gelu,
    lambda x: F.gelu(x, approximate="tanh"),
    F.silu,
    F.elu,
    F.selu,
    F.celu,
    F.softplus,
    F.leaky_relu,
    F.logsigmoid,
    F.hardtanh,
    F.hardswish,
    F.hardsigmoid,
    F.mish,
    F.softshrink,
    F.hardshrink,
    F.softsign,
    F.tanhshrink,
    F.relu6,
    lambda x: F.threshold(x, 0.1, 2.0),
    lambda x: F.glu(x, 0),
]


@pytest.mark.parametrize("index", range(len(ACTIVATIONS)))
def test_activation_gradients_of_both_orders(index):
    x = (rl.linspace(-3.3, 3.4, 12, dtype=rl.float64) + 0.013).requires_grad_(True)
    assert gradcheck(ACTIVATIONS[index], (x,))
    assert gradgradcheck(ACTIVATIONS[index], (x,))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "silu", "hardswish", "elu", "mish"])
def test_inplace_activations_train(name):
    x = leaf(5)
    y = x * 1
    getattr(F, name)(y, inplace=True).sum().backward()
    again = x.detach().requires_grad_(True)
    getattr(F, name)(again).sum().backward()
    assert rl.allclose(x.grad, again.grad)


def test_statistics_of_native_group_norm_have_gradients_of_every_order():
    x = (rl.arange(12.0, dtype=rl.float64) * 1.7).sin().reshape(2, 6, 1).requires_grad_()

    def statistics(x):
        return rl.native_group_norm(x, None, None, 2, 6, 1, 3, 1e-5)

    y, mean, rstd = statistics(x)
    assert rl.equal(y, rl.nn.functional.group_norm(x, 3)) and rstd.shape == (2, 3)
    assert rl.allclose(mean, x.reshape(2, 3, 2).mean(2))
    (grad,) = rl.autograd.grad(mean.sum(), x, retain_graph=True)
    assert rl.equal(grad, rl.full_like(x, 0.5))
    assert rl.autograd.gradcheck(statistics, (x,)) and rl.autograd.gradgradcheck(statistics, (x,))
