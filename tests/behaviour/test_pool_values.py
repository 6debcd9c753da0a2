"""Max pooling of inputs without gradients, which finds no indices."""

import pytest

import rushlight as rl

F = rl.nn.functional
INF, NAN = float("inf"), float("nan")

# size, kernel, stride, padding, dilation, ceil_mode
GEOMETRIES = [
    ((3, 400), 2, 2, 0, 1, False),
    ((3, 67), 3, 2, 1, 1, True),
    ((2, 97), 3, 3, 1, 1, False),
    ((2, 50), 5, 1, 2, 1, False),
    ((3, 33), 2, 4, 1, 2, False),
    ((20, 9, 7), 3, 2, 1, 1, True),
    ((20, 19, 41), (2, 3), (1, 2), (1, 0), 1, False),
    ((5, 40, 40), 11, 3, 5, 1, False),
    ((18, 5, 6, 7), 2, 2, 0, 1, False),
    ((8, 10, 12, 12), 3, 2, 1, 1, False),
]


def pool(x, window, **options):
    return getattr(F, f"max_pool{x.dim() - 2}d")(x, *window, **options)


def bits(x):
    return x.view({1: rl.int8, 2: rl.int16, 4: rl.int32, 8: rl.int64}[x.element_size()])


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.int32])
@pytest.mark.parametrize("size, kernel, stride, padding, dilation, ceil", GEOMETRIES)
def test_values_with_and_without_indices_agree(
    size, kernel, stride, padding, dilation, ceil, dtype
):
    rl.manual_seed(0)
    x = rl.randint(-3, 4, (2, *size)).to(dtype)  # with ties
    if dtype.is_floating_point:
        x = x * rl.where(rl.rand(x.shape) < 0.5, -1, 1).to(dtype)  # zeros of both signs
        x = x.masked_fill(rl.rand(x.shape) < 0.05, NAN).masked_fill(rl.rand(x.shape) < 0.2, -INF)
    window = kernel, stride, padding, dilation, ceil
    layouts = [x, x.transpose(0, 1), x.flip(-1)]
    if x.dim() > 3:
        last = rl.channels_last if x.dim() == 4 else rl.channels_last_3d
        layouts.append(x.contiguous(memory_format=last))
    for laid in layouts:
        values, places = pool(laid, window, return_indices=True)
        got = pool(laid, window)
        assert got.stride() == values.stride() and got.dtype == values.dtype
        picked = laid.flatten(2).gather(2, places.flatten(2)).view(got.shape)
        assert rl.equal(bits(got), bits(values)) and rl.equal(bits(got), bits(picked))


def test_transforms_of_inputs_without_gradients():
    rl.manual_seed(0)
    x, t = rl.randn(4, 3, 12, dtype=rl.float64), rl.randn(4, 3, 12, dtype=rl.float64)
    wanted = x.clone().requires_grad_()
    slope = rl.autograd.grad(F.max_pool1d(wanted, 3, 2).sin().sum(), wanted)[0]
    assert rl.equal(rl.func.grad(lambda a: F.max_pool1d(a, 3, 2).sin().sum())(x), slope)
    each = rl.func.vmap(rl.func.grad(lambda a: F.max_pool1d(a, 3, 2).sin().sum()))(x)
    assert rl.equal(each, slope)
    assert rl.equal(rl.func.vmap(lambda a: F.max_pool1d(a, 3, 2))(x), F.max_pool1d(x, 3, 2))
    value, tangent = rl.func.jvp(lambda a: F.max_pool1d(a, 3, 2), (x,), (t,))
    places = F.max_pool1d(x, 3, 2, return_indices=True)[1]
    assert rl.equal(value, x.gather(2, places)) and rl.equal(tangent, t.gather(2, places))


def test_gradient_that_is_wanted_later():
    x = rl.tensor([[[1.0, 3.0, NAN, 2.0]]], requires_grad=True)
    with rl.no_grad():
        assert not F.max_pool1d(x, 2).requires_grad
    out = F.max_pool1d(x, 2)
    assert out.requires_grad and rl.autograd.grad(out.sum(), x)[0].tolist() == [[[0, 1, 1, 0]]]


def test_meta_and_empty():
    assert F.max_pool2d(rl.ones(2, 3, 8, 8, device="meta"), 2).shape == (2, 3, 4, 4)
    assert F.max_pool2d(rl.ones(0, 3, 8, 8), 2).shape == (0, 3, 4, 4)
