"""Steps of all parameters in one native pass equal steps of one parameter after the other, and what
the flags of optimizers ask for.
"""

import pytest

import rushlight as rl
from rushlight.ops import internal

OPTIONS = {
    "plain": (rl.optim.SGD, {}),
    "decay": (rl.optim.SGD, {"weight_decay": 0.1, "maximize": True}),
    "momentum": (rl.optim.SGD, {"momentum": 0.9, "dampening": 0.5}),
    "nesterov": (rl.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    "adam": (rl.optim.Adam, {}),
    "amsgrad": (rl.optim.Adam, {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    "rmsprop": (rl.optim.RMSprop, {"weight_decay": 0.1, "maximize": True}),
    "rmsprop with momentum": (rl.optim.RMSprop, {"momentum": 0.9}),
    "rmsprop centered": (rl.optim.RMSprop, {"centered": True, "momentum": 0.9}),
    "adagrad": (rl.optim.Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}),
    "adadelta": (rl.optim.Adadelta, {"weight_decay": 0.1, "maximize": True}),
    "adamax": (rl.optim.Adamax, {"weight_decay": 0.1}),
    "nadam": (rl.optim.NAdam, {"weight_decay": 0.1, "maximize": True}),
    "nadam, decoupled": (rl.optim.NAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "radam": (rl.optim.RAdam, {"weight_decay": 0.1, "betas": (0.8, 0.9)}),
    "radam, decoupled": (rl.optim.RAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    "adamw": (rl.optim.AdamW, {"betas": (rl.tensor(0.8), rl.tensor(0.95))}),
}


def parameters():
    """Large, small, empty, strided, in low precision, complex; the last has no gradient."""
    rl.manual_seed(0)
    made = [rl.randn(n) for n in (1, 70000, 0, 3)]
    made += [rl.randn(4, 3).t(), rl.randn(5, dtype=rl.float64), rl.randn(5).bfloat16()]
    made += [rl.randn(3, dtype=rl.complex64), rl.randn(2)]
    return [rl.nn.Parameter(p) for p in made]


def trained(cls, options, **flags):
    params = parameters()
    optimizer = cls(params, lr=rl.tensor(0.01), **options, **flags)
    for turn in range(7):
        for i, param in enumerate(params[:-1]):
            param.grad = (param.detach() * (turn - 1.5) + i).clone()
        optimizer.step()
    state = [v for p in params for v in optimizer.state[p].values() if v is not None]
    return [p.detach() for p in params] + state


@pytest.mark.parametrize("name", OPTIONS)
def test_one_pass_and_one_by_one_agree(name):
    cls, options = OPTIONS[name]
    for a, b in zip(trained(cls, options), trained(cls, options, foreach=False)):
        rl.testing.assert_close(a, b, rtol=1e-6, atol=5e-7)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_pass_is_taken_and_the_kernel_equals_the_definition(name, monkeypatch):
    cls, options = OPTIONS[name]
    step = "adam_step" if cls is rl.optim.AdamW else cls.__name__.lower() + "_step"
    taken = []
    kernel, body = internal[step], internal[step].record.reference
    monkeypatch.setitem(internal, step, lambda *args: taken.append(len(args[0])) or kernel(*args))
    natively = trained(cls, options)
    assert taken and max(taken) == 5
    monkeypatch.setitem(internal, step, lambda *args: taken.append("body") or body(*args))
    by_definition = trained(cls, options)
    assert "body" in taken
    for a, b in zip(natively, by_definition):
        rl.testing.assert_close(a, b, rtol=1e-6, atol=5e-7)
    taken.clear()
    trained(cls, options, foreach=False)
    assert not taken


def test_changed_parameters_are_noticed_by_graphs_that_saved_them():
    p = rl.nn.Parameter(rl.ones(3))
    optimizer = rl.optim.Adam([p])
    loss = (p * p).sum()
    p.grad = rl.ones(3)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified"):
        loss.backward()


def test_lists_that_do_not_fit_are_refused():
    one, two = rl.ones(1), rl.ones(2)
    with pytest.raises(RuntimeError, match="contiguous"):
        internal["sgd_step"]([two], [one], [], 0.1, 0.0, 0.0, 0.0, False, False)
    with pytest.raises(RuntimeError, match="there are 1"):
        internal["sgd_step"]([two], [two, two], [], 0.1, 0.0, 0.0, 0.0, False, False)
    with pytest.raises(NotImplementedError, match="int64"):
        whole = rl.ones(2, dtype=rl.int64)
        internal["sgd_step"]([whole], [whole], [], 0.1, 0.0, 0.0, 0.0, False, False)


def test_flags_that_cannot_be_met_are_refused():
    p = rl.nn.Parameter(rl.ones(2))
    p.grad = rl.ones(2)
    for name in ("Adam", "AdamW", "RMSprop", "Adadelta", "NAdam", "RAdam", "Rprop", "ASGD"):
        with pytest.raises(AssertionError, match="capturable"):
            getattr(rl.optim, name)([p], capturable=True).step()
    number = rl.nn.Parameter(rl.ones(2, dtype=rl.complex64))
    for name in ("SGD", "Adam", "AdamW", "Adagrad"):
        cls = getattr(rl.optim, name)
        with pytest.raises(RuntimeError, match="floating point"):
            cls([number], fused=True)
        with pytest.raises(RuntimeError, match="together"):
            cls([p], fused=True, foreach=True)
        assert cls([p], fused=True)._step_supports_amp_scaling


def test_fused_steps_take_the_scale_of_a_scaler():
    results = []
    for fused in (True, False):
        p = rl.nn.Parameter(rl.ones(2))
        optimizer = rl.optim.Adam([p], lr=0.1, fused=fused)
        scaler = rl.amp.GradScaler("cpu", init_scale=4.0)
        for factor in (1.0, float("inf"), 2.0):
            optimizer.zero_grad()
            scaler.scale((p * factor).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
        results.append((p.detach(), optimizer.state[p]["step"], scaler.get_scale()))
    rl.testing.assert_close(*results)
    assert results[0][1] == 2 and not hasattr(optimizer, "found_inf")
