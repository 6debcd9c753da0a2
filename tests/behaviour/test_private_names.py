"""Private names of PyTorch that packages outside of it call: `_foreach_*`, `_check*`, what its
optimizers share, types of fx. Public names are tested where they belong.
"""

import math

import pytest

import rushlight as rl
from rushlight.fx.node import Argument, Target
from rushlight.optim import optimizer as shared


def _pair():
    return [rl.ones(2), rl.full((3,), 2.0)]


def _lists(tensors):
    return [t.tolist() for t in tensors]


@pytest.mark.parametrize(
    "name, args, options, first, second",
    [
        ("add", (1.5,), {}, 2.5, 3.5),
        ("add", ([rl.ones(2), rl.ones(3)],), {"alpha": 2}, 3.0, 4.0),
        ("add", ([1, 2],), {}, 2.0, 4.0),
        ("sub", (rl.tensor(3.0),), {}, -2.0, -1.0),
        ("pow", (2,), {}, 1.0, 4.0),
        ("maximum", (1.5,), {}, 1.5, 2.0),
        ("clamp_max", ([rl.zeros(2), rl.ones(3)],), {}, 0.0, 1.0),
        ("lerp", ([rl.zeros(2), rl.zeros(3)], 0.5), {}, 0.5, 1.0),
        ("lerp", ([rl.zeros(2), rl.zeros(3)],), {"weight": [0.5, 0.25]}, 0.5, 1.5),
        ("addcmul", (_pair(), _pair(), 2), {}, 3.0, 10.0),
        ("addcdiv", (_pair(), _pair()), {"scalars": rl.tensor([2.0, 3.0])}, 3.0, 5.0),
        ("addcmul", (_pair(), _pair()), {"scalars": [2, 3]}, 3.0, 14.0),
        ("mul", (), {"scalar": 3}, 3.0, 6.0),
        ("mul", (), {"scalars": [3, 4]}, 3.0, 8.0),
        ("pow", (), {"exponent": [1, 2]}, 1.0, 4.0),
        ("neg", (), {}, -1.0, -2.0),
        ("sqrt", (), {}, 1.0, math.sqrt(2)),
    ],
)
def test_an_op_on_each_tensor_of_a_list(name, args, options, first, second):
    given, expected = _pair(), [rl.full((2,), first), rl.full((3,), second)]
    made = getattr(rl, f"_foreach_{name}")(given, *args, **options)
    changed = getattr(rl, f"_foreach_{name}_")(given, *args, **options)
    assert isinstance(made, tuple) and changed is given
    for x, y, z in zip(made, expected, changed):
        rl.testing.assert_close(x, y)
        assert rl.equal(x, z)


def test_arguments_of_other_overloads_are_refused():
    given = _pair()
    for name, options in (
        ("add", {"scalar": [1, 2]}),
        ("add", {"scalars": 2}),
        ("add", {"other": 2}),
        ("add", {"scalar": 2, "alpha": 2}),
        ("addcmul", {"tensor1": rl.ones(()), "tensor2": given}),
        ("lerp", {"tensors1": given}),
    ):
        with pytest.raises(TypeError):
            getattr(rl, f"_foreach_{name}")(given, **options)
    for scalars in (rl.ones(()), rl.ones(3), [1.0]):
        with pytest.raises(RuntimeError):
            rl._foreach_addcmul(given, given, given, scalars=scalars)
    with pytest.raises(TypeError):
        rl._foreach_copy_(given, [1.0, 2.0])


def test_norms_copies_and_zeros_of_lists():
    given = _pair()
    rl.testing.assert_close(rl.stack(rl._foreach_norm(given)), rl.tensor([2.0, 12.0]).sqrt())
    assert _lists(rl._foreach_norm(given, math.inf)) == [1.0, 2.0]
    assert _lists(rl._foreach_max(given)) == [1.0, 2.0]
    assert _lists(rl._foreach_powsum(given, 2)) == [2.0, 12.0]
    assert _lists(rl._foreach_pow(2.0, given)) == [[2.0] * 2, [4.0] * 3]
    rl._foreach_copy_(given, [rl.tensor([5, 6]), rl.zeros(3)])
    assert _lists(given) == [[5.0, 6.0], [0.0] * 3]
    assert _lists(rl._foreach_zero_(given)) == [[0.0] * 2, [0.0] * 3]


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(RuntimeError, match="one length"):
        rl._foreach_add(_pair(), [1.0])
    with pytest.raises(RuntimeError, match="at least one tensor"):
        rl._foreach_add([], 1)
    with pytest.raises(RuntimeError, match="0 dimensions"):
        rl._foreach_mul(_pair(), rl.ones(2))
    with pytest.raises(TypeError, match="list of Tensors"):
        rl._foreach_abs(rl.ones(2))
    assert not hasattr(rl, "_foreach_nothing")


@pytest.mark.parametrize(
    "name, error",
    [("_check", RuntimeError), ("_check_index", IndexError), ("_check_value", ValueError),
     ("_check_type", TypeError), ("_check_not_implemented", NotImplementedError)],
)  # fmt: skip
def test_checks_raise_their_error_with_the_message(name, error):
    check = getattr(rl, name)
    check(True)
    with pytest.raises(error, match="what is wrong"):
        check(False, lambda: "what is wrong")
    with pytest.raises(TypeError, match="must be a bool"):
        check(rl.tensor(True))


def test_checks_of_tensors_and_sizes():
    rl._check_tensor_all(rl.tensor([True, True]))
    with pytest.raises(RuntimeError, match="Expected cond"):
        rl._check_tensor_all(rl.tensor([True, False]))
    with pytest.raises(ValueError, match="no"):
        rl._check_tensor_all_with(ValueError, rl.tensor([False]), lambda: "no")
    with pytest.raises(RuntimeError):
        rl._check_is_size(-1)
    with pytest.raises(AssertionError, match="text"):
        rl._assert(rl.tensor(False), "text")
    with pytest.raises(RuntimeError, match="nonzero"):
        rl._assert_async(rl.tensor(0))


def test_gradients_of_softmax_from_its_output():
    x = rl.tensor([[1.0, 2.0, 4.0], [0.0, -1.0, 3.0]], requires_grad=True)
    grad = rl.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 1.0]])
    for name in ("softmax", "log_softmax"):
        output = getattr(rl, name)(x, 1)
        (expected,) = rl.autograd.grad(output, x, grad)
        backward = getattr(rl, f"_{name}_backward_data")
        rl.testing.assert_close(backward(grad, output.detach(), 1, rl.float32), expected)


def test_an_optimizer_written_with_what_the_others_share():
    class Signs(rl.optim.Optimizer):
        def __init__(self, params: shared.ParamsT, lr=0.5):
            super().__init__(params, {"lr": lr, "differentiable": False})

        @shared._use_grad_for_differentiable
        def step(self, closure=None):
            assert not rl.is_grad_enabled()
            for group in self.param_groups:
                grads = [p.grad for p in group["params"]]
                groups = self._group_tensors_by_device_and_dtype([group["params"], grads])
                for (params, grads), _ in groups.values():
                    rl._foreach_add_(params, rl._foreach_sign(grads), alpha=-group["lr"])

    params = [rl.nn.Parameter(rl.ones(2)), rl.nn.Parameter(rl.ones(1, dtype=rl.float64))]
    (params[0].sum() - params[1].sum()).backward()
    Signs(params).step()
    assert _lists(params) == [[0.5, 0.5], [1.5]]
    assert shared._default_to_fused_or_foreach(params, False) == (False, False)
    assert shared._get_value(rl.tensor(3.0)) == 3.0


def test_fx_names_its_types_and_graphs_hold_named_parts():
    assert Target and Argument

    graph = rl.fx.Graph()
    x = graph.placeholder("x")
    handle = graph.call_function(rl.ops.profiler._record_function_enter, ("part",))
    y = graph.call_function(rl.relu, (x,))
    graph.call_function(rl.ops.profiler._record_function_exit, (handle,))
    graph.output(y)
    graph.eliminate_dead_code()
    module = rl.fx.GraphModule(rl.nn.Module(), graph)
    with rl.autograd.profiler.profile() as prof:
        assert module(rl.tensor([-1.0, 2.0])).tolist() == [0.0, 2.0]
    assert {"part", "aten::relu"} <= {event.key for event in prof.key_averages()}
    assert "aten::relu" in str(prof)
    with pytest.raises(RuntimeError, match="_record_function_enter"):
        rl.ops.profiler._record_function_exit(rl.ones(1))


def test_small_questions_that_packages_ask(monkeypatch):
    monkeypatch.setenv("TORCH_HOME", "/somewhere")
    assert rl.hub._get_torch_home() == "/somewhere"
    assert rl._utils._element_size(rl.bfloat16) == 2
    assert rl._utils._get_device_index(3) == 3
    assert rl._utils._get_device_index(rl.device("cuda:1")) == 1
    with pytest.raises(ValueError, match="non cpu"):
        rl._utils._get_device_index("cpu")
    assert rl.nn.modules.transformer._get_activation_fn("gelu") is rl.nn.functional.gelu
    assert not rl.autograd._profiler_enabled()
    with rl.profiler.profile():
        assert rl.autograd._profiler_enabled()


def test_a_module_list_names_the_child_at_a_position():
    layers = rl.nn.ModuleList([rl.nn.Identity() for _ in range(3)])
    assert layers._get_abs_string_index(-1) == "2"
    with pytest.raises(IndexError, match="index 3 is out of range"):
        layers._get_abs_string_index(3)


@pytest.mark.parametrize("reduction, scale", [("sum", 1), ("mean", 3)])
def test_a_call_leaves_gradients_per_sample(reduction, scale):
    from rushlight.nn.utils._per_sample_grad import call_for_per_sample_grads

    rl.manual_seed(0)
    net = rl.nn.Sequential(rl.nn.Conv1d(2, 4, 2), rl.nn.GroupNorm(2, 4), rl.nn.Linear(3, 1))
    net[2].bias.requires_grad_(False)
    x = rl.randn(3, 2, 4)
    y = call_for_per_sample_grads(net, loss_reduction=reduction)(x)
    assert rl.allclose(y, net(x), atol=1e-6) and net[2].bias.requires_grad is False
    getattr(y.square(), reduction)().backward()
    for p in (p for p in net.parameters() if p.requires_grad):
        losses = [net(x[i : i + 1]).square().sum() for i in range(3)]
        each = rl.stack([rl.autograd.grad(loss, p)[0] for loss in losses])
        each = each * scale / (12 if reduction == "mean" else 1)
        assert p.grad is None and rl.allclose(p.grad_sample, each, atol=1e-5)


def test_gradients_per_sample_refuse_what_mixes_samples():
    from rushlight.nn.utils._per_sample_grad import call_for_per_sample_grads as call

    x, layer = rl.ones(2, 3), rl.nn.Linear(3, 3)
    call(layer)(x).sum().backward()
    with pytest.raises(RuntimeError, match="weight.grad_sample is there"):
        call(layer)(x)
    with pytest.raises(RuntimeError, match="samples have no gradients"):
        call(rl.nn.BatchNorm1d(3))
    with pytest.raises(RuntimeError, match=r"\[2, 5\] samples"):
        call(rl.nn.Bilinear(3, 3, 1))(x, rl.ones(5, 3))
    with pytest.raises(NotImplementedError, match="has to be a tensor, got tuple"):
        call(rl.nn.LSTM(3, 2))(rl.ones(2, 4, 3))


def test_programs_ask_whether_they_are_traced():
    states = []

    def program(x):
        states.append(rl._C._get_tracing_state())
        return x + 1

    program(rl.ones(2))
    rl.jit.trace(program, (rl.ones(2),))
    assert states[0] is None and any(state is not None for state in states[1:])
    assert rl._C._get_tracing_state() is None
