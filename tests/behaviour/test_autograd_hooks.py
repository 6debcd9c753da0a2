"""Hooks on tensors, nodes and saved tensors; gradient edges; anomaly mode."""

import pickle
from collections import OrderedDict

import pytest
import rushlight as torch
from rushlight.autograd import graph
from rushlight.testing import assert_close
from rushlight.utils.hooks import RemovableHandle


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def test_tensor_hooks_see_and_replace_gradients():
    x = leaf(1.0)
    seen = []
    y = x * 3
    y.register_hook(lambda grad: seen.append(grad.item()))
    handle = x.register_hook(lambda grad: grad * 10)
    y.backward(retain_graph=True)
    assert seen == [1.0] and x.grad.item() == 30.0
    handle.remove()
    y.backward()
    assert x.grad.item() == 33.0


def test_hooks_stay_with_the_value_before_an_in_place_change():
    x = leaf(1.0)
    y = x * 1
    seen = []
    y.register_hook(lambda grad: seen.append(("before", grad.item())))
    y.mul_(5)
    y.register_hook(lambda grad: seen.append(("after", grad.item())))
    y.sum().backward()
    assert seen == [("after", 1.0), ("before", 5.0)]


def test_hooks_need_gradients():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        torch.ones(1).register_hook(print)
    with pytest.raises(RuntimeError, match="non-leaf"):
        (leaf(1.0) * 2).register_post_accumulate_grad_hook(print)


def test_post_accumulate_hooks_may_consume_the_gradient():
    x = leaf(1.0)
    seen = []

    def consume(tensor):
        seen.append(tensor.grad.item())
        tensor.grad = None

    x.register_post_accumulate_grad_hook(consume)
    (x * 3).backward()
    assert seen == [3.0] and x.grad is None


def test_retain_grad():
    x = leaf(1.0)
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda grad: grad * 2)
    assert y.retains_grad and not y.is_leaf
    for _ in range(2):
        (y * 5).backward(retain_graph=True)
    assert y.grad.item() == 20.0 and x.grad.item() == 60.0
    with pytest.raises(RuntimeError, match="can't retain_grad"):
        torch.ones(1).retain_grad()


def test_node_hooks():
    x = leaf(1.0)
    y = x * 3
    seen = []
    y.grad_fn.register_prehook(lambda outs: seen.append("pre") or (outs[0] * 2,))
    y.grad_fn.register_hook(lambda ins, outs: seen.append((outs[0].item(), ins[0].item())))
    y.backward()
    assert seen == ["pre", (2.0, 6.0)]
    assert x.grad.item() == 6.0


def test_nodes_are_nodes():
    y = leaf(1.0) * 3
    assert isinstance(y.grad_fn, graph.Node)
    assert y.grad_fn.name() == "MulBackward0"
    assert y.grad_fn.next_functions[0][0].name().endswith("AccumulateGrad")


def test_gradient_edges_stand_for_tensors():
    x = leaf(2.0)
    y = x * x
    edge = graph.get_gradient_edge(x)
    assert edge.node is edge[0] and edge.output_nr == 0
    assert_close(torch.autograd.grad(y, edge), (torch.tensor([4.0]),))
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.get_gradient_edge(torch.ones(1))


def test_multi_grad_hook_waits_for_all():
    x, y, unused = leaf(1.0), leaf(2.0), leaf(3.0)
    seen = []
    handle = graph.register_multi_grad_hook([x, unused, y], seen.append)
    (x * y).sum().backward()
    ((a, none, b),) = seen
    assert none is None
    assert_close([a, b], [torch.tensor([2.0]), torch.tensor([1.0])])
    handle.remove()
    (x * y).sum().backward()
    assert len(seen) == 1


def test_multi_grad_hook_takes_the_first():
    x, y = leaf(1.0), leaf(2.0)
    seen = []
    graph.register_multi_grad_hook([x, y], seen.append, mode="any")
    for _ in range(2):
        (x * y).sum().backward()
    assert len(seen) == 2
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook([x], print, mode="some")


def test_saved_tensor_hooks_pack_and_unpack():
    packed = []

    def pack(tensor):
        packed.append(tensor.shape)
        return tensor.tolist()

    x = leaf(2.0, 3.0)
    with graph.saved_tensors_hooks(pack, torch.tensor):
        y = x * x
    (y * 1).sum().backward()
    assert packed == [x.shape, x.shape]
    assert_close(x.grad, torch.tensor([4.0, 6.0]))


def test_save_on_cpu():
    x = leaf(2.0)
    with graph.save_on_cpu():
        y = x * x
    y.backward()
    assert_close(x.grad, torch.tensor([4.0]))


def test_saved_tensor_hooks_can_be_refused():
    with graph.disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"):
            with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                pass
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        with pytest.raises(RuntimeError, match="too late"):
            with graph.disable_saved_tensors_hooks("too late"):
                pass
    with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        pass


def test_changed_saved_tensors_are_noticed():
    x = leaf(2.0)
    y = x.exp()
    graph.increment_version(y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_anomaly_mode_is_scoped_and_finds_nan():
    with torch.autograd.set_detect_anomaly(True):
        assert torch.is_anomaly_enabled()
    assert not torch.is_anomaly_enabled()
    x = leaf(0.0)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        with pytest.raises(RuntimeError, match="returned nan values"):
            (x.sqrt() * 0).sum().backward()


def test_handles_survive_pickling_and_repeated_removal():
    hooks = OrderedDict()
    with RemovableHandle(hooks) as handle:
        hooks[handle.id] = 1
    assert not hooks
    handle.remove()
    other = RemovableHandle(hooks)
    copied = pickle.loads(pickle.dumps(other))
    assert copied.id == other.id


def test_hooks_of_leaves_nodes_run_around_the_sum():
    x = leaf(1.0)
    node, log = graph.get_gradient_edge(x).node, []
    x.register_hook(lambda g: log.append("tensor"))
    node.register_prehook(lambda grads: log.append("before"))
    x.register_post_accumulate_grad_hook(lambda t: log.append("accumulated"))
    node.register_hook(lambda inputs, grads: log.append(("after", grads[0].tolist())))
    (x * 2).sum().backward()
    assert log == ["tensor", "before", "accumulated", ("after", [2.0])]


def test_grad_runs_hooks_of_tensors_but_not_those_of_nodes_it_ends_at():
    a = leaf(1.0)
    b = a * 2
    log = []
    b.register_hook(lambda g: log.append("tensor"))
    b.grad_fn.register_prehook(lambda grads: log.append("before"))
    b.grad_fn.register_hook(lambda inputs, grads: log.append("after"))
    loss = (b * 2).sum()
    torch.autograd.grad(loss, b, retain_graph=True)
    assert log == ["tensor"]
    torch.autograd.backward(loss, inputs=[b])
    assert log == ["tensor", "tensor", "before", "after"]


def test_a_hook_after_accumulation_may_return_its_tensor():
    x = leaf(1.0)
    x.register_post_accumulate_grad_hook(lambda p: p.sub_(p.grad, alpha=0.5))
    x.sum().backward()
    assert (x.item(), x.grad.item()) == (0.5, 1.0)


def test_hooks_are_refused_what_they_may_not_do():
    x = leaf(1.0)
    for returned, error in ((torch.ones(1), RuntimeError), (1, TypeError)):
        hook = x.register_post_accumulate_grad_hook(lambda t, returned=returned: returned)
        with pytest.raises(error, match="has to return None"):
            x.sum().backward()
        hook.remove()
    with graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t):
        with pytest.raises(RuntimeError, match="in place"):
            leaf(1.0).exp()


@pytest.mark.parametrize("change", ["double", "long", "narrow", "sum"])
@pytest.mark.parametrize("place", ["leaf", "tensor", "before", "after"])
def test_hooks_replace_gradients_by_their_like(place, change):
    changes = {
        "double": lambda g: g.double(),
        "long": lambda g: g.long(),
        "narrow": lambda g: g[:1],
        "sum": lambda g: g.sum(),
    }
    hook = changes[change]
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    z = y * 3
    if place == "before":
        y.grad_fn.register_prehook(lambda grads: (hook(grads[0]),))
    elif place == "after":
        z.grad_fn.register_hook(lambda grads, outputs: (hook(grads[0]), *grads[1:]))
    else:
        (x if place == "leaf" else y).register_hook(hook)
    with pytest.raises(RuntimeError, match="hook"):
        z.sum().backward()


def test_pack_hooks_see_the_tensors_themselves():
    seen = []

    def pack(x):
        seen.append(x)
        return x

    leaf = torch.ones(2, requires_grad=True)
    part = leaf * 2
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        out = part * leaf
    assert {id(x) for x in seen} == {id(part), id(leaf)}
    out.sum().backward()
    assert leaf.grad.tolist() == [4, 4]


def test_hooks_by_their_number():
    x = torch.ones(2, requires_grad=True)
    assert torch.ones(2)._backward_hooks is None
    handle = x.register_hook(lambda g: g * 3)
    assert list(x._backward_hooks) == [handle.id]
    x.sum().backward()
    assert x.grad.tolist() == [3, 3]
    x._backward_hooks = None
    x.sum().backward()
    assert x.grad.tolist() == [4, 4]


def test_saved_tensors_may_be_changed_where_that_is_allowed():
    with graph.allow_mutation_on_saved_tensors():
        x = torch.arange(4.0, requires_grad=True)
        y = x.clone()
        out = (y**3).sum() + y.exp().sum()
        y[:2] = 7
        y.sin_()
        (g,) = torch.autograd.grad(out, x, create_graph=True)
        assert_close(g, 3 * x**2 + x.exp())
        assert_close(torch.autograd.grad(g.sum(), x)[0], 6 * x + x.exp())


def test_what_was_saved_is_gone_after_the_block():
    with graph.allow_mutation_on_saved_tensors() as ctx:
        x = leaf(1.0)
        outs = [(x.clone() ** 2).sum() for _ in range(2)]
        with pytest.raises(RuntimeError):
            with graph.allow_mutation_on_saved_tensors():
                pass
        ctx.clear()
        with pytest.raises(AssertionError):
            outs[0].backward()
    with pytest.raises(AssertionError):
        outs[1].backward()
