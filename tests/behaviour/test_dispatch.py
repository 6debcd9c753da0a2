"""``__torch_dispatch__``: modes, classes over other tensors, and the ops that they are shown."""

import copy
import io

import pytest

import rushlight as rl
from rushlight._dispatch import no_dispatch, own_op
from rushlight.ops._record import records
from rushlight.utils._python_dispatch import (
    BaseTorchDispatchMode,
    TorchDispatchMode,
    _disable_current_modes,
    _get_current_dispatch_mode,
    is_traceable_wrapper_subclass,
    return_and_correct_aliasing,
    transform_subclass,
)
from rushlight.utils._pytree import tree_map

F = rl.nn.functional
aten = rl.ops.aten


class Seen(TorchDispatchMode):
    """Notes what it is shown."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))

    @property
    def names(self):
        return [str(func) for func, _, _ in self.calls]


def shown(function):
    with Seen() as seen:
        function()
    return seen.names


class Wrapper(rl.Tensor):
    """Has a tensor in it, and computes with that."""

    @staticmethod
    def __new__(cls, elem, requires_grad=False):
        made = rl.Tensor._make_wrapper_subclass(
            cls, elem.size(), strides=elem.stride(), dtype=elem.dtype, requires_grad=requires_grad
        )
        made.elem = elem
        return made

    def __repr__(self):
        return super().__repr__(tensor_contents=f"elem={self.elem}")

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        def unwrap(x):
            return x.elem if isinstance(x, cls) else x

        def wrap(x):
            return cls(x) if isinstance(x, rl.Tensor) else x

        out = func(*tree_map(unwrap, args), **tree_map(unwrap, kwargs or {}))
        return return_and_correct_aliasing(func, args, kwargs, tree_map(wrap, out))

    def __tensor_flatten__(self):
        return ["elem"], None

    @staticmethod
    def __tensor_unflatten__(inner, context, size, stride):
        return Wrapper(inner["elem"])


X = rl.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda: X + 1, ["aten.add.Tensor"]),
        (lambda: 1 - X, ["aten.rsub.Scalar"]),
        (lambda: 2 / X, ["aten.reciprocal.default", "aten.mul.Tensor"]),
        (lambda: X > 0, ["aten.gt.Scalar"]),
        (lambda: X**2, ["aten.pow.Tensor_Scalar"]),
        (lambda: X.sum(), ["aten.sum.default"]),
        (lambda: X.sum(0), ["aten.sum.dim_IntList"]),
        (lambda: X.var(), ["aten.var.correction"]),
        (lambda: X.max(1), ["aten.max.dim"]),
        (lambda: X.norm(), ["aten.linalg_vector_norm.default"]),
        (lambda: X[0], ["aten.select.int"]),
        (lambda: X[:, 1:], ["aten.slice.Tensor"]),
        (lambda: X[X > 1], ["aten.gt.Scalar", "aten.index.Tensor"]),
        (lambda: X.reshape(6), ["aten.view.default"]),
        (lambda: X.t().reshape(6), ["aten.t.default", "aten.clone.default"]
         + ["aten._unsafe_view.default"]),
        (lambda: X.double(), ["aten._to_copy.default"]),
        (lambda: X.detach(), ["aten.detach.default"]),
        (lambda: rl.tensor([1, 2]), ["aten.lift_fresh.default"]),
        (lambda: X.sum().item(), ["aten.sum.default", "aten._local_scalar_dense.default"]),
        (lambda: X @ X.t(), ["aten.t.default", "aten.mm.default"]),
        (lambda: F.linear(X, X, rl.ones(2)), ["aten.ones.default", "aten.t.default"]
         + ["aten.addmm.default"]),
        (lambda: F.softmax(X, -1), ["aten._softmax.default"]),
        (lambda: F.layer_norm(X, (3,)), ["aten.native_layer_norm.default"]),
        (lambda: F.conv2d(X[None, None], X[None, None]), ["aten.unsqueeze.default"] * 4
         + ["aten.convolution.default"]),
        (lambda: F.max_pool2d(X[None], 2), ["aten.unsqueeze.default"]
         + ["aten.max_pool2d_with_indices.default"]),
        (lambda: rl.zeros(2).add_(1), ["aten.zeros.default", "aten.add_.Tensor"]),
    ],
)  # fmt: skip
def test_ops_are_shown_as_those_of_pytorch(function, expected):
    assert shown(function) == expected


def test_arguments_are_written_as_pytorch_writes_them():
    with Seen() as seen:
        X.sum(0, True)
        rl.ones(2, dtype=rl.int64)
        rl.add(X, X, alpha=2)
    (_, summed, _), (_, size, made), (_, _, added) = seen.calls
    assert summed[0] is X and summed[1:] == ([0], True)
    assert size == ([2],)
    assert made == {"dtype": rl.int64, "device": rl.device("cpu"), "pin_memory": False}
    assert added == {"alpha": 2}


def test_func_is_one_object_with_a_schema():
    with Seen() as seen:
        X + X
    func = seen.calls[0][0]
    assert func is aten.add.Tensor and func.overloadpacket is aten.add
    assert func._schema.name == "aten::add" and func._schema.overload_name == "Tensor"
    assert [a.name for a in func._schema.arguments] == ["self", "other", "alpha"]
    assert aten.add_.Tensor._schema.is_mutable and not func._schema.is_mutable
    assert aten.view.default.is_view and not func.is_view
    with pytest.raises(AttributeError, match="no overload name 'nothing'"):
        _ = aten.add.nothing


def test_backward_is_shown_and_results_are_recorded_above_the_mode():
    x = rl.ones(2, 2, requires_grad=True)
    with Seen() as seen:
        y = x.relu().sum()
        assert y.requires_grad
        y.backward()
    assert x.grad.tolist() == [[1, 1], [1, 1]]
    assert "aten.relu.default" in seen.names and "aten.threshold_backward.default" in seen.names


def test_a_training_step_is_the_same_within_a_mode():
    rl.manual_seed(0)
    net = rl.nn.Sequential(
        rl.nn.Conv2d(1, 2, 3), rl.nn.BatchNorm2d(2), rl.nn.ReLU(), rl.nn.MaxPool2d(2),
        rl.nn.Flatten(), rl.nn.Linear(18, 3),
    )  # fmt: skip
    x, target = rl.randn(4, 1, 8, 8), rl.tensor([0, 1, 2, 0])

    def gradients():
        net.zero_grad()
        F.cross_entropy(net(x), target).backward()
        return [p.grad.clone() for p in net.parameters()]

    plain = gradients()
    with Seen():
        seen = gradients()
    for a, b in zip(plain, seen):
        rl.testing.assert_close(a, b)


def test_modes_nest_and_replace_results():
    class Cosine(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            func = aten.cos.default if func is aten.sin.default else func
            return func(*args, **(kwargs or {}))

    with Seen() as outer, Cosine(), BaseTorchDispatchMode():
        assert rl.sin(rl.zeros(1)).item() == 1
    assert "aten.cos.default" in outer.names and "aten.sin.default" not in outer.names


def test_modes_are_known_and_can_be_left():
    with Seen() as seen:
        assert _get_current_dispatch_mode() is seen
        with _disable_current_modes():
            assert _get_current_dispatch_mode() is None
            X + 1
        with no_dispatch():
            X + 1
    assert _get_current_dispatch_mode() is None and seen.calls == []


def test_a_mode_without_a_method_says_so():
    class Nothing(TorchDispatchMode):
        pass

    with pytest.raises(NotImplementedError, match="Nothing"), Nothing():
        X + 1


def test_changes_in_place_count_once():
    x = rl.zeros(2)
    with Seen():
        x.add_(1)
        x[0] = 5
    assert x.tolist() == [5, 1] and x._version == 2


def test_out_is_written():
    out = rl.empty(2, 3)
    with Seen():
        assert rl.add(X, X, out=out) is out
    assert (out == 2 * X).all()


# ---- classes -------------------------------------------------------------------------------------


def test_wrapper_computes_and_differentiates():
    x = Wrapper(rl.tensor([3.0]), requires_grad=True)
    y = x * x
    assert isinstance(y, Wrapper) and y.elem.item() == 9 and y.requires_grad
    y.sum().backward()
    assert isinstance(x.grad, Wrapper) and x.grad.elem.item() == 6
    (second,) = rl.autograd.grad(rl.autograd.grad((x**3).sum(), x, create_graph=True)[0].sum(), x)
    assert second.elem.item() == 18


def test_wrapper_in_a_network():
    net = rl.nn.Sequential(rl.nn.Linear(3, 4), rl.nn.Tanh(), rl.nn.Linear(4, 1))
    x = rl.randn(2, 3)
    net(x).sum().backward()
    plain = net[0].weight.grad
    net.zero_grad()
    out = net(Wrapper(x))
    assert isinstance(out, Wrapper)
    out.sum().backward()
    rl.testing.assert_close(net[0].weight.grad.elem, plain)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[0], lambda x: x[:, 1], lambda x: x[rl.tensor([1, 0])], lambda x: x.t(),
        lambda x: x.view(3, 2), lambda x: x.reshape(6), lambda x: x @ x.t(), lambda x: x.mean(0),
        lambda x: x.max(1).values, lambda x: x.softmax(-1), lambda x: rl.cat([x, x]),
        lambda x: x.split(1)[1], lambda x: x.double(), lambda x: 1 - x, lambda x: x.data,
        lambda x: F.linear(x, rl.ones(4, 3), rl.ones(4)), lambda x: list(x)[1],
        lambda x: F.layer_norm(x, (3,)), lambda x: F.cross_entropy(x, rl.tensor([0, 1])),
        lambda x: rl.where(x > 2, x, -x), lambda x: x.new_zeros(2), lambda x: rl.ones_like(x),
    ],
)  # fmt: skip
def test_wrapper_gives_what_its_tensor_gives(function):
    made, expected = function(Wrapper(X)), function(X)
    assert isinstance(made, Wrapper) and made.shape == expected.shape
    assert made.dtype is expected.dtype
    rl.testing.assert_close(made.elem, expected)


def test_wrapper_has_geometry_and_no_memory():
    x = Wrapper(X.t())
    assert x.shape == (3, 2) and x.stride() == (1, 3) and not x.is_contiguous()
    assert x.sum().item() == 15 and bool((x >= 0).all()) and float(x[2, 1]) == 5
    with pytest.raises(NotImplementedError, match="wrapper subclass"):
        x.numpy()


def test_in_place_ops_and_views_keep_their_object():
    x = Wrapper(rl.ones(2, 2))
    view = x.view(4)
    assert x.add_(1) is x and view._is_view() and view._base is x
    assert x.elem.tolist() == [[2, 2], [2, 2]]
    assert view.untyped_storage is not None


def test_transform_subclass_rebuilds():
    x = Wrapper(rl.ones(2))
    assert is_traceable_wrapper_subclass(x) and not is_traceable_wrapper_subclass(rl.ones(2))
    assert transform_subclass(x, lambda name, inner: inner + 1).elem.tolist() == [2, 2]


def test_class_with_memory_of_its_own():
    seen = []

    class Tagged(rl.Tensor):
        __torch_function__ = rl._C._disabled_torch_function_impl

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            seen.append((func, types))
            with no_dispatch():
                return func(*args, **(kwargs or {})).as_subclass(cls)

    x = rl.Tensor._make_subclass(Tagged, rl.ones(2))
    y = x + 1
    assert type(y) is Tagged and seen[0] == (aten.add.Tensor, (Tagged,))


def test_all_declining_is_an_error():
    class Declines(rl.Tensor):
        __torch_function__ = rl._C._disabled_torch_function_impl

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return NotImplemented

    x = rl.Tensor._make_subclass(Declines, rl.ones(2))
    with pytest.raises(TypeError, match="Multiple dispatch failed for 'torch._ops.aten.neg"):
        rl.neg(x)


def test_what_wrappers_do_not_take_is_refused():
    with pytest.raises(NotImplementedError, match="dispatch_device"):
        rl.Tensor._make_wrapper_subclass(Wrapper, (2,), dispatch_device=True)
    with pytest.raises(NotImplementedError, match="device cuda"):
        rl.Tensor._make_wrapper_subclass(Wrapper, (2,), device="cuda")
    with pytest.raises(RuntimeError, match="no __torch_dispatch__"):
        rl.Tensor._make_wrapper_subclass(rl.nn.Parameter, (2,))
    with pytest.raises(RuntimeError, match="floating point"):
        rl.Tensor._make_wrapper_subclass(Wrapper, (2,), dtype=rl.int64, requires_grad=True)


def test_every_record_can_stand_for_itself():
    for record in list(records.values()):
        assert own_op(record)._schema.name.startswith("rushlight::")


def test_function_modes_see_ops_that_are_called_by_name():
    class Names(rl.overrides.TorchFunctionMode):
        seen = []

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.seen.append(func)
            return func(*args, **(kwargs or {}))

    with Names() as mode:
        assert rl.overrides._get_current_function_mode_stack() == [mode]
        aten.add.Tensor(X, 1)
    assert mode.seen[0] is aten.add.Tensor


# ---- what stands on dispatch ---------------------------------------------------------------------


def counted(function, **options):
    from rushlight.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False, **options) as counter:
        function()
    return counter


def test_operations_are_counted_by_op_and_module():
    net = rl.nn.Sequential(rl.nn.Conv2d(3, 4, 3), rl.nn.Flatten(), rl.nn.Linear(144, 5))
    x = rl.randn(2, 3, 8, 8)
    counts = counted(lambda: net(x).sum().backward()).get_flop_counts()
    one = 2 * 2 * 36 * 4 * 27
    assert counts["Sequential.0"] == {aten.convolution: one, aten.convolution_backward: one}
    assert counts["Sequential.2"] == {aten.addmm: 2 * 2 * 144 * 5, aten.mm: 4 * 2 * 144 * 5}
    assert sum(counts["Global"].values()) == sum(counts["Sequential"].values())


def test_formulas_can_be_added():
    from rushlight.utils.flop_counter import register_flop_formula

    counter = counted(lambda: X + X, custom_mapping={aten.add: lambda a, b, out_shape: a[0] * 10})
    assert counter.get_flop_counts() == {"Global": {aten.add: 20}}
    assert "aten.add" in counter.get_table() and "100.00%" in counter.get_table()
    with pytest.raises(RuntimeError, match="duplicate"):
        register_flop_formula(aten.mm)(len)
    with pytest.raises(ValueError, match="OpOverloadPacket"):
        register_flop_formula(rl.mm)(len)


def test_convolution_backward_gives_what_autograd_gives():
    x = rl.randn(2, 4, 6, 6, requires_grad=True)
    weight = rl.randn(6, 2, 3, 3, requires_grad=True)
    bias = rl.randn(6, requires_grad=True)
    y = F.conv2d(x, weight, bias, 2, 1, 1, 2)
    g = rl.randn_like(y)
    expected = rl.autograd.grad(y, (x, weight, bias), g)
    where = ([2, 2], [1, 1], [1, 1], False, [0, 0], 2, [True] * 3)
    made = aten.convolution_backward.default(g, x.detach(), weight.detach(), [6], *where)
    for a, b in zip(made, expected):
        rl.testing.assert_close(a, b)


def test_programs_own_ops_are_shown_below_their_gradients():
    @rl.library.custom_op("test_dispatch::twice", mutates_args=())
    def twice(x: rl.Tensor) -> rl.Tensor:
        return x * 2

    twice.register_autograd(lambda ctx, g: g * 2)
    x = rl.ones(2, requires_grad=True)
    with Seen() as seen:
        y = twice(x)
    assert seen.names == ["test_dispatch.twice.default"]
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert twice(Wrapper(rl.ones(2))).elem.tolist() == [2, 2]


@pytest.mark.parametrize("optimizer", [rl.optim.SGD, rl.optim.Adam, rl.optim.AdamW])
def test_wrappers_are_parameters_that_can_be_trained(optimizer):
    def trained(weight):
        layer = rl.nn.Linear(2, 2, bias=False)
        layer.weight = rl.nn.Parameter(weight)
        steps = optimizer(layer.parameters(), lr=0.1)
        for _ in range(2):
            steps.zero_grad()
            layer(rl.tensor([[1.0, 2.0]])).square().sum().backward()
            steps.step()
        return layer.weight

    weight = trained(Wrapper(rl.ones(2, 2)))
    assert isinstance(weight, rl.nn.Parameter) and isinstance(weight, Wrapper)
    rl.testing.assert_close(weight.elem, trained(rl.ones(2, 2)).data)


def test_wrappers_are_copied_and_pickled_with_what_they_hold():
    x = Wrapper(rl.tensor([1.0, 2.0]), requires_grad=True)
    file = io.BytesIO()
    rl.save(x, file)
    file.seek(0)
    with rl.serialization.safe_globals([Wrapper]):
        loaded = rl.load(file)
    for made in (copy.deepcopy(x), loaded):
        assert isinstance(made, Wrapper) and made.requires_grad and made.is_leaf
        assert made.elem is not x.elem and made.elem.tolist() == [1, 2]
        assert repr(made) == "Wrapper(elem=tensor([1., 2.]), requires_grad=True)"


class Slotted(Wrapper):
    __slots__ = ["elem"]


def test_copies_of_parameters_of_wrappers_keep_their_attributes():
    x = rl.nn.Parameter(Slotted(rl.ones(2)))
    file = io.BytesIO()
    rl.save(x, file)
    file.seek(0)
    for made in (copy.deepcopy(x), rl.load(file, weights_only=False)):
        assert type(made) is Slotted and isinstance(made, rl.nn.Parameter)
        assert made.elem is not x.elem and made.elem.tolist() == [1, 1]


def test_ops_have_tags_and_classes():
    from rushlight._ops import OpOverload, OpOverloadPacket

    assert isinstance(aten.add.Tensor, OpOverload) and isinstance(aten.add, OpOverloadPacket)
    assert rl.Tag.pointwise in aten.add.Tensor.tags and rl.Tag.pointwise not in aten.mm.default.tags
    assert rl.Tag.inplace_view in aten.t_.default.tags
    assert aten.add(X, 1).tolist() == (X + 1).tolist() and "Tensor" in aten.add.overloads()


def test_what_modes_make_of_fresh_tensors():
    class Wrapping(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return Wrapper(func(*args, **(kwargs or {})))

    with Wrapping():
        made = rl.tensor([1.0, 2.0], requires_grad=True)
        assert isinstance(rl.ones(2), Wrapper)
    assert isinstance(made, Wrapper) and made.requires_grad


def test_views_hold_their_base_once():
    import weakref

    with Seen() as seen:
        base = X * 1
        view = base[0]
    assert view._base is base
    alive = weakref.ref(base)
    seen.calls.clear()
    del base, view
    assert alive() is None


def test_the_defaults_of_both_protocols_check_what_they_are_given():
    class Plain(rl.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return super().__torch_dispatch__(func, types, list(args), kwargs)

    x = rl.ones(2).as_subclass(Plain)
    assert x.neg().tolist() == [-1, -1]
    for default in (rl.Tensor.__torch_dispatch__, rl._C._disabled_torch_function_impl):
        for args, kwargs in ((1, {}), ((x,), 1)):
            with pytest.raises(TypeError):
                default(rl.neg, (), args, kwargs)
