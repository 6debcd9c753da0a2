"""How attributes of modules are found: in the class and the instance, then among parameters,
submodules and buffers, then by a class's own ``__getattr__``.
"""

import pytest

import rushlight as rl
from rushlight import nn


class Plain(nn.Module):
    kind = "of the class"

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(rl.ones(2))
        self.inner = nn.Linear(2, 1)
        self.register_buffer("count", rl.zeros(1))
        self.register_parameter("bias", None)
        self.number = 3

    @property
    def broken(self):
        return self.not_there


def test_registered_ones_are_found():
    net = Plain()
    assert net.weight is net._parameters["weight"] and net.inner is net._modules["inner"]
    assert net.count is net._buffers["count"] and net.bias is None and net.number == 3
    net._parameters["weight"] = replaced = nn.Parameter(rl.zeros(2))
    assert net.weight is replaced
    del net.weight
    assert not hasattr(net, "weight")


def test_what_the_class_or_the_instance_has_comes_first():
    net = Plain()
    net._buffers["kind"] = rl.zeros(1)
    assert net.kind == "of the class"
    net.__dict__["count"] = "of the instance"
    assert net.count == "of the instance"


@pytest.mark.parametrize("name", ["not_there", "broken"])
def test_missing_ones_are_named(name):
    with pytest.raises(AttributeError, match=f"'Plain' object has no attribute '{name}'"):
        getattr(Plain(), name)


def test_before_init_nothing_is_registered():
    net = Plain.__new__(Plain)
    with pytest.raises(AttributeError, match="no attribute 'weight'"):
        net.weight  # noqa: B018


class Wrapping(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)


class BelowWrapping(Wrapping):
    pass


@pytest.mark.parametrize("kind", [Wrapping, BelowWrapping])
def test_a_getattr_of_ones_own_is_asked(kind):
    net = kind(Plain())
    assert net.number == 3 and net.weight is net.inner.weight
    with pytest.raises(AttributeError, match="'Plain' object has no attribute 'nothing'"):
        net.nothing  # noqa: B018


def test_a_class_may_change_its_mind():
    class Changing(Plain):
        pass

    net = Changing()
    Changing.__getattr__ = lambda self, name: name.upper()
    assert net.nothing == "NOTHING"
    del Changing.__getattr__
    assert net.count is net._buffers["count"] and not hasattr(net, "nothing")

    Changing.__getattribute__ = lambda self, name: "all"
    assert net.number == "all"


def test_errors_in_keys_are_not_swallowed():
    with pytest.raises(TypeError):
        getattr(Plain(), 3)
