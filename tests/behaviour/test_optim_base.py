"""`Optimizer`: groups, validation, state dicts, hooks."""

import copy

import pytest
import rushlight as rl


def parameter(*shape):
    return rl.ones(*shape, requires_grad=True)


def stepped(optimizer, *params):
    for p in params:
        p.grad = rl.ones_like(p)
    optimizer.step()
    return optimizer


def test_groups_and_defaults():
    a, b = parameter(1), parameter(2)
    opt = rl.optim.SGD([{"params": a}, {"params": [b], "lr": 0.5}], lr=0.1)
    assert [g["lr"] for g in opt.param_groups] == [0.1, 0.5]
    assert "SGD (\nParameter Group 0\n    dampening: 0\n" in repr(opt)


@pytest.mark.parametrize(
    "params, kind, text",
    [
        ([], ValueError, "empty parameter list"),
        (rl.ones(1), TypeError, "should be an iterable"),
        ([3], TypeError, "can only optimize Tensors"),
        ([{"params": {rl.ones(1)}}], TypeError, "ordered collections"),
    ],
)
def test_bad_parameters(params, kind, text):
    with pytest.raises(kind, match=text):
        rl.optim.SGD(params, lr=0.1)


def test_non_leaf_and_repeated_parameters_are_refused():
    p = parameter(1)
    with pytest.raises(ValueError, match="non-leaf"):
        rl.optim.SGD([p * 2], lr=0.1)
    opt = rl.optim.SGD([p], lr=0.1)
    with pytest.raises(ValueError, match="more than one parameter group"):
        opt.add_param_group({"params": [p]})


@pytest.mark.parametrize(
    "name, options",
    [
        ("SGD", {"lr": -1}),
        ("SGD", {"nesterov": True}),
        ("Adam", {"betas": (1.0, 0.9)}),
        ("Adam", {"eps": -1}),
        ("RMSprop", {"alpha": -1}),
        ("Rprop", {"etas": (1.0, 0.5)}),
    ],
)
def test_bad_options(name, options):
    with pytest.raises(ValueError):
        getattr(rl.optim, name)([parameter(1)], **options)


def test_state_dict_round_trip_continues_the_run():
    a, b = parameter(2), parameter(2)
    first = stepped(rl.optim.Adam([a]), a)
    second = rl.optim.Adam([b])
    with rl.no_grad():
        b.copy_(a)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    stepped(first, a)
    stepped(second, b)
    assert rl.equal(a, b)
    state = first.state_dict()
    assert state["param_groups"][0]["params"] == [0]
    assert set(state["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}


def test_loading_casts_state_but_not_the_step():
    a, b = parameter(2), rl.ones(2, dtype=rl.float64, requires_grad=True)
    saved = stepped(rl.optim.Adam([a]), a).state_dict()
    opt = rl.optim.Adam([b])
    opt.load_state_dict(saved)
    assert opt.state[b]["exp_avg"].dtype == rl.float64
    assert opt.state[b]["step"].dtype == rl.float32


def test_loading_other_groups_is_refused():
    one, two = rl.optim.SGD([parameter(1)]), rl.optim.SGD([parameter(1), parameter(1)])
    with pytest.raises(ValueError, match="doesn't match the size"):
        one.load_state_dict(two.state_dict())


def test_zero_grad():
    p = parameter(2)
    opt = rl.optim.SGD([p])
    p.grad = rl.ones(2)
    opt.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0, 0.0]
    opt.zero_grad()
    assert p.grad is None


def test_step_hooks():
    log, p = [], parameter(1)
    opt = rl.optim.SGD([p])
    before = opt.register_step_pre_hook(lambda o, args, kwargs: log.append("before"))
    opt.register_step_post_hook(lambda o, args, kwargs: log.append("after"))
    stepped(opt, p)
    before.remove()
    stepped(opt, p)
    assert log == ["before", "after", "after"]


def test_closure_is_called_with_gradients_enabled():
    p = parameter(1)
    opt = rl.optim.SGD([p], lr=0.5)

    def closure():
        opt.zero_grad()
        loss = (p * 3).sum()
        loss.backward()
        return loss

    with rl.no_grad():
        assert opt.step(closure).item() == 3.0
    assert p.item() == -0.5


def test_named_parameters():
    net = rl.nn.Linear(1, 1)
    opt = rl.optim.SGD(net.named_parameters(), lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_subclass_in_user_code():
    class Sign(rl.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            with rl.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p.sub_(group["lr"] * p.grad.sign())

    p = parameter(1)
    stepped(Sign([p], 0.25), p)
    assert p.item() == 0.75


def test_loading_looks_at_every_parameter_once():
    """The time of a load is that of its parameters, not of their square."""

    class Counted(int):
        compared = 0

        __hash__ = int.__hash__

        def __eq__(self, other):
            Counted.compared += 1
            return int(self) == int(other)

    params = [rl.nn.Parameter(rl.ones(1)) for _ in range(50)]
    optimizer = rl.optim.Adam(params, fused=True)
    for param in params:
        param.grad = rl.ones(1)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"] = {Counted(i): s for i, s in saved["state"].items()}
    optimizer.load_state_dict(saved)
    assert Counted.compared <= 4 * len(params)
    assert all(s["step"].dtype == rl.float32 for s in optimizer.state.values())


def test_groups_are_the_dicts_that_were_given():
    weight = rl.nn.Parameter(rl.ones(2))
    group = {"params": (p for p in [weight])}
    optimizer = rl.optim.SGD([group], lr=0.5)
    assert optimizer.param_groups[0] is group
    assert group["params"] == [weight] and group["lr"] == 0.5
