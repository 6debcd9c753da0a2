"""Activation checkpointing gives the plain gradients and notices functions that change."""

import pytest

import rushlight as rl
from rushlight.utils.checkpoint import (
    CheckpointError,
    CheckpointPolicy,
    GraphExecGroup,
    checkpoint,
    checkpoint_sequential,
    create_selective_checkpoint_contexts,
    set_checkpoint_debug_enabled,
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


# ---- selective checkpoints --------------------------------------------------------------------


aten, MM = rl.ops.aten, "aten.mm.default"


class Counted:
    """Two products between other ops; counts how often each is computed."""

    def __init__(self):
        rl.manual_seed(0)
        self.weights = [rl.randn(4, 4, requires_grad=True) for _ in range(2)]
        self.x = rl.randn(3, 4, requires_grad=True)

    def run(self, x):
        return rl.mm(rl.mm(x, self.weights[0]).tanh(), self.weights[1]).exp().sin()

    def gradients(self, context_fn=None):
        y = (
            checkpoint(self.run, self.x, use_reentrant=False, context_fn=context_fn)
            if context_fn
            else self.run(self.x)
        )
        leaves = [self.x, *self.weights]
        return rl.autograd.grad(y.sum(), leaves)


def test_kept_results_are_not_computed_again():
    net, ran = Counted(), []

    def keep_products(context, op, *args, **kwargs):
        ran.append((str(op), context.is_recompute))
        return (
            CheckpointPolicy.MUST_SAVE
            if op is aten.mm.default
            else CheckpointPolicy.PREFER_RECOMPUTE
        )

    for policy in (
        [aten.mm.default],
        keep_products,
        lambda c, op, *a: False,
        lambda c, op, *a: True,
    ):
        got = net.gradients(lambda policy=policy: create_selective_checkpoint_contexts(policy))
        for a, b in zip(got, net.gradients()):
            assert rl.equal(a, b)
    assert [entry for entry in ran if entry[0] == MM] == [(MM, False)] * 2
    assert ("aten.exp.default", False) in ran and not rl._native.dispatch_modes()


def test_kept_results_must_not_change_and_policies_not_waver():
    def changes(x):
        y = rl.exp(x)
        with rl.no_grad():
            y.mul_(2)
        return (x * 3).sin()

    x = rl.ones(2, requires_grad=True)
    for allow in (True, False):
        contexts = lambda: create_selective_checkpoint_contexts([aten.exp.default], allow)  # noqa: B023, E731
        y = checkpoint(changes, x, use_reentrant=False, context_fn=contexts)
        if allow:
            y.sum().backward()
        else:
            with pytest.raises(RuntimeError, match="mutated"):
                y.sum().backward()
    with pytest.raises(TypeError, match="list of ops"):
        create_selective_checkpoint_contexts(3)
    with pytest.raises(ValueError, match="to be an OpOverload"):
        create_selective_checkpoint_contexts([rl.exp])


def test_debugging_lists_the_ops_of_both_computations():
    turns = []

    def wavers(x):
        turns.append(0)
        return x.exp().sin() if len(turns) % 2 else x.sin()

    x = rl.ones(2, 3, requires_grad=True)
    with pytest.raises(CheckpointError, match=r"forward:\n.*exp\(float32\[2, 3\]\)"):
        checkpoint(wavers, x, use_reentrant=False, debug=True).sum().backward()
    with set_checkpoint_debug_enabled(True), pytest.raises(CheckpointError, match="recomputation:"):
        checkpoint(wavers, x, use_reentrant=False).sum().backward()


def test_a_group_of_backward_calls_computes_once():
    runs = []

    def two(x):
        runs.append(0)
        return x.sin() * 2, x.exp() * 3

    x = rl.ones(2, requires_grad=True)
    with GraphExecGroup():
        a, b = checkpoint(two, x, use_reentrant=False, early_stop=False)
        a.sum().backward(retain_graph=True)
        b.sum().backward(retain_graph=True)
        assert len(runs) == 2
        with pytest.raises(RuntimeError, match="same saved tensor"):
            b.sum().backward()
        with pytest.raises(RuntimeError, match="nested"), GraphExecGroup():
            pass
    rl.testing.assert_close(x.grad, 2 * x.cos().detach() + 3 * x.exp().detach())


@pytest.mark.parametrize("early_stop", [True, False])
def test_functions_may_differentiate_what_they_compute(early_stop):
    def slope(x):
        return rl.autograd.grad(x.sin().exp(), x, create_graph=True)[0]

    x = rl.tensor(0.5, dtype=rl.float64, requires_grad=True)
    y = checkpoint(slope, x, use_reentrant=False, early_stop=early_stop)
    rl.testing.assert_close(y, slope(x))
    rl.testing.assert_close(rl.autograd.grad(y, x), rl.autograd.grad(slope(x), x))
