"""Function transforms: each on its own, in each other, and next to the ordinary tape."""

import math

import pytest

import rushlight as rl
from rushlight.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    stack_module_state,
    vjp,
    vmap,
)

X = rl.tensor([0.5, 1.0, 2.0], dtype=rl.float64)


def cube(x):
    return (x**3).sum()


def assert_equal(a, b):
    rl.testing.assert_close(a, rl.as_tensor(b, dtype=a.dtype).expand(a.shape))


def test_gradients_do_not_confuse_levels():
    inner = grad(lambda x: x * grad(lambda y: x + y)(rl.tensor(1.0)))(rl.tensor(5.0))
    assert inner.item() == 1.0
    product = grad(lambda x: x * grad(lambda y: x * y)(rl.tensor(1.0)))(rl.tensor(5.0))
    assert product.item() == 10.0
    forward = jvp(
        lambda x: x * jvp(lambda y: x * y, (rl.tensor(1.0),), (rl.tensor(1.0),))[1],
        (rl.tensor(5.0),),
        (rl.tensor(1.0),),
    )
    assert forward[1].item() == 10.0


def test_results_are_recorded_only_for_those_further_out():
    assert not grad(cube)(X).requires_grad
    assert not jacrev(rl.sin)(X).requires_grad and not jacfwd(rl.sin)(X).requires_grad
    w = rl.tensor(2.0, requires_grad=True)
    g = grad(lambda x: w * x * x)(rl.tensor(3.0))
    g.backward()
    assert w.grad.item() == 6.0
    x = rl.tensor(3.0, requires_grad=True)
    with rl.no_grad():
        assert not grad(lambda x: x**3)(x).requires_grad


def test_ended_tapes_leave_nothing_behind():
    inner = grad(lambda x, y: grad(lambda a, b: a**2 * b, (0, 1))(x, y)[0], 0)
    assert not inner(X[1], X[2]).requires_grad
    pushed = grad(lambda x: jvp(lambda a, b: rl.atan2(a, b), (x, X[1]), (X[0], X[2]))[1])
    assert not pushed(X[2]).requires_grad
    y, pull = vjp(lambda x: x**3, X)
    assert not any(t.requires_grad for t in jvp(lambda c: pull(c)[0], (X,), (X,)))
    rl.testing.assert_close(grad(lambda c: (pull(c)[0] ** 2).sum())(X), 18 * X**5)
    p = rl.tensor(1.5, requires_grad=True)
    jvp(lambda x: (p * x).sin().sum(), (X,), (X,))[1].backward()
    rl.testing.assert_close(p.grad.double(), ((1.5 * X).cos() - 1.5 * X * (1.5 * X).sin()) @ X)


def test_no_grad_inside_is_heard():
    def f(x):
        with rl.no_grad():
            c = x**2
        return x - c

    assert grad(f)(rl.tensor(2.0)).item() == 1.0
    assert_equal(vmap(grad(f))(X), 1.0)


@pytest.mark.parametrize(
    "second", [hessian, lambda f: jacrev(jacrev(f)), lambda f: jacfwd(jacfwd(f))]
)
def test_second_derivatives(second):
    rl.testing.assert_close(second(cube)(X), rl.diag(6 * X))


def test_compositions_of_grad_and_vmap():
    slopes = rl.cos(X) * X + rl.sin(X)
    rl.testing.assert_close(vmap(grad(lambda x: x.sin() * x))(X), slopes)
    rl.testing.assert_close(grad(lambda x: vmap(lambda y: y.sin() * y)(x).sum())(X), slopes)
    table = vmap(vmap(lambda a, b: a * b, (None, 0)), (0, None))(X, X)
    rl.testing.assert_close(table, rl.outer(X, X))


def test_forward_and_reverse_in_each_other():
    one = rl.ones_like(X)
    rl.testing.assert_close(jvp(grad(cube), (X,), (one,))[1], 6 * X)
    rl.testing.assert_close(grad(lambda x: jvp(lambda y: y**3, (x,), (one,))[1].sum())(X), 6 * X)
    y, push = linearize(rl.sin, X)
    rl.testing.assert_close(push(one), rl.cos(X))
    y, pull = vjp(rl.sin, X)
    rl.testing.assert_close(pull(one)[0], rl.cos(X))


def test_writes_in_place():
    def f(x):
        y = x.clone()
        y[0] = y[1] * 2
        y.mul_(3)
        return y.sum()

    expected = rl.tensor([0.0, 9.0, 3.0], dtype=rl.float64)
    rl.testing.assert_close(grad(f)(X), expected)
    rl.testing.assert_close(vmap(grad(f))(rl.stack([X, X])), rl.stack([expected, expected]))
    assert_equal(jvp(f, (X,), (rl.ones_like(X),))[1], 12.0)

    def into_zeros(x):
        y = rl.zeros(3, dtype=x.dtype)
        y[0] = x[1] * 2
        return (y * x).sum()

    assert_equal(jvp(into_zeros, (X,), (rl.ones_like(X),))[1], 2 * (X[0] + X[1]).item())
    with pytest.raises(RuntimeError, match="not mapped"):
        vmap(into_zeros)(rl.stack([X, X]))


def test_decisions_on_data_are_refused():
    for decide in (lambda x: x.sum().item(), lambda x: x if x.sum() > 0 else -x):
        with pytest.raises(RuntimeError, match="Data-dependent"):
            vmap(decide)(rl.stack([X, X]))
    assert jvp(lambda x: x * 2 if x.sum() > 0 else x, (X,), (X,))[1].equal(X * 2)


def test_randomness():
    def noisy(x):
        return x + rl.randn(2)

    with pytest.raises(RuntimeError, match="randomness"):
        vmap(noisy)(rl.zeros(3))
    rl.manual_seed(0)
    different = vmap(noisy, randomness="different")(rl.zeros(3))
    rl.manual_seed(0)
    assert different.equal(rl.randn(3, 2))
    same = vmap(noisy, randomness="same")(rl.zeros(3))
    assert same[0].equal(same[2])


def test_per_sample_gradients_of_a_model():
    model = rl.nn.Sequential(rl.nn.Linear(3, 4), rl.nn.Tanh(), rl.nn.Linear(4, 2))
    params = {k: v.detach() for k, v in model.named_parameters()}
    x, t = rl.randn(5, 3), rl.randint(0, 2, (5,))

    def loss(params, x, t):
        out = functional_call(model, params, (x.unsqueeze(0),))
        return rl.nn.functional.cross_entropy(out, t.unsqueeze(0))

    grads = vmap(grad(loss), (None, 0, 0))(params, x, t)
    for i in range(5):
        model.zero_grad()
        rl.nn.functional.cross_entropy(model(x[i : i + 1]), t[i : i + 1]).backward()
        for name, p in model.named_parameters():
            rl.testing.assert_close(grads[name][i], p.grad)


def test_ensemble():
    models = [rl.nn.Linear(3, 2) for _ in range(4)]
    params, buffers = stack_module_state(models)
    x = rl.randn(5, 3)
    out = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(params, buffers)
    rl.testing.assert_close(out, rl.stack([m(x) for m in models]))


def test_dimensions_and_chunks():
    x = rl.arange(6.0).reshape(2, 3)
    total, same = vmap(lambda a, b: (a + b, a), in_dims=(1, None), out_dims=(0, 1))(x, rl.ones(2))
    assert total.equal(x.T + 1) and same.equal(x)
    assert vmap(lambda a: a * 2, chunk_size=2)(rl.arange(5)).equal(rl.arange(5) * 2)
    with pytest.raises(ValueError, match="sizes"):
        vmap(rl.add)(rl.ones(2), rl.ones(3))
    with pytest.raises(ValueError, match="in_dim"):
        vmap(rl.sin, in_dims=3)(rl.ones(2))


def test_value_comes_with_gradient():
    g, (value, aux) = grad_and_value(lambda x: (cube(x), x.sum()), has_aux=True)(X)
    assert_equal(value, cube(X).item())
    assert math.isclose(aux.item(), X.sum().item())
    rl.testing.assert_close(g, 3 * X**2)


class Square(rl.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x**2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x

    @staticmethod
    def jvp(ctx, t):
        (x,) = ctx.saved_tensors
        return t * 2 * x


def test_custom_functions():
    one = rl.ones_like(X)
    rl.testing.assert_close(vmap(Square.apply)(X), X**2)
    rl.testing.assert_close(jvp(Square.apply, (X,), (one,))[1], 2 * X)
    rl.testing.assert_close(vmap(grad(Square.apply))(X), 2 * X)
    rl.testing.assert_close(grad(lambda x: vmap(Square.apply)(x).sum())(X), 2 * X)
    rl.testing.assert_close(jvp(grad(lambda x: Square.apply(x).sum()), (X,), (one,))[1], 2 * one)


def test_dual_tensors():
    from rushlight.autograd import forward_ad

    with forward_ad.dual_level():
        dual = forward_ad.make_dual(X, rl.ones_like(X))
        primal, tangent = forward_ad.unpack_dual(dual * dual)
        assert forward_ad.unpack_dual(X).tangent is None
    assert primal.equal(X * X) and tangent.equal(2 * X)
    with pytest.raises(RuntimeError, match="level"):
        forward_ad.make_dual(X, X)


def test_batched_gradients_take_one_pass():
    x = X.clone().requires_grad_()
    (rows,) = rl.autograd.grad(x**3, x, rl.eye(3, dtype=x.dtype), is_grads_batched=True)
    rl.testing.assert_close(rows, rl.diag(3 * X**2))


def test_functional_jacobians_in_one_pass():
    from rushlight.autograd import functional

    def f(a, b):
        return a * b, (a**2).sum()

    expected = functional.jacobian(f, (X, X + 1))
    for options in ({}, {"strategy": "forward-mode"}):
        found = functional.jacobian(f, (X, X + 1), vectorize=True, **options)
        for row, wanted in zip(found, expected):
            rl.testing.assert_close(row, wanted)
    forward = {"vectorize": True, "outer_jacobian_strategy": "forward-mode"}
    rl.testing.assert_close(functional.hessian(cube, X, **forward), rl.diag(6 * X))


def test_gradcheck_of_forward_mode_and_batches():
    from rushlight.autograd import gradcheck

    x = X.clone().requires_grad_()
    assert gradcheck(lambda x: (x.sin(), x.cumsum(0)), x, check_forward_ad=True)
    assert gradcheck(lambda x: x.softmax(0), x, check_forward_ad=True, check_batched_grad=True)

    class Wrong(Square):
        @staticmethod
        def jvp(ctx, t):
            return t

    assert gradcheck(Wrong.apply, x)
    with pytest.raises(rl.autograd.GradcheckError, match="Jacobian"):
        gradcheck(Wrong.apply, x, check_forward_ad=True)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "elu", "selu", "hardtanh", "softplus"])
def test_hessians_where_gradients_are_negative(name):
    activation = getattr(rl.nn.functional, name)
    weight = rl.tensor([1.0, -1.0, -3.0])
    x = rl.tensor([0.2, 0.3, -0.4])

    def function(x):
        return (activation(x) * x * weight).sum()

    assert rl.allclose(hessian(function)(x), jacrev(jacrev(function))(x), atol=1e-5)
