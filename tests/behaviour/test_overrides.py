"""Calls that are redirected: by subclasses, foreign objects, modes, interposers, other kinds."""

import pickle

import pytest

import rushlight as rl
from rushlight._interpose import interpose, make_kind, register_kind
from rushlight.overrides import (
    TorchFunctionMode,
    handle_torch_function,
    has_torch_function,
    is_tensor_method_or_property,
    resolve_name,
    wrap_torch_function,
)


class Logged(rl.Tensor):
    """Notes which functions it is asked about."""

    calls = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append((func, types))
        return super().__torch_function__(func, types, args, kwargs)


class Plain(rl.Tensor):
    """A subclass without a protocol of its own."""


class Child(Logged):
    pass


@pytest.fixture
def logged():
    Logged.calls.clear()
    return rl.arange(6.0).reshape(2, 3).as_subclass(Logged)


def called(action):
    """What `action` returns, and the function that the outermost call was about."""
    Logged.calls.clear()
    result = action()
    return result, Logged.calls[0][0]


def test_subclass_sees_public_functions(logged):
    other = rl.ones(2, 3)
    for action, function in [
        (lambda: rl.add(logged, 1), rl.add),
        (lambda: logged.add(1), rl.Tensor.add),
        (lambda: logged + 1, rl.Tensor.add),
        (lambda: other * logged, rl.Tensor.mul),
        (lambda: 1 - logged, rl.Tensor.__rsub__),
        (lambda: -logged, rl.Tensor.neg),
        (lambda: rl.stack([other, logged]), rl.stack),
        (lambda: rl.nn.functional.relu(logged), rl.nn.functional.relu),
        (lambda: logged[0], rl.Tensor.__getitem__),
        (lambda: logged.T, rl.Tensor.T.__get__),
        (lambda: logged.detach(), rl.Tensor.detach),
    ]:
        result, about = called(action)
        assert about == function and type(result) is Logged


def test_results_that_are_no_tensors_stay_what_they_are(logged):
    shape, about = called(lambda: logged.shape)
    assert shape == (2, 3) and about == rl.Tensor.shape.__get__
    assert called(lambda: logged.size(1)) == (3, rl.Tensor.size)
    assert called(lambda: len(logged)) == (2, rl.Tensor.__len__)
    values, indices = logged.max(dim=1)
    assert type(values) is Logged and type(indices) is Logged
    assert logged.grad is None


def test_types_and_precedence(logged):
    child = rl.ones(2, 3).as_subclass(Child)
    result, _ = called(lambda: logged + child)
    assert Logged.calls[0][1] == (Child, Logged) and type(result) is Child
    with pytest.raises(TypeError, match="no implementation found"):
        logged + rl.ones(2, 3).as_subclass(Plain)


def test_plain_subclass_and_parameter():
    plain = rl.ones(2).as_subclass(Plain)
    assert type(plain * 2) is Plain
    parameter = rl.nn.Parameter(rl.ones(2))
    assert type(parameter * 2) is rl.Tensor
    assert not has_torch_function((parameter, rl.ones(1))) and has_torch_function((plain,))
    assert type(plain * parameter) is Plain


def test_disabled():
    plain = rl.ones(2).as_subclass(Plain)
    with rl.DisableTorchFunctionSubclass():
        assert type(plain + 1) is rl.Tensor and not has_torch_function((plain,))


def test_backward_through_a_subclass(logged):
    logged.requires_grad_()
    (logged * logged).sum().backward()
    assert rl.equal(rl.Tensor.as_subclass(logged.grad, rl.Tensor), rl.arange(6.0).view(2, 3) * 2)


class Duck:
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func.__name__, types, len(args), kwargs


def test_objects_that_are_no_tensors():
    duck = Duck()
    assert rl.add(rl.ones(1), duck, alpha=2) == ("add", (Duck,), 2, {"alpha": 2})
    assert (rl.ones(1) + duck)[0] == "add" and rl.cat([duck, duck])[0] == "cat"
    assert rl.ones(1).mul(other=duck)[3] == {"other": duck}
    with pytest.raises(TypeError, match="must be Tensor"):
        rl.add(rl.ones(1), object())


class Recorder(TorchFunctionMode):
    def __init__(self):
        self.seen = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


def test_modes_nest_and_see_calls_without_tensors():
    with Recorder() as outer:
        rl.zeros(2)
        with Recorder() as inner:
            rl.ones(2) + 1
        with rl.DisableTorchFunction():
            rl.ones(2)
    rl.ones(2)
    assert inner.seen == ["ones", "add"] and outer.seen == ["zeros", "ones", "add"]


def test_mode_comes_before_subclass(logged):
    with Recorder() as mode:
        logged + 1
    assert mode.seen == ["add"] and Logged.calls[-1][1] == (Logged,)


def test_a_mode_that_declines_and_one_that_fails():
    class Declines(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return NotImplemented

    with Declines(), pytest.raises(TypeError, match="no implementation found"):
        rl.ones(2)

    class Fails(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            raise ValueError("from the mode")

    with pytest.raises(ValueError, match="from the mode"), Fails():
        rl.ones(2)
    assert rl.ones(2).sum() == 2


def test_functions_of_users():
    def double(x):
        if has_torch_function((x,)):
            return handle_torch_function(double, (x,), x)
        return x * 2

    assert double(Duck())[0] == "double" and double(3) == 6
    wrapped = wrap_torch_function(lambda x: (x,))(lambda x: x)
    assert wrapped(Duck())[0] == "<lambda>" and wrapped(4) == 4


def test_names():
    assert resolve_name(rl.Tensor.add) == "torch.Tensor.add"
    assert resolve_name(rl.add) == "torch.add"
    assert is_tensor_method_or_property(rl.Tensor.shape.__get__)
    overrides = rl.overrides.get_testing_overrides()
    assert overrides[rl.add](1, 2) == -1
    assert rl.add in rl.overrides.get_overridable_functions()[rl]


def test_interposer_declines_into_the_ops_of_a_composition():
    seen = []

    def watch(function, args, kwargs):
        seen.append(function.__name__)
        return NotImplemented

    x = rl.ones(2)
    with interpose(watch):
        rl.nn.functional.cosine_similarity(x, x, dim=0)
    assert seen[0] == "cosine_similarity" and "mul" in seen


def test_a_class_assigned_later_takes_part():
    tensor = rl.ones(2).as_subclass(Plain)
    tensor.__class__ = Logged
    Logged.calls.clear()
    assert type(tensor + 1) is Logged and Logged.calls


class Box:
    def __init__(self, value):
        self.value = value


def unboxed(x):
    return rl._native.payload(x).value if rl._native.kind_of(x) == BOXED else x


def box_handler(function, args, kwargs):
    if function.__name__ not in ("add", "mul", "sub", "clone"):
        return NotImplemented
    return boxed(function(*map(unboxed, args), **kwargs))


def boxed(value):
    return make_kind(BOXED, value.shape, value.dtype, value.device, Box(value))


BOXED = register_kind("boxed", box_handler)


def test_another_kind_of_tensor():
    x = boxed(rl.arange(6.0).reshape(2, 3))
    assert x.shape == (2, 3) and x.dtype == rl.float32 and x.dim() == 2
    assert unboxed(x + 1).sum() == 21 and unboxed(2 * x).sum() == 30
    assert unboxed(1 - x).sum() == -9
    assert unboxed(x.detach()) is unboxed(x)
    composed = rl.addcmul(x, x, x) if rl.addcmul.record.reference else None
    assert composed is None or unboxed(composed).shape == (2, 3)


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.exp(),
        lambda x: x.item(),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.data_ptr(),
        lambda x: x.untyped_storage(),
        lambda x: x.stride(),
        lambda x: x[0],
        lambda x: bool(x),
        lambda x: rl.ones(1).copy_(x),
        lambda x: rl.ones(1).__setitem__(0, x),
        lambda x: rl.exp(rl.ones(1), out=x),
        lambda x: rl.cat([rl.ones(1), x]),
        lambda x: rl.from_dlpack(x),
        lambda x: [rl.tensor([x])],
        lambda x: x.exp_(),
    ],
)
def test_kernels_never_see_another_kind(use):
    with pytest.raises((NotImplementedError, TypeError, RuntimeError), match="boxed|item"):
        use(boxed(rl.ones(1)))


def test_subclasses_survive_pickling():
    plain = rl.ones(2).as_subclass(Plain)
    assert rl.equal(pickle.loads(pickle.dumps(plain)), plain)


def test_objects_with_the_protocol_in_indexes():
    asked = []

    class Other:
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            asked.append(func)
            return -1

    x = rl.tensor([5])
    assert x[Other()] == -1 and x[5, Other()] == -1
    x[Other()] = 1
    x[5, Other()] = 1
    x[0] = Other()
    assert asked == [rl.Tensor.__getitem__] * 2 + [rl.Tensor.__setitem__] * 3
    assert x.tolist() == [5]


def test_rows_of_a_subclass_are_of_the_class():
    class Mine(rl.Tensor):
        pass

    assert [type(row) for row in rl.ones(3, 2).as_subclass(Mine)] == [Mine] * 3


def test_nobody_is_asked_of_as_subclass():
    class Loud(rl.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            raise AssertionError(func)

    x = rl.ones(2, requires_grad=True)
    plain = x.as_subclass(Loud).as_subclass(rl.Tensor)
    assert type(plain) is rl.Tensor and type(x.as_subclass(rl.Tensor)) is rl.Tensor
    (plain * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]
    squares = rl.vmap(lambda row: row.as_subclass(rl.Tensor).square())(rl.tensor([[2.0], [3.0]]))
    assert squares.tolist() == [[4], [9]]
    double = rl.func.jvp(lambda t: t.as_subclass(rl.Tensor) * 2, (rl.ones(1),), (rl.ones(1),))
    assert [t.tolist() for t in double] == [[2], [2]]


def test_iterating_asks_for_the_method_unbind():
    asked = []

    class Rows(rl.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            asked.append((func, args[1:]))
            return super().__torch_function__(func, types, args, kwargs)

    list(rl.ones(2, 3).as_subclass(Rows))
    assert (rl.Tensor.unbind, (0,)) in asked


def test_operators_of_subclasses_and_arrays_are_those_of_tensors():
    numpy = pytest.importorskip("numpy")

    class Plain(rl.Tensor):
        pass

    array = numpy.ones(3, dtype=numpy.float32)
    tensor = rl.arange(3.0)
    plain = tensor.as_subclass(Plain)
    for operator in (lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a == b):
        result = operator(plain, array)
        assert type(result) is Plain
        assert result.as_subclass(rl.Tensor).tolist() == operator(tensor, array).tolist()
    with pytest.raises(TypeError, match="not supported between|unsupported operand"):
        assert plain > array
