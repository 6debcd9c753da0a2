"""Operators and functions that programs define, within `vmap`, `grad` and `jvp`."""

import math

import pytest

import rushlight as rl
from rushlight.func import grad, hessian, jvp, vmap

X = rl.arange(6.0).reshape(2, 3)


def keep(ctx, inputs, output):
    ctx.save_for_backward(inputs[0])


@pytest.fixture
def cube():
    @rl.library.custom_op("mapped::cube", mutates_args=())
    def cube(x: rl.Tensor, k: float = 1.0) -> tuple[rl.Tensor, rl.Tensor]:
        numbers = x.detach().numpy()  # which no transform looks into
        return rl.tensor(numbers**3 * k), rl.tensor(-numbers)

    cube.register_autograd(
        lambda ctx, g, _: (3 * g * ctx.saved_tensors[0] ** 2, None), setup_context=keep
    )
    return cube


def test_without_a_rule_it_runs_for_each_example(cube):
    cubes, negated = vmap(cube, in_dims=(1, None))(X, 2.0)
    assert cubes.equal(2 * X.T**3) and negated.equal(-X.T)
    assert vmap(vmap(cube))(X)[0].equal(X**3)


@pytest.mark.parametrize("with_rule", [False, True])
def test_gradients_within_and_around(cube, with_rule):
    if with_rule:
        cube.register_vmap(lambda info, dims, x, *k: (cube(x, *k), (dims[0],) * 2))
    assert vmap(grad(lambda x: cube(x)[0].sum()))(X).equal(3 * X**2)
    assert grad(lambda x: vmap(lambda y: cube(y)[0])(x).sum())(X).equal(3 * X**2)


def test_rules_are_told_what_is_mapped(cube):
    seen = []

    @cube.register_vmap
    def rule(info, in_dims, x, k):
        seen.append((info.batch_size, info.randomness, in_dims, k, tuple(x.shape)))
        return cube(x, k), (None if in_dims[0] is None else 0, in_dims[0])

    assert vmap(lambda x: cube(x, 2.0)[0].sum())(X).tolist() == [18, 432]
    assert seen == [(2, "error", (0, None), 2.0, (2, 3))]


def test_rules_of_lists():
    @rl.library.custom_op("mapped::total", mutates_args=())
    def total(parts: list[rl.Tensor], y: rl.Tensor) -> rl.Tensor:
        return sum(parts) + y

    @rl.library.register_vmap("mapped::total")
    def rule(info, in_dims, parts, y):
        assert list(in_dims[0]) == [0, None] and in_dims[1] is None
        return total(parts, y), 0

    assert vmap(lambda x: total([x, rl.ones(3)], rl.ones(3)))(X).equal(X + 2)


class Product(rl.autograd.Function):
    @staticmethod
    def forward(x, y):
        return rl.tensor(x.numpy() * y.numpy())  # which no transform looks into

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return Product.apply(g, y), Product.apply(g, x)

    @staticmethod
    def vmap(info, in_dims, x, y):
        x, y = [
            v.expand(info.batch_size, *v.shape) if d is None else v.movedim(d, 0)
            for v, d in zip((x, y), in_dims)
        ]
        return Product.apply(x, y), 0

    @staticmethod
    def jvp(ctx, x_change, y_change):
        x, y = ctx.saved_tensors
        return Product.apply(x_change, y) + Product.apply(x, y_change)


class Exponential(rl.autograd.Function):
    """In place."""

    @staticmethod
    def forward(x):
        numbers = x.numpy()
        numbers[...] = 2.0**numbers
        return x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_dirty(inputs[0])
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx, g):
        return Product.apply(g, ctx.saved_tensors[0] * LOG_2)

    @staticmethod
    def vmap(info, in_dims, x):
        return Exponential.apply(x), in_dims[0]

    @staticmethod
    def jvp(ctx, change):
        return change.mul_(ctx.saved_tensors[0] * LOG_2)


LOG_2 = math.log(2)
FUNCTIONS = {
    "product": (lambda x: Product.apply(x, 2 * x), lambda x: 4 * x, lambda x: 4 * rl.ones_like(x)),
    "in place": (
        lambda x: Exponential.apply(x * 1),
        lambda x: LOG_2 * 2**x,
        lambda x: LOG_2**2 * 2**x,
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_keep_their_rules_where_they_are_recorded(name):
    function, first, second = FUNCTIONS[name]

    def slope(x):
        return grad(lambda x: function(x).sum())(x)

    def pushed(x):
        return jvp(slope, (x,), (rl.ones_like(x),))[1]

    rl.testing.assert_close(slope(X), first(X))
    rl.testing.assert_close(vmap(slope)(X), first(X))
    rl.testing.assert_close(pushed(X), second(X))
    rl.testing.assert_close(vmap(pushed)(X), second(X))
    rl.testing.assert_close(jvp(vmap(slope), (X,), (rl.ones_like(X),))[1], second(X))
    found = hessian(lambda x: function(x).sum())(X[0])
    rl.testing.assert_close(found, second(X[0]).diag())
