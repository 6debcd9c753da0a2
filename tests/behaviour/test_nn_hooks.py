"""Hooks of modules: order, replacement, removal, gradients, hooks of all modules."""

import copy

import pytest
import rushlight as rl

nn = rl.nn


class Scaled(nn.Module):
    def forward(self, x, scale=1.0):
        if scale is None:
            raise ValueError("no scale")
        return x * scale


def test_forward_hooks_run_in_order_and_replace():
    log, layer = [], Scaled()
    layer.register_forward_pre_hook(lambda m, args: log.append("second"))
    layer.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"scale": 3.0}), with_kwargs=True, prepend=True
    )
    layer.register_forward_hook(lambda m, args, out: out + 1)
    layer.register_forward_hook(
        lambda m, args, kwargs, out: log.append(kwargs["scale"]), with_kwargs=True
    )
    assert layer(rl.ones(1)).item() == 4.0
    assert log == ["second", 3.0]


def test_removed_hooks_do_not_run():
    layer, calls = Scaled(), []
    with layer.register_forward_hook(lambda *a: calls.append(1)):
        layer(rl.ones(1))
    layer(rl.ones(1))
    assert calls == [1]


def test_hooks_put_into_the_table_by_hand_run():
    layer, calls = Scaled(), []
    layer._forward_hooks[0] = lambda *a: calls.append(1)
    layer(rl.ones(1))
    layer._forward_hooks.clear()
    layer(rl.ones(1))
    assert calls == [1]


def test_always_call_runs_after_an_exception():
    layer, seen = Scaled(), []
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="no scale"):
        layer(rl.ones(1), scale=None)
    assert seen == [None]


def test_full_backward_hooks_see_and_replace_gradients():
    log, layer, x = [], Scaled(), rl.ones(2, requires_grad=True)
    layer.register_full_backward_pre_hook(lambda m, grads: (grads[0] * 2,))
    layer.register_full_backward_hook(
        lambda m, gi, go: (log.append(go[0].tolist()), (gi[0] + 1,))[1]
    )
    layer(x, scale=3.0).sum().backward()
    assert log == [[2.0, 2.0]]
    assert x.grad.tolist() == [7.0, 7.0]


def test_backward_kinds_do_not_mix():
    layer = Scaled()
    layer.register_full_backward_hook(lambda *a: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full"):
        layer.register_backward_hook(lambda *a: None)


def test_hooks_of_all_modules():
    from rushlight.nn.modules.module import register_module_forward_hook

    names, net = [], nn.Sequential(nn.ReLU(), nn.Tanh())
    with register_module_forward_hook(lambda m, args, out: names.append(type(m).__name__)):
        net(rl.ones(1))
    net(rl.ones(1))
    assert names == ["ReLU", "Tanh", "Sequential"]


def test_hooks_are_copied_with_the_module():
    layer, calls = Scaled(), []
    layer.register_forward_hook(lambda *a: calls.append(1))
    twin = copy.deepcopy(layer)
    layer._forward_hooks.clear()
    layer(rl.ones(1))
    twin(rl.ones(1))
    assert calls == [1]


def test_state_dict_hooks():
    log, net = [], nn.Sequential(nn.Linear(1, 1))
    net.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(prefix))
    net.register_state_dict_post_hook(lambda m, state, prefix, local: state.update(new=1))
    net.register_load_state_dict_pre_hook(lambda m, state, *rest: state.pop("new"))
    net.register_load_state_dict_post_hook(lambda m, keys: log.append(keys.missing_keys))
    assert list(net.state_dict()) == ["0.weight", "0.bias", "new"]
    net.load_state_dict(net.state_dict())
    assert log == ["", "", []]


def test_backward_hooks_warn_of_outputs_that_they_do_not_see():
    class Named(rl.nn.Module):
        def forward(self, x):
            return {"x": x * 2}

    net, calls = Named(), []
    net.register_full_backward_hook(lambda *args: calls.append(args))
    with pytest.warns(UserWarning, match="dict"):
        out = net(rl.ones(2, requires_grad=True))["x"]
    out.sum().backward()
    assert not calls
