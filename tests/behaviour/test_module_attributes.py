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


# ---- setting


class Quick(nn.Module):
    pass


class OneByOne(nn.Module):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)


OneByOne.__name__ = "Quick"  # for the messages


class Pretender:
    __class__ = nn.Linear


def _values():
    weight = nn.Parameter(rl.ones(2))
    marked = rl.ones(2)
    marked._is_buffer, marked.persistent = True, False
    recorded = nn.Parameter(rl.ones(2))
    recorded.__class__ = rl.Tensor
    return {
        "parameter": weight,
        "frozen": nn.Parameter(rl.ones(2), requires_grad=False),
        "tensor": rl.zeros(1),
        "buffer": nn.Buffer(rl.zeros(3)),
        "marked": marked,
        "module": nn.ReLU(),
        "none": None,
        "number": 3,
        "pretender": Pretender(),
        "lazy": nn.UninitializedParameter(),
        "recorded": recorded * 2,
    }


def _after(kind, steps, values):
    net = kind()
    net.register_buffer("count", values["tensor"], persistent=False)
    answers = []
    for name, value in steps:
        try:
            if value == "deleted":
                delattr(net, name)
            else:
                setattr(net, name, values[value])
            answers.append("done")
        except Exception as error:  # noqa: BLE001
            answers.append((type(error), str(error)))
    shown = {
        key: list(map(repr, table)) if isinstance(table, set) else dict(table)
        for key, table in net.__dict__.items()
        if isinstance(table, (dict, set))
    }
    return answers, shown, {k: v for k, v in net.__dict__.items() if k not in shown}


def _same(a, b):
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[k], b[k]) for k in a)
    return a is b or (not isinstance(a, rl.Tensor) and a == b)


@pytest.mark.parametrize("name", ["x", "a.b", "", "training", "forward", "_hidden", "count"])
@pytest.mark.parametrize("first", list(_values()))
def test_attributes_are_set_as_the_method_sets_them(name, first):
    values = _values()
    for second in [*values, "deleted"]:
        steps = [(name, first), (name, second), (name, first)]
        quick, slow = _after(Quick, steps, values), _after(OneByOne, steps, values)
        assert all(_same(a, b) for a, b in zip(quick[1:], slow[1:])), (first, second)
        assert quick[0] == slow[0], (first, second)


def test_before_init_nothing_can_be_registered():
    net = Plain.__new__(Plain)
    net.number = 3
    assert net.__dict__["number"] == 3
    with pytest.raises(AttributeError, match="cannot assign parameters before"):
        net.weight = nn.Parameter(rl.ones(1))
    with pytest.raises(AttributeError, match="cannot assign module before"):
        net.inner = nn.ReLU()


def test_registration_has_its_hooks_and_overrides():
    other = nn.Parameter(rl.zeros(1))
    handle = nn.modules.module.register_module_parameter_registration_hook(
        lambda module, name, parameter: other
    )
    net = Quick()
    try:
        net.weight = nn.Parameter(rl.ones(1))
    finally:
        handle.remove()
    assert net.weight is other
    net.bias = bias = nn.Parameter(rl.ones(1))
    assert net.bias is bias

    class Renaming(nn.Module):
        def register_parameter(self, name, param):
            super().register_parameter(name + "_", param)

    net = Renaming()
    net.weight = bias
    assert list(net._parameters) == ["weight_"]


def test_a_property_of_the_class_is_set():
    class Counting(nn.Module):
        seen = 0

        @property
        def level(self):
            return self.__dict__["kept"]

        @level.setter
        def level(self, value):
            self.__dict__["kept"] = value + 1

    net = Counting()
    net.level = 4
    assert net.level == 5 and "level" not in net.__dict__


def test_a_method_given_to_the_class_later_sets_attributes():
    class Late(nn.Module):
        pass

    net, seen = Late(), []
    net.first = 1

    def noted(self, name, value):
        seen.append(name)
        object.__setattr__(self, name, value)

    Late.__setattr__ = noted
    net.second = 2
    del Late.__setattr__
    net.third = nn.ReLU()
    assert seen == ["second"] and list(net._modules) == ["third"]
