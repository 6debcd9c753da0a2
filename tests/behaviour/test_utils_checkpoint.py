"""Activation checkpointing gives the plain gradients and notices functions that change."""

import pytest

import rushlight as rl
from rushlight.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_early_stop,
)


def network():
    rl.manual_seed(0)
    net = rl.nn.Sequential(rl.nn.Linear(4, 4), rl.nn.Dropout(), rl.nn.Tanh(), rl.nn.Linear(4, 4))
    return net, rl.randn(3, 4, requires_grad=True)


def gradients(**options):
    net, x = network()
    y = checkpoint(net, x, **options) if options else net(x)
    y.pow(2).sum().backward()
    return [x.grad.tolist(), *(p.grad.tolist() for p in net.parameters()), rl.rand(1).item()]


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_gradients_and_random_state_are_the_plain_ones(use_reentrant):
    assert gradients(use_reentrant=use_reentrant) == gradients()


def cube(t):
    return (t * t * t).sum()


@pytest.mark.parametrize("early", [True, False])
def test_repeated_backward_recomputes_again(early):
    x = rl.tensor([0.5, 1.0], requires_grad=True)
    with set_checkpoint_early_stop(early):
        y = checkpoint(cube, x, use_reentrant=False)
        y.backward(retain_graph=True)
        y.backward()
    assert x.grad.tolist() == [1.5, 6.0]


def test_second_order():
    x = rl.tensor([0.5, 1.0], requires_grad=True)
    y = checkpoint(cube, x, use_reentrant=False)
    (grad,) = rl.autograd.grad(y, x, create_graph=True)
    (second,) = rl.autograd.grad(grad.sum(), x)
    assert second.tolist() == [3.0, 6.0]


def test_changing_function_is_noticed():
    calls = []

    def moody(t):
        calls.append(1)
        return (t.exp() * t.sin()).sum() if len(calls) == 1 else t.exp().sum()

    y = checkpoint(moody, rl.ones(2, requires_grad=True), use_reentrant=False)
    with pytest.raises(CheckpointError, match="different number of tensors"):
        y.backward()


def test_changing_shapes_are_noticed():
    calls = []

    def moody(t):
        calls.append(1)
        return (t.exp() if len(calls) == 1 else t[:1].exp()).sum()

    y = checkpoint(moody, rl.ones(2, requires_grad=True), use_reentrant=False)
    with pytest.raises(CheckpointError, match="shape"):
        y.backward()


def test_context_functions_see_both_passes():
    seen = []

    class Note:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *failure):
            pass

    x = rl.ones(2, requires_grad=True)
    contexts = lambda: (Note("first"), Note("second"))  # noqa: E731
    checkpoint(lambda t: t.exp().sum(), x, use_reentrant=False, context_fn=contexts).backward()
    assert seen == ["first", "second"]


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_sequential(use_reentrant):
    layers = rl.nn.Sequential(*[rl.nn.Linear(4, 4) for _ in range(5)])
    x = rl.randn(2, 4, requires_grad=True)
    y = checkpoint_sequential(layers, 2, x, use_reentrant=use_reentrant)
    assert y.tolist() == layers(x).tolist()
    y.sum().backward()
    assert all(p.grad is not None for p in layers.parameters())


def test_arguments_are_checked():
    x = rl.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="use_reentrant"):
        checkpoint(rl.exp, x)
    with pytest.raises(ValueError, match="keyword"):
        checkpoint(rl.exp, x, use_reentrant=True, other=1)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(rl.exp, x, use_reentrant=False, determinism_check="maybe")
