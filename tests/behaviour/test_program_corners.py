"""What programs do besides the plain loop: hooks that see arguments, nodes called by hand,
generators that are copied, and the messages of common mistakes."""

import copy
import pickle

import pytest

import rushlight as rl
from rushlight.utils.checkpoint import checkpoint


class _Smallest(rl.autograd.Function):
    """The smallest values and their places; keeps the gradients that backward receives."""

    received = None

    @staticmethod
    def forward(ctx, x, k):
        values, places = x.topk(k, largest=False)
        ctx.mark_non_differentiable(places)
        ctx.save_for_backward(places)
        return values, places, "text"

    @staticmethod
    def backward(ctx, g, g_places, g_text):
        _Smallest.received = g_places, g_text
        (places,) = ctx.saved_tensors
        return rl.zeros(4).scatter(0, places, g), None


def test_backward_receives_zeros_for_integer_outputs_and_none_for_others():
    x = rl.tensor([3.0, 1.0, 2.0, 5.0], requires_grad=True)
    values, _, _ = _Smallest.apply(x, 2)
    values.sum().backward()
    g_places, g_text = _Smallest.received
    assert g_places.dtype == rl.int64 and g_places.tolist() == [0, 0]
    assert g_text is None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_node_can_be_called():
    a = rl.tensor([1.0, 2.0], requires_grad=True)
    b = rl.tensor([3.0, 4.0], requires_grad=True)
    node = (a * b).grad_fn
    for _ in range(2):  # nothing is freed
        to_a, to_b = node(rl.tensor([1.0, 10.0]))
        assert to_a.tolist() == [3.0, 40.0] and to_b.tolist() == [1.0, 20.0]
    assert a.exp().grad_fn(rl.zeros(2)).tolist() == [0.0, 0.0]
    assert [g.tolist() for g in node(None)] == [[0.0, 0.0], [0.0, 0.0]]
    leaf = node.next_functions[0][0]
    leaf(rl.ones(2))
    assert a.grad.tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="expected Tensor or None as argument 0, got int"):
        node(3)
    with pytest.raises(RuntimeError, match="expected 1 gradients, one for each output, got 2"):
        node(rl.ones(2), rl.ones(2))


def test_node_notes_and_names():
    node = (rl.ones(2, requires_grad=True) * 2).grad_fn
    node.metadata["note"] = 1
    assert node.metadata == {"note": 1}
    assert node.next_functions[0][0].name() == "torch::autograd::AccumulateGrad"
    x = rl.ones(4, requires_grad=True)
    assert "torch.autograd.function._SmallestBackward" in repr(_Smallest.apply(x, 1)[0].grad_fn)


def test_step_hooks_see_and_replace_all_arguments():
    p = rl.nn.Parameter(rl.ones(1))
    opt = rl.optim.SGD([p], lr=1.0)
    seen = []

    def with_closure(opt, args, kwargs):
        seen.append(args)
        return (args[0], lambda: 7.0), kwargs

    opt.register_step_pre_hook(with_closure)
    opt.register_step_post_hook(lambda opt, args, kwargs: seen.append(args))
    assert opt.step() == 7.0
    assert seen[0] == (opt,) and seen[1][0] is opt and len(seen[1]) == 2


def test_reentrant_checkpoint_refuses_grad():
    x = rl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="incompatible with .grad()"):
        rl.autograd.grad(checkpoint(rl.sin, x, use_reentrant=True).sum(), x)
    with pytest.raises(RuntimeError, match="incompatible with .grad()"):
        checkpoint(rl.sin, x, use_reentrant=True).sum().backward(inputs=[x])
    checkpoint(lambda t: checkpoint(rl.exp, t, use_reentrant=True), x, use_reentrant=True)[
        0
    ].backward()
    assert x.grad[0] > 2.7 and x.grad[1] == 0


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), lambda g: g.clone_state()],
)
def test_generator_copies_go_on_alike(copied):
    g = rl.Generator().manual_seed(3)
    rl.randn(5, generator=g)
    other = copied(g)
    assert other is not g and other.initial_seed() == 3
    assert rl.rand(4, generator=other).tolist() == rl.rand(4, generator=g).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.stack([rl.ones(1), [1]]), "as element 1 in argument 'tensors'.* got list"),
        (lambda: rl.cat((rl.ones(1), None)), "as element 1 in argument 'tensors'.* got NoneType"),
        (lambda: rl.hstack([1.5]), "as element 0 in argument 'tensors'.* got float"),
        (lambda: rl.meshgrid(1), "as element 0 in argument 0, but got int"),
        (lambda: rl.cartesian_prod(rl.ones(1), "a"), "as element 1 in argument 0, but got str"),
        (lambda: rl.broadcast_tensors(rl.ones(1), [2]), "as element 1 in argument 0, but got list"),
        (lambda: rl.utils.data.default_collate([rl.ones(1), [1]]), "as element 1"),
    ],
)
def test_lists_of_tensors_name_the_item_that_is_none(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_messages_name_the_functions_that_people_call():
    x = rl.ones(1, 3, 5, 5)
    with pytest.raises(RuntimeError, match=r"^conv2d: Given groups=1, weight of size \[2, 1, 3, 3"):
        rl.nn.Conv2d(1, 2, 3)(x)
    with pytest.raises(RuntimeError, match="^conv2d: .*can't be greater than actual input size"):
        rl.nn.Conv2d(3, 2, 9)(x)
    with pytest.raises(RuntimeError, match="^nll_loss: expected targets of dtype int64"):
        rl.nn.functional.nll_loss(rl.ones(2, 2), rl.ones(2))
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        rl.nn.Linear(2, 3)(rl.ones(4, 5))
