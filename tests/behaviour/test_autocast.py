"""Mixed precision: dtypes under autocast against recorded PyTorch, training with it, GradScaler.

Cases are in tests/data/autocast_cases.py.
"""

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl

SETUP, ANSWERS = answers("autocast")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_dtypes_are_those_recorded(text):
    assert evaluate(text, rl, numpy, SETUP) == ANSWERS[text]


def test_gradients_arrive_in_the_dtype_of_the_parameters():
    model = rl.nn.Sequential(rl.nn.Linear(4, 8), rl.nn.ReLU(), rl.nn.Linear(8, 2))
    with rl.autocast("cpu"):
        out = model(rl.ones(3, 4))
        loss = rl.nn.functional.mse_loss(out, rl.zeros(3, 2))
    assert (out.dtype, loss.dtype) == (rl.bfloat16, rl.float32)
    loss.backward()
    assert {p.grad.dtype for p in model.parameters()} == {rl.float32}


def test_a_parameter_is_cast_once_within_the_outermost_block():
    w, x = rl.randn(3, 3, requires_grad=True), rl.randn(3, 3)

    def cast_nodes(**options):
        with rl.autocast("cpu", **options):
            a = x @ w
            with rl.autocast("cpu", **options), rl.no_grad():
                x @ w
            b = x @ w
        return [y.grad_fn.next_functions[1][0] for y in (a, b)]

    first, second = cast_nodes()
    assert first is second
    third, fourth = cast_nodes(cache_enabled=False)
    assert third is not fourth
    assert cast_nodes()[0] is not first


def test_arguments_that_are_cast():
    x, functional = rl.ones(2, 2), rl.nn.functional
    with rl.autocast("cpu"):
        for given in (x, x.half(), x.bfloat16()):
            assert functional.linear(given, weight=x, bias=None).dtype == rl.bfloat16
        assert functional.linear(x.double(), x.double()).dtype == rl.float64
        assert rl.mm(x.long(), x.long()).dtype == rl.int64
        low = rl.mm(x, x)
        assert rl.cat([low, low]).dtype == rl.bfloat16
        assert rl.cat((low, x)).dtype == rl.float32
        assert rl.mm(low, mat2=low).dtype == rl.bfloat16
        assert functional.linear(x.to("meta"), x.to("meta")).dtype == rl.float32


def test_blocks_nest_and_restore_what_was_before():
    x = rl.ones(2, 2)
    with rl.autocast("cpu", dtype=rl.float16):
        assert (x @ x).dtype == rl.float16
        with rl.autocast("cpu", enabled=False):
            assert (x @ x).dtype == rl.float32 and not rl.is_autocast_enabled("cpu")
            with rl.autocast("cpu"):
                assert (x @ x).dtype == rl.float16  # the dtype of the surrounding block
        assert (x @ x).dtype == rl.float16
    assert (x @ x).dtype == rl.float32 and rl.get_autocast_dtype("cpu") == rl.bfloat16
    assert not rl._native.interposer_stack()


def test_an_error_inside_turns_it_off_again():
    with pytest.raises(RuntimeError), rl.autocast("cpu"):
        rl.ones(2, 3) @ rl.ones(2, 3)
    assert (rl.ones(1, 1) @ rl.ones(1, 1)).dtype == rl.float32


def test_it_is_the_affair_of_one_thread():
    import threading

    found = []
    with rl.autocast("cpu"):
        thread = threading.Thread(target=lambda: found.append(rl.ones(1, 1).mm(rl.ones(1, 1))))
        thread.start()
        thread.join()
    assert found[0].dtype == rl.float32


def test_as_a_decorator_and_as_functions():
    @rl.autocast("cpu")
    def product(x):
        return x @ x

    assert product(rl.ones(2, 2)).dtype == rl.bfloat16
    rl.set_autocast_enabled("cpu", True)
    rl.set_autocast_dtype("cpu", rl.float16)
    assert rl.ones(2, 2).mm(rl.ones(2, 2)).dtype == rl.float16
    rl.set_autocast_dtype("cpu", rl.bfloat16)
    rl.set_autocast_enabled("cpu", False)
    assert rl.ones(2, 2).mm(rl.ones(2, 2)).dtype == rl.float32
    with pytest.raises(TypeError, match="function to decorate"):
        rl.autocast("cpu")(3)


def test_what_is_not_available_warns_or_raises():
    with pytest.warns(UserWarning, match="cuda"):
        block = rl.autocast("cuda")
    with block:
        assert rl.ones(1, 1).mm(rl.ones(1, 1)).dtype == rl.float32
    with pytest.warns(UserWarning, match="float32"):
        rl.autocast("cpu", dtype=rl.float32)
    with pytest.raises(ValueError, match="device_type"):
        rl.autocast(rl.device("cpu"))
    with pytest.raises(RuntimeError, match="meta"):
        rl.autocast("meta")
    with pytest.warns(FutureWarning), pytest.warns(UserWarning):
        assert not rl.cuda.amp.GradScaler().is_enabled()


def test_modes_see_the_tensors_that_the_user_gave():
    seen = []

    class Watch(rl.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func.__name__ == "mm":
                seen.append(args[0].dtype)
            return func(*args, **(kwargs or {}))

    with Watch(), rl.autocast("cpu"):
        out = rl.mm(rl.ones(1, 1), rl.ones(1, 1))
    assert seen == [rl.float32] and out.dtype == rl.bfloat16


class Cubed(rl.autograd.Function):
    @staticmethod
    @rl.amp.custom_fwd(device_type="cpu", cast_inputs=rl.float32)
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x @ x @ x

    @staticmethod
    @rl.amp.custom_bwd(device_type="cpu")
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        ctx.seen = (g @ x).dtype
        return g @ (x @ x).mT + x.mT @ g @ x.mT + (x @ x).mT @ g


def test_custom_functions_choose_their_precision():
    x = rl.eye(2, requires_grad=True)
    with rl.autocast("cpu"):
        low = x.bfloat16()
        out = Cubed.apply(low)
    assert out.dtype == rl.float32
    with rl.autocast("cpu"):
        out.sum().backward()
    assert x.grad.dtype == rl.float32 and rl.equal(x.grad, rl.tensor([[3.0, 3.0], [3.0, 3.0]]))
    assert Cubed.apply(rl.eye(2).double()).dtype == rl.float64


# ---- GradScaler ------------------------------------------------------------------------------


def one_parameter(**options):
    p = rl.nn.Parameter(rl.ones(2))
    return p, rl.optim.SGD([p], lr=1.0), rl.amp.GradScaler("cpu", **options)


def test_a_step_with_an_infinite_gradient_is_skipped_and_the_scale_shrinks():
    p, opt, scaler = one_parameter(init_scale=8.0, growth_interval=2)
    scaler.scale((p * rl.tensor([1.0, float("inf")])).sum()).backward()
    assert scaler.step(opt) is None
    scaler.update()
    assert rl.equal(p, rl.ones(2)) and scaler.get_scale() == 4.0
    for expected in (4.0, 8.0):
        opt.zero_grad()
        scaler.scale(p.sum() / 4).backward()
        scaler.step(opt)
        scaler.update()
        assert scaler.get_scale() == expected
    assert rl.equal(p.detach(), rl.full((2,), 0.5))


def test_unscaling_by_hand_and_the_order_of_calls():
    p, opt, scaler = one_parameter(init_scale=4.0)
    with pytest.raises(AssertionError, match="scale"):
        scaler.step(opt)
    scaler.scale(p.sum()).backward()
    scaler.unscale_(opt)
    assert rl.equal(p.grad, rl.ones(2))
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(opt)
    scaler.step(opt)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.step(opt)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(opt)
    scaler.update(2.0)
    assert scaler.get_scale() == 2.0
    opt.zero_grad()
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.step(opt)


def test_its_state_is_saved_and_disabled_ones_do_nothing():
    import pickle

    p, opt, scaler = one_parameter(init_scale=4.0, growth_interval=5)
    scaler.scale(p.sum()).backward()
    with pytest.raises(ValueError, match="iterable"):
        scaler.scale(3)
    scaler.step(opt)
    with pytest.raises(AssertionError, match="pickled"):
        pickle.dumps(scaler)
    scaler.update()
    for other in (pickle.loads(pickle.dumps(scaler)), rl.amp.GradScaler("cpu")):
        other.load_state_dict(scaler.state_dict())
        assert other.state_dict() == scaler.state_dict()
        assert other.state_dict()["_growth_tracker"] == 1
    off = rl.amp.GradScaler("cpu", enabled=False)
    assert off.scale(p) is p and off.state_dict() == {} and off.get_scale() == 1.0
    with pytest.raises(RuntimeError, match="empty"):
        scaler.load_state_dict(off.state_dict())


def test_gradients_in_float16_are_refused():
    p = rl.nn.Parameter(rl.ones(2, dtype=rl.float16))
    opt, scaler = rl.optim.SGD([p], lr=1.0), rl.amp.GradScaler("cpu")
    scaler.scale(p.float().sum() / 1e5).backward()
    with pytest.raises(ValueError, match="FP16"):
        scaler.unscale_(opt)
