"""`Module`: registration, names, state dicts, conversions, copies; and the containers."""

import collections
import copy
import pickle

import pytest
import rushlight as rl

nn = rl.nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 4)
        self.b = nn.Linear(4, 2)
        self.shared = self.a
        self.register_buffer("kept", rl.ones(2))
        self.register_buffer("dropped", rl.zeros(1), persistent=False)
        self.scale = nn.Parameter(rl.ones(2))
        self.register_parameter("absent", None)
        self.plain = 5

    def forward(self, x):
        return self.b(self.a(x).relu()) * self.scale + self.kept


def test_names_are_deduplicated():
    net = Net()
    names = ["scale", "a.weight", "a.bias", "b.weight", "b.bias"]
    assert [n for n, _ in net.named_parameters()] == names
    assert len(list(net.named_parameters(remove_duplicate=False))) == 7
    assert [n for n, _ in net.named_modules()] == ["", "a", "b"]
    assert list(net.state_dict()) == [
        "scale",
        "kept",
        "a.weight",
        "a.bias",
        "b.weight",
        "b.bias",
        "shared.weight",
        "shared.bias",
    ]
    assert dict(net.state_dict()._metadata)["a"] == {"version": 1}


@pytest.mark.parametrize(
    "name, value, kind",
    [
        ("a", 3, "child module"),
        ("scale", 3.0, "parameter"),
        ("scale", rl.ones(1), "parameter"),
        ("kept", 3, "buffer"),
    ],
)
def test_registered_names_only_take_their_kind(name, value, kind):
    with pytest.raises(TypeError, match=f"as {kind} '{name}'"):
        setattr(Net(), name, value)


def test_assignment_moves_a_name_between_tables():
    net = Net()
    net.plain = nn.Parameter(rl.zeros(1))
    assert "plain" in net._parameters and "plain" not in net.__dict__
    net.plain = None
    assert net._parameters["plain"] is None
    net.a = None
    assert net._modules["a"] is None
    net.extra = nn.Buffer(rl.ones(1), persistent=False)
    assert "extra" in net._buffers and "extra" not in net.state_dict()
    del net.extra
    assert not hasattr(net, "extra")


def test_bad_registrations():
    net = Net()
    with pytest.raises(KeyError, match="already exists"):
        net.register_buffer("plain", None)
    with pytest.raises(KeyError, match='contain "."'):
        net.register_parameter("x.y", None)
    with pytest.raises(TypeError, match="not a Module subclass"):
        net.add_module("m", 3)
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'nope'"):
        _ = net.nope
    with pytest.raises(TypeError, match="unexpected keyword argument 'x'"):
        nn.Module(x=1)


def test_assignment_before_init_is_explained():
    class Early(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="cannot assign module before Module.__init__"):
        Early()


def test_load_state_dict_reports_every_problem():
    net, state = Net(), dict(Net().state_dict())
    del state["b.bias"]
    state["extra"] = rl.ones(1)
    state["b.weight"] = rl.ones(3, 3)
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    text = str(error.value)
    assert 'Missing key(s) in state_dict: "b.bias"' in text
    assert 'Unexpected key(s) in state_dict: "extra"' in text
    assert "size mismatch for b.weight" in text
    del state["b.weight"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["b.weight", "b.bias"]
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"


def test_load_copies_and_assign_replaces():
    net, given = nn.Linear(2, 2), {k: v.double() for k, v in nn.Linear(2, 2).state_dict().items()}
    weight = net.weight
    net.load_state_dict(given)
    assert net.weight is weight and weight.dtype == rl.float32
    net.load_state_dict(given, assign=True)
    assert net.weight is not weight and net.weight.dtype == rl.float64


def test_a_number_is_loaded_from_a_vector():
    net = nn.Module()
    net.scale = nn.Parameter(rl.tensor(0.0))
    net.load_state_dict({"scale": rl.tensor([2.0, 3.0])})
    assert net.scale.item() == 2


def test_extra_state():
    class Counter(nn.Module):
        count = 3

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    net = nn.Sequential(Counter())
    assert dict(net.state_dict()) == {"0._extra_state": {"count": 3}}
    net.load_state_dict({"0._extra_state": {"count": 7}})
    assert net[0].count == 7
    with pytest.raises(RuntimeError, match="_extra_state"):
        net.load_state_dict({})


def test_conversions_keep_parameter_objects_and_gradients():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[0](rl.ones(1, 2)).sum().backward()
    weight = net[0].weight
    net.double()
    assert net[0].weight is weight
    assert weight.dtype == weight.grad.dtype == rl.float64
    assert net[1].num_batches_tracked.dtype == rl.int64
    with pytest.raises(TypeError, match="floating point or complex"):
        net.to(rl.int32)


def test_submodules_by_path():
    net = nn.Sequential(nn.Sequential(nn.Linear(1, 2)))
    assert net.get_submodule("0.0") is net[0][0]
    assert net.get_parameter("0.0.weight") is net[0][0].weight
    with pytest.raises(AttributeError, match="has no attribute `7`"):
        net.get_submodule("0.7")
    net.set_submodule("0.0", nn.ReLU())
    assert repr(net[0][0]) == "ReLU()"


def test_copies_are_independent():
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.shared is twin.a and twin.a is not net.a
        assert rl.equal(twin.a.weight, net.a.weight)
        assert type(twin.scale) is nn.Parameter


class Slotted(nn.Module):
    __slots__ = ("note",)


class Forgetful(nn.Module):
    def __getstate__(self):
        return {**self.__dict__, "cache": None}


class Listed(nn.Module, list):
    pass


def test_a_class_may_have_a_say_in_its_copies():
    slotted, forgetful, listed = Slotted(), Forgetful(), Listed()
    forgetful.cache = object()
    listed.append([1])
    assert copy.deepcopy(forgetful).cache is None
    twin = copy.deepcopy(listed)
    assert twin == [[1]] and twin[0] is not listed[0]
    assert copy.deepcopy(slotted).__dict__.keys() == slotted.__dict__.keys()


def test_copies_keep_what_is_shared_within_them():
    net, table = Net(), [rl.ones(1)]
    net.plain = rl.arange(3)
    net.first, net.second, net.view = table, table, net._parameters
    twin = copy.deepcopy(net)
    assert twin.first is twin.second and twin.first is not table
    assert twin.view is twin._parameters and twin.first[0] is not table[0]
    assert list(twin.__dict__) == list(net.__dict__) and rl.equal(twin.plain, net.plain)
    pair = copy.deepcopy({"net": net, "weight": net.a.weight})
    assert pair["weight"] is pair["net"].a.weight


def test_a_fitting_state_and_one_of_another_dtype_load_alike():
    for dtype in (rl.float32, rl.float64):
        net, state = Net(), {k: v.to(dtype) + 1 for k, v in Net().state_dict().items()}
        assert str(net.load_state_dict(state)) == "<All keys matched successfully>"
        for name, value in net.state_dict().items():
            assert value.dtype == rl.float32 and rl.equal(value, state[name].float())
    with pytest.raises(RuntimeError, match="Unexpected key"):
        net.load_state_dict({**state, "more": rl.ones(1)})
    assert net.load_state_dict({**state, "more": rl.ones(1)}, strict=False)[1] == ["more"]


def test_parameter_looks_and_copies():
    p = nn.Parameter(rl.ones(2))
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert type(p + 1) is rl.Tensor
    assert isinstance(p, nn.Parameter) and not isinstance(rl.ones(1), nn.Parameter)
    assert isinstance(nn.Buffer(rl.ones(1)), nn.Buffer)


def test_sequential():
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    net.append(nn.Linear(1, 2)).insert(1, nn.Sigmoid())
    assert [type(m).__name__ for m in net] == ["ReLU", "Sigmoid", "Tanh", "Linear"]
    del net[0]
    assert list(net._modules) == ["0", "1", "2"]
    assert len(net * 2) == 6 and len(net + net) == 6 and len(net[1:]) == 2
    with pytest.raises(IndexError, match="out of range"):
        net[5]


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Tanh()])
    assert repr(layers) == "ModuleList(\n  (0-1): 2 x ReLU()\n  (2): Tanh()\n)"
    layers.insert(0, nn.Linear(1, 1))
    layers.pop(1)
    assert len(layers) == 3 and list(layers.state_dict()) == ["0.weight", "0.bias"]
    named = nn.ModuleDict({"a": nn.ReLU()})
    named.update([["b", nn.Linear(1, 1)]])
    assert list(named) == ["a", "b"] and list(named.state_dict()) == ["b.weight", "b.bias"]


def test_parameter_list_and_dict():
    params = nn.ParameterList([rl.zeros(2, 3), 3])
    assert repr(params) == (
        "ParameterList(\n    (0): Parameter containing: "
        "[torch.float32 of size 2x3]\n    (1): Object of type: int\n)"
    )
    assert list(params.append(rl.ones(1)).state_dict()) == ["0", "2"]
    named = nn.ParameterDict({"a": rl.zeros(2)})
    named["b"] = nn.Parameter(rl.ones(1))
    assert list(named.keys()) == ["a", "b"] and named.pop("a").requires_grad


class OneByOne(nn.Module):
    """Has a way of its own, which is the general one."""

    def state_dict(self, *args, **kwargs):
        return super().state_dict(*args, **kwargs)


def _tree(kind):
    class Branch(kind):
        def __init__(self, below=None):
            super().__init__()
            self.weight = nn.Parameter(rl.arange(4.0).reshape(2, 2))
            self.register_parameter("absent", None)
            self.register_buffer("count", rl.tensor(3))
            self.register_buffer("later", None)
            self.register_buffer("dropped", rl.zeros(1), persistent=False)
            self.below = below
            self.rest = nn.Sequential(nn.ReLU(), nn.BatchNorm1d(2))
            self.rest._modules["gone"] = None

    Branch._version = 7
    return Branch(Branch())


@pytest.mark.parametrize("keep_vars", [False, True])
@pytest.mark.parametrize("prefix", ["", "net."])
def test_a_walk_saves_what_each_module_would(keep_vars, prefix):
    plain, other = _tree(nn.Module), _tree(OneByOne)
    saved = plain.state_dict(prefix=prefix, keep_vars=keep_vars)
    expected = other.state_dict(prefix=prefix, keep_vars=keep_vars)
    assert list(saved) == list(expected) and saved._metadata == expected._metadata
    assert list(saved._metadata) == list(expected._metadata)
    for name, tensor in saved.items():
        assert rl.equal(tensor, expected[name])
        assert tensor.requires_grad == (keep_vars and expected[name].requires_grad)
    assert saved[prefix + "weight"].data_ptr() == plain.weight.data_ptr()
    assert (saved[prefix + "weight"] is plain.weight) == keep_vars


def test_a_walk_adds_to_the_destination_it_is_given():
    class Noting(dict):
        pass

    for destination in ({"before": 1}, Noting(before=1)):
        assert _tree(nn.Module).state_dict(destination=destination) is destination
        assert list(destination)[:3] == ["before", "weight", "count"]
        assert not hasattr(destination, "_metadata")


def test_a_table_that_changes_while_it_is_saved_is_an_error():
    net = nn.Sequential(nn.ReLU())

    class Growing(nn.Module):
        def state_dict(self, *args, **kwargs):
            net.add_module(str(len(net)), nn.ReLU())
            return super().state_dict(*args, **kwargs)

    net.append(Growing())
    with pytest.raises(RuntimeError, match="changed size during iteration"):
        net.state_dict()


@pytest.mark.parametrize("change", ["name", "missing", "shape", "dtype", "meta", "object", "none"])
def test_a_walk_loads_all_or_leaves_it_to_the_longer_way(change):
    plain, other = _tree(nn.Module), _tree(OneByOne)
    outcomes = []
    for net in (plain, other):
        given = {name: tensor + 1 for name, tensor in net.state_dict().items()}
        if change == "name":
            given["more"] = rl.ones(1)
        elif change == "missing":
            del given["below.weight"]
        elif change == "shape":
            given["below.weight"] = rl.ones(3)
        elif change == "dtype":
            given["below.weight"] = given["below.weight"].double()
        elif change == "meta":
            given["below.weight"] = rl.empty(2, 2, device="meta")
        elif change == "object":
            given["below.weight"] = 3
        try:
            outcomes.append(str(net.load_state_dict(given)))
        except Exception as error:  # noqa: BLE001
            outcomes.append((type(error), str(error).replace("OneByOne", "")))
    assert outcomes[0] == outcomes[1]
    for one, two in zip(plain.state_dict().values(), other.state_dict().values()):
        assert rl.equal(one, two)
    assert plain.weight.requires_grad and plain.weight.grad_fn is None


def test_a_copy_keeps_what_is_shared_and_what_a_member_makes_of_itself():
    class Own(nn.Module):
        def __deepcopy__(self, memo):
            twin = type(self)()
            twin.note = "made by itself"
            return twin

    net = _tree(nn.Module)
    net.own, net.again = Own(), net.below
    net.rest[0].weight = net.weight
    net.names = net._non_persistent_buffers_set
    twin = copy.deepcopy(net)
    assert twin.own.note == "made by itself" and twin.again is twin.below is not net.below
    assert twin.rest[0].weight is twin.weight is not net.weight
    assert twin.names is twin._non_persistent_buffers_set == {"dropped"}
    assert twin.names is not net.names
    assert rl.equal(twin.weight, net.weight) and twin.weight.data_ptr() != net.weight.data_ptr()
    net.weight.__deepcopy__ = lambda memo: "asked"
    assert copy.deepcopy(net)._parameters["weight"] == "asked"


def test_a_frozen_transposed_parameter_is_copied_as_it_lies():
    layer = nn.Linear(3, 2)
    layer.weight = nn.Parameter(rl.arange(6.0).reshape(3, 2).t(), requires_grad=False)
    twin = copy.deepcopy(layer)
    assert twin.weight.stride() == (1, 2) and not twin.weight.requires_grad
    assert type(twin.weight) is nn.Parameter and rl.equal(twin.weight, layer.weight)


def test_a_module_that_holds_itself_has_no_state():
    net = nn.Linear(2, 2)
    state = net.state_dict()
    net.inner = net
    with pytest.raises(RecursionError):
        net.state_dict()
    with pytest.raises(RecursionError):
        net.load_state_dict({f"inner.{name}": value for name, value in state.items()})


def test_conversions_may_put_new_parameters():
    net, again = rl.nn.Linear(1, 1), rl.__future__.get_overwrite_module_params_on_conversion
    before = net.weight
    assert net.double().weight is before
    rl.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        assert again() and net.float().weight is not before
        assert isinstance(net.weight, rl.nn.Parameter) and before.dtype is rl.float64
    finally:
        rl.__future__.set_overwrite_module_params_on_conversion(False)
    assert not rl.__future__.get_swap_module_params_on_conversion()


def test_refusals_of_names_in_use_and_of_copies():
    net = rl.nn.Module()
    net.taken = 5
    with pytest.raises(KeyError, match="taken"):
        net.taken = rl.nn.Buffer(rl.ones(1))
    assert net.taken == 5
    with pytest.raises(RuntimeError, match="copy"):
        net.to("cpu", copy=True)
    for factor in (1e20, -1e20):
        with pytest.raises(RuntimeError, match="scale_factor"):
            rl.nn.functional.interpolate(rl.ones(1, 1, 4, 4), scale_factor=factor, mode="bilinear")


def test_parameter_dicts_take_plain_dictionaries_in_order_of_names():
    def parameters(*names):
        return {name: rl.nn.Parameter(rl.zeros(1)) for name in names}

    held = rl.nn.ParameterDict(parameters("b", "a"))
    held.update(parameters("d", "c"))
    held.update(collections.OrderedDict(parameters("f", "e")))
    held.update(parameters("h", "g").items())
    expected = ["a", "b", "c", "d", "f", "e", "h", "g"]
    assert list(held) == [name for name, _ in held.named_parameters()] == expected
    assert list(held.copy()) == list(held | rl.nn.ParameterDict()) == expected


def test_parameters_without_data_are_named_by_their_type():
    empty = rl.nn.Parameter(rl.empty(2, device="meta"))
    assert "[torch.float32 of size 2]" in repr(rl.nn.ParameterList([empty]))
    assert "[torch.meta.FloatTensor of size 2]" in repr(rl.nn.ParameterDict({"a": empty}))
    assert empty.type() == "torch.meta.FloatTensor"


def test_buffers_are_registered_by_methods_that_know_no_persistence():
    class Layer(rl.nn.Module):
        def __init__(self):
            super().__init__()
            self.held = rl.nn.Buffer(rl.ones(2))

        def register_buffer(self, name, value):
            super().register_buffer(name, value)

    assert list(Layer().state_dict()) == ["held"]


def test_to_refuses_what_it_does_not_know():
    layer = rl.nn.Linear(2, 2)
    for args, kwargs in (
        ((rl.device("cpu"), True), {}),
        ((None, True), {}),
        ((), {"other": rl.ones(1)}),
        ((rl.float32, 3), {}),
    ):
        with pytest.raises(TypeError):
            layer.to(*args, **kwargs)
    with pytest.warns(UserWarning, match="Complex"):
        assert layer.to(rl.complex64).weight.dtype == rl.complex64


def test_parameters_of_another_layout_are_new_ones():
    layer = rl.nn.Linear(3, 2, bias=False)
    old = layer.weight
    layer._apply(lambda t: t.detach().to_sparse())
    assert layer.weight is not old and layer.weight.is_sparse and not old.is_sparse


def test_tables_of_hooks_can_be_deleted():
    layer = rl.nn.Linear(2, 2)
    del layer._forward_pre_hooks, layer._state_dict_hooks
    assert len(layer._forward_pre_hooks) == 0


def test_names_of_containers_hold_the_annotations_of_classes_derived_from_them():
    class Named(rl.nn.ModuleDict):
        taken: tuple = tuple(dir(rl.nn.ModuleDict))

    assert "__annotations__" in Named.taken
