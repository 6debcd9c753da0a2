"""Calling a module goes to `forward` however that is found, and to whatever stands for the call."""

import rushlight as rl
from rushlight import nn


class Gather(nn.Module):
    def forward(self, *args, **kwargs):
        return args, kwargs


def test_arguments_arrive():
    module = Gather()
    assert module() == ((), {})
    assert module(1, 2, key=3) == ((1, 2), {"key": 3})
    assert module(*range(20)) == (tuple(range(20)), {})


def test_a_forward_of_the_instance_or_none_of_a_function():
    module = Gather()
    module.forward = lambda x: x + 1
    assert module(1) == 2
    del module.forward
    assert module(1) == ((1,), {})

    class Static(nn.Module):
        @staticmethod
        def forward(x):
            return x

    assert Static()(5) == 5


def test_a_class_may_call_its_own_way():
    class Other(Gather):
        def __call__(self, *args):
            return "other", super().__call__(*args)

    assert Other()(1) == ("other", ((1,), {}))
    assert type("Below", (Other,), {})()(1) == ("other", ((1,), {}))


def test_another_call_of_the_base_class_is_followed(monkeypatch):
    module, seen = Gather(), []
    original = nn.Module.__call__

    def watched(self, *args, **kwargs):
        seen.append(type(self).__name__)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(nn.Module, "__call__", watched)
    module(1)
    type("Later", (Gather,), {})()(1)
    monkeypatch.undo()
    module(1)
    assert seen == ["Gather", "Later"]


def test_hooks_run_when_they_are_added_later():
    module, seen = Gather(), []
    module(1)
    handle = module.register_forward_hook(lambda m, args, result: seen.append(args))
    module(2)
    handle.remove()
    assert seen == [(2,)]


def test_errors_name_forward():
    try:
        nn.Identity()()
    except TypeError as error:
        assert "forward() missing 1 required positional argument" in str(error)
    else:
        raise AssertionError("an argument was missing")


def test_grad_modes_are_contexts_and_decorators():
    x = rl.ones(2, requires_grad=True)
    with rl.no_grad():
        assert not (x * 2).requires_grad
        with rl.enable_grad():
            assert (x * 2).requires_grad
    assert rl.is_grad_enabled()

    @rl.no_grad
    def bare(y):
        return y * 2

    @rl.enable_grad()
    def called(y):
        return y * 2

    assert not bare(x).requires_grad
    assert not rl.no_grad(orig_func=lambda y: y * 2)(x).requires_grad
    with rl.no_grad():
        assert called(x).requires_grad and not rl.is_grad_enabled()
    mode = rl.no_grad()
    try:
        with mode:
            raise KeyError
    except KeyError:
        pass
    assert rl.is_grad_enabled() and mode.prev is True
