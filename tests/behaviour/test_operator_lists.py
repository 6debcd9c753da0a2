"""Operators that programs define of lists of tensors, and what they change."""

import pytest

import rushlight as rl
from rushlight.library import custom_op


def test_gradients_of_tensors_in_lists():
    @custom_op("lists::dot", mutates_args=())
    def dot(xs: list[rl.Tensor], scale: float) -> rl.Tensor:
        return xs[0] * xs[1] * scale

    def keep(ctx, inputs, output):
        assert ctx.needs_input_grad == ([True, False], False)
        ctx.save_for_backward(*inputs[0])
        ctx.scale = inputs[1]

    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return [g * b * ctx.scale, None], None

    dot.register_autograd(backward, setup_context=keep)
    a, b = rl.tensor(2.0, requires_grad=True), rl.tensor(3.0)
    dot([a, b], 5.0).backward()
    assert a.grad == 15


def test_gradients_of_a_list_come_as_a_list():
    @custom_op("lists::twins", mutates_args=())
    def twins(x: rl.Tensor) -> list[rl.Tensor]:
        return [x * 2, x * 3]

    twins.register_autograd(lambda ctx, gs: gs[0] * 2 + gs[1] * 3)
    x = rl.tensor(2.0, requires_grad=True)
    made = twins(x)
    assert type(made) is list
    (made[0] + made[1]).backward()
    assert x.grad == 5


def test_gradients_of_a_list_have_to_be_as_many():
    @custom_op("lists::first", mutates_args=())
    def first(xs: list[rl.Tensor]) -> rl.Tensor:
        return xs[0] * 2

    first.register_autograd(lambda ctx, g: [g])
    with pytest.raises(RuntimeError, match="2 gradients"):
        first([rl.ones(1, requires_grad=True)] * 2).sum().backward()


@pytest.mark.parametrize("names", [{"x"}, "unknown"])
def test_what_an_operator_changes_counts_as_changed(names):
    @custom_op(f"lists::three_{len(names)}", mutates_args=names)
    def three(x: rl.Tensor) -> None:
        x.numpy()[:] = 3

    x = rl.ones(2)
    before = x._version
    three(x)
    assert x.tolist() == [3, 3] and x._version == before + 1


def test_a_batching_rule_may_give_lists_and_numbers():
    @custom_op("lists::halves", mutates_args=())
    def halves(x: rl.Tensor) -> tuple[list[rl.Tensor], int]:
        return [x[:1].clone(), x[1:].clone()], 2

    halves.register_vmap(lambda info, dims, x: (([x[:, :1], x[:, 1:]], 2), ([0, 0], None)))

    def both(x):
        parts, count = halves(x)
        assert type(parts) is list and count == 2
        return tuple(parts)

    found = rl.vmap(both)(rl.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert [x.tolist() for x in found] == [[[1], [3]], [[2], [4]]]
