"""Forward mode where memory is written, and where values are cut off from what they came from."""

import pytest

import rushlight as rl
from rushlight.autograd import forward_ad
from rushlight.func import grad, hessian, jacfwd, jacrev, jvp, vmap

X = rl.tensor([0.5, 1.0, 2.0], dtype=rl.float64)
ONE = rl.ones_like(X)


def into_zeros(x):
    y = rl.zeros(3, dtype=x.dtype)
    y[0] = x[1] * x[2]
    y.add_(x)
    return y * x


def into_views(x):
    y = rl.zeros(2, 3, dtype=x.dtype)
    row, rest = y[0], y[1]
    row.copy_(x.sin())
    rest[1:] = row[:2].clone() * x[1:]
    return y.flatten()[1:] * x.prod()


def products(x):
    y = x.clone()
    y.mul_(x).mul_(y.clone())
    y[0] = 3 * x[1]
    return y


def into_ones(x):
    y = rl.ones(3, dtype=x.dtype)
    return y.mul_(x).div_(x + 2)


SECOND = {
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
    "forward over reverse": hessian,
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "reverse over reverse": lambda f: jacrev(jacrev(f)),
}


def _differences(f, x, step=1e-4):
    columns = [(f(x + step * e) - f(x - step * e)) / (2 * step) for e in rl.eye(3, dtype=x.dtype)]
    return rl.stack(columns, -1)


@pytest.mark.parametrize("function", [into_zeros, into_views, products, into_ones])
def test_writes_in_place_are_differentiated(function):
    rl.testing.assert_close(jacfwd(function)(X), _differences(function, X), rtol=1e-6, atol=1e-6)
    expected = _differences(lambda x: _differences(function, x), X)
    for name, second in SECOND.items():
        rl.testing.assert_close(second(function)(X), expected, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    "cut", [lambda x: x.detach(), lambda x: x.data, lambda x: (x * 1).detach_()]
)
def test_detached_values_have_no_tangent(cut):
    def f(x):
        return cut(x) * x

    assert jvp(f, (X,), (ONE,))[1].equal(X)
    assert jvp(lambda y: jvp(f, (y,), (ONE,))[1], (X,), (ONE,))[1].equal(0 * X)
    assert jvp(lambda x: grad(lambda y: f(y).sum())(x), (X,), (ONE,))[1].equal(0 * X)
    assert grad(lambda x: jvp(f, (x,), (ONE,))[1].sum())(X).equal(0 * X)
    assert vmap(lambda x: jvp(f, (x,), (rl.ones_like(x),))[1])(X).equal(X)
    assert jvp(lambda x: vmap(f)(x), (X,), (ONE,))[1].equal(X)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(X, ONE)
        assert forward_ad.unpack_dual(dual.detach()).tangent is None
        assert forward_ad.unpack_dual(dual).tangent is ONE


def test_what_is_written_to_changes_nothing_else():
    """A tangent may be that of several values, and the caller's own."""
    given = rl.ones_like(X)

    def f(x):
        y = x + 1
        y.mul_(2)
        wide = x.expand(2, 3) * 1
        before = wide + 0
        wide[0] = 5 * wide[1]
        return x * 1, y, before, wide

    outputs, tangents = jvp(f, (X,), (given,))
    expected = ONE, 2 * ONE, rl.stack([ONE, ONE]), rl.stack([5 * ONE, ONE])
    for found, wanted in zip(tangents, expected):
        rl.testing.assert_close(found, wanted)
    assert given.equal(ONE)


@pytest.mark.parametrize("name", ["exp_", "tanh_", "sinc_", "sqrt_", "sigmoid_", "lgamma_", "log_"])
def test_every_order_of_functions_in_place(name):
    def changed(x):
        y = x * 1
        getattr(y[1:], name)()
        return y.prod()

    def plain(x):
        return rl.cat([x[:1], getattr(x[1:], name[:-1])()]).prod()

    for order, second in SECOND.items():
        rl.testing.assert_close(second(changed)(X), second(plain)(X), msg=order)


def test_views_in_place():
    def changed(x):
        y = (x * x).unsqueeze_(0)
        y.transpose_(0, 1).mul_(x[0]).squeeze_()
        return y * y.unsqueeze(-1).exp_().sum()  # which changes y, too

    def plain(x):
        y = x * x * x[0]
        return y.exp() * y.exp().sum()

    rl.testing.assert_close(vmap(changed)(rl.stack([X, -X]))[1], plain(-X))
    for order, second in SECOND.items():
        rl.testing.assert_close(second(changed)(X), second(plain)(X), msg=order)


def test_compositions_in_place_read_what_was_there():
    x, one = X + 1, ONE

    def f(x):
        return (x * 1).mvlgamma_(2).sum()

    slope, curvature = jvp(grad(f), (x,), (one,))
    rl.testing.assert_close(slope, x.digamma() + (x - 0.5).digamma())
    rl.testing.assert_close(curvature, x.polygamma(1) + (x - 0.5).polygamma(1))


def test_duals_of_what_requires_gradients_lead_back_to_it():
    x = X.clone().requires_grad_()
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, ONE)
        (found,) = rl.autograd.grad((dual**3).sum(), x)
        assert forward_ad.unpack_dual(found).primal.allclose(3 * X**2)
        assert forward_ad.unpack_dual(found).tangent.allclose(6 * X)
        with pytest.raises(RuntimeError, match="has a tangent"):
            forward_ad.make_dual(ONE, dual)


def test_modulus_at_zero_has_a_second_derivative():
    z, t = rl.zeros(1, dtype=rl.complex128), rl.ones(1, dtype=rl.complex128)
    slope = jvp(lambda z: jvp(rl.abs, (z,), (t,))[1], (z,), (t,))
    assert slope[0].tolist() == [0.0] and slope[1].tolist() == [0.0]


def test_sparse_tensors_carry_tangents():
    x, t = A * (A > 0.6), A.sin()
    expected = t * (A > 0.6)
    for through in (lambda x: x.to_sparse().to_dense(), lambda x: x.to_sparse_csr().to_dense()):
        rl.testing.assert_close(jvp(through, (x,), (t,))[1], expected)
    rl.testing.assert_close(
        jvp(lambda x: rl.sparse.mm(x.to_sparse(), A), (x,), (t,))[1], expected @ A
    )
    with pytest.raises(NotImplementedError, match="sparse"):
        jvp(lambda x: x.to_sparse(), (x,), (t,))


def test_recomputed_values_keep_their_tangents():
    def f(x):
        return rl.utils.checkpoint.checkpoint(lambda x: x.sin() * x, x, use_reentrant=False).sum()

    slope = jvp(grad(f), (X,), (ONE,))[1]
    rl.testing.assert_close(slope, 2 * X.cos() - X * X.sin())


def test_a_detached_value_shares_memory():
    def f(x):
        y = x * 1
        y.detach().mul_(2)
        return y

    assert jvp(f, (X,), (ONE,))[0].equal(2 * X)


A = rl.tensor([[2.0, 0.5, 1.0], [0.3, 1.5, -1.0], [0.7, 0.2, 3.0]], dtype=rl.float64)


@pytest.mark.parametrize(
    "function",
    [
        rl.det,
        lambda a: rl.linalg.slogdet(a).logabsdet,
        lambda a: rl.linalg.solve(a, a[0]).sum(),
        lambda a: rl.linalg.eigvals(a).abs().square().sum(),
        lambda a: rl.linalg.lstsq(a[:, :2], a[:, 2:]).solution.sum(),
        lambda a: rl.nn.functional.layer_norm(a, (3,), a[0]).pow(3).sum(),
        lambda a: rl.nn.functional.group_norm(a, 1).pow(3).sum(),
        lambda a: rl.nn.functional.ctc_loss(
            a.log_softmax(-1).unsqueeze(1), rl.tensor([[1]]), [3], [1]
        ),
    ],
)
def test_orders_of_what_saves_parts_of_its_computation(function):
    """Factors and statistics that a gradient rule reuses have derivatives themselves."""
    a, t = A, A.cos()
    expected = jacrev(jacrev(function))(a)
    for name, second in SECOND.items():
        rl.testing.assert_close(second(function)(a), expected, msg=name)
    assert vmap(hessian(function))(rl.stack([a, a]))[1].allclose(expected)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(a, t).requires_grad_()
        (found,) = rl.autograd.grad(function(dual), dual)
        tangent = forward_ad.unpack_dual(found).tangent
    rl.testing.assert_close(tangent, (expected * t).sum((2, 3)))
