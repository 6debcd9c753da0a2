"""The everyday ops under vmap, against a loop over the examples: slices, products, numbers."""

import pytest

import rushlight as rl
from rushlight.func import grad, vmap
from rushlight.nn import functional as F

FUNCTIONS = {
    "slice": lambda a, b: a[1:3] * b[:-2],
    "strided": lambda a, b: a[::2],
    "whole": lambda a, b: a[:],
    "product": lambda a, b: a * b,
    "reflected": lambda a, b: 2 - a / 3,
    "sum": lambda a, b: a.sum() + b.sum(0, keepdim=True),
    "0-d": lambda a, b: a[0] * b[1] + 1,
    "mixed ranks": lambda a, b: a[0] * b,
    "mixed dtypes": lambda a, b: a.double() * b,
    "0-d dtype": lambda a, b: a[0].double() * b,
    "bound": lambda a, b: rl.full((4,), 2.0) * a,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_is_a_loop(name):
    f, a, b = FUNCTIONS[name], rl.randn(3, 4), rl.randn(3, 4)
    got, wanted = rl.vmap(f)(a, b), rl.stack([f(x, y) for x, y in zip(a, b)])
    assert got.dtype == wanted.dtype
    rl.testing.assert_close(got, wanted)
    nested = rl.vmap(rl.vmap(f), in_dims=(0, None))(a.expand(2, 3, 4), b)
    rl.testing.assert_close(nested, wanted.expand(2, *wanted.shape))


def test_slices_of_an_example_without_dimensions_are_refused():
    with pytest.raises(IndexError):
        rl.vmap(lambda x: x[:1])(rl.zeros(3))


def test_modes_see_the_ops_of_examples():
    seen = []

    class Mode(rl.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(getattr(func, "__name__", None))
            return func(*args, **(kwargs or {}))

    def example(x):
        with Mode():
            return (x[:2] * x.sum()).detach()

    rl.vmap(example)(rl.ones(2, 3))
    assert {"__getitem__", "sum", "detach"} <= set(seen)


@pytest.mark.parametrize(
    "scatter",
    [
        lambda x, s: x.diagonal_scatter(s),
        lambda x, s: x.select_scatter(s, 1, 1),
        lambda x, s: x.slice_scatter(s[:, None], 1, 1, 2),
    ],
)
def test_mapped_values_are_scattered_into_a_common_tensor(scatter):
    x, source = rl.arange(12.0).view(3, 4), rl.arange(6.0).view(2, 3)
    found = vmap(scatter, in_dims=(None, 0))(x, source)
    assert rl.equal(found, rl.stack([scatter(x, s) for s in source]))
    slopes = grad(lambda s: vmap(scatter, in_dims=(None, 0))(x, s).square().sum())(source)
    assert rl.equal(slopes, 2 * source)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pixel_shuffle(x, 2),
        lambda x: F.pixel_unshuffle(x, 2),
        lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    ],
)
def test_channels_may_lie_last_under_vmap(function):
    images = rl.arange(192.0).view(2, 1, 4, 4, 6).permute(0, 1, 4, 2, 3)[:, :, :4]
    assert not images[0].is_contiguous()
    assert rl.equal(vmap(function)(images), rl.stack([function(x) for x in images]))
