"""`utils.swap_tensors`: two tensors become each other; and modules that convert and load by it."""

import gc
import pathlib
import random
import weakref

import pytest

import rushlight as rl

swap = rl.utils.swap_tensors
nn = rl.nn


@pytest.fixture
def swapping():
    rl.__future__.set_swap_module_params_on_conversion(True)
    yield
    rl.__future__.set_swap_module_params_on_conversion(False)


def test_contents_classes_and_attributes_change_places():
    a, b = nn.Parameter(rl.ones(2)), rl.zeros(3, 1, 1, 1, 1, 1, dtype=rl.float64)
    a.first, b.second, held = 1, 2, [a, b]
    memory = a.data_ptr(), b.data_ptr()
    assert swap(a, b) is None and held[0] is a and held[1] is b
    assert type(a) is rl.Tensor and type(b) is nn.Parameter
    assert (a.shape, a.dtype, b.shape) == ((3, 1, 1, 1, 1, 1), rl.float64, (2,))
    assert b.requires_grad and not a.requires_grad and (b.data_ptr(), a.data_ptr()) == memory
    assert vars(a) == {"second": 2} and vars(b) == {"first": 1}
    assert (a + 1).sum() == 3 and (b * 2).tolist() == [2, 2]
    swap(a, a)
    assert a.shape == (3, 1, 1, 1, 1, 1)


def test_gradients_hooks_and_places_in_graphs_go_along():
    x, grad = rl.ones(2, requires_grad=True), rl.full((2,), 5.0)
    x.grad = grad
    x.register_hook(lambda g: g * 3)
    y, b, c = x * 2, rl.zeros(3), rl.zeros(1)
    swap(y, c)
    c.sum().backward()
    assert y.grad_fn is None and x.grad.tolist() == [11, 11]
    swap(x, b)
    assert x.grad is None and b.grad.tolist() == [11, 11]
    (b * 1).sum().backward()
    assert b.grad.tolist() == [14, 14]


class Slots(rl.Tensor):
    __slots__ = ("p", "q")


def test_slots_change_places_and_have_to_be_the_same():
    a, b = rl.ones(2).as_subclass(Slots), rl.zeros(3).as_subclass(Slots)
    a.p = 1
    swap(a, b)
    assert b.p == 1 and not hasattr(a, "p")
    with pytest.raises(RuntimeError, match="slots"):
        swap(a, rl.ones(2))


def test_what_would_mean_the_other_tensor_is_refused():
    a, b = rl.ones(2), rl.zeros(3)
    kept = weakref.ref(b)
    for pair in ((a, b), (b, a)):
        with pytest.raises(RuntimeError, match="weak"):
            swap(*pair)
    assert kept() is b
    x = rl.ones(2, requires_grad=True)
    x.grad = a
    for pair in ((x, a), (a, a[:1])):
        with pytest.raises(RuntimeError, match="other tensor"):
            swap(*pair)
    with pytest.raises(TypeError):
        swap(a, 3)


def test_graphs_of_swapped_tensors_do_not_run():
    x = rl.ones(2, requires_grad=True)
    out = (x * 2).sum()
    swap(x, rl.zeros(3))
    with pytest.raises(RuntimeError, match="swap_tensors"):
        out.backward()
    saved, weight, other = rl.ones(2), rl.ones(2, requires_grad=True), rl.zeros(2).add_(1)
    out = (saved * weight).sum()
    swap(saved, other)
    with pytest.raises(RuntimeError, match="modified"):
        out.backward()


def test_many_swaps_leave_everything_whole():
    draw = random.Random(0)
    tensors = [rl.randn([2] * (k % 8)) for k in range(10)]
    tensors += [nn.Parameter(rl.ones(3)), rl.eye(3).to_sparse()]
    tensors[4].other = tensors[5]
    (tensors[10] * 2).sum().backward()
    shapes = sorted(tuple(t.shape) for t in tensors)
    for _ in range(300):
        swap(*draw.sample(tensors, 2))
    assert sorted(tuple(t.shape) for t in tensors) == shapes
    assert [(t * 2).shape for t in tensors] == [t.shape for t in tensors]
    del tensors
    gc.collect()


def test_modules_convert_by_swapping(swapping):
    layer = nn.Linear(2, 3)
    weight, bias = layer.weight, layer.bias
    layer(rl.ones(1, 2)).sum().backward()
    grad = weight.grad
    layer.double()
    assert layer.weight is weight and weight.grad is grad and isinstance(weight, nn.Parameter)
    assert weight.dtype == grad.dtype == rl.float64 and weight.requires_grad
    out = layer(rl.ones(1, 2, dtype=rl.float64))
    layer.to("meta")
    assert layer.bias is bias and bias.is_meta
    with pytest.raises(RuntimeError, match="swap_tensors"):
        out.sum().backward()
    kept = weakref.ref(weight)
    with pytest.raises(RuntimeError, match="swap"):
        layer.half()
    assert kept() is weight and weight.grad is grad


@pytest.mark.parametrize("assign", [False, True])
def test_modules_load_by_swapping(swapping, assign):
    layer = nn.Linear(2, 3)
    weight = layer.weight
    state = {name: value.double() * 0 for name, value in layer.state_dict().items()}
    layer.load_state_dict(state, assign=assign)
    assert layer.weight is weight and isinstance(weight, nn.Parameter) and weight.requires_grad
    assert weight.dtype == (rl.float64 if assign else rl.float32) and not weight.any()


def test_nodes_take_hooks_before_anything_else_was_asked_of_autograd():
    import subprocess
    import sys

    program = (
        "import rushlight as rl; y = rl.ones(1, requires_grad=True) * 2; "
        "y.grad_fn.register_hook(print); y.grad_fn.register_prehook(print); y.backward()"
    )
    beside = pathlib.Path(rl.__file__).parents[1]  # not the sources, which may lack native parts
    subprocess.run([sys.executable, "-c", program], check=True, cwd=beside)
