"""Gradients through samples, against quantiles: with F(x; θ) = u held, dx/dθ is their slope."""

import math

import numpy as np
import pytest

import rushlight as rl

special = pytest.importorskip("scipy.special")
d = rl.distributions


def t(x):
    return rl.tensor(x, dtype=rl.float64)


def slope(quantile, theta, step=1e-4):
    """A central difference of fourth order."""
    h = step * theta
    near = quantile(theta + h) - quantile(theta - h)
    far = quantile(theta + 2 * h) - quantile(theta - 2 * h)
    return (8 * near - far) / (12 * h)


@pytest.mark.parametrize("shape", [0.03, 0.4, 1.0, 1.7, 9.0, 80.0, 2500.0])
def test_gamma_slopes(shape):
    u = np.array([1e-4, 0.02, 0.3, 0.5, 0.9, 0.9999])
    x = special.gammaincinv(shape, u)
    keep = x > 1e-250
    got = rl._standard_gamma_grad(rl.full((int(keep.sum()),), shape, dtype=rl.float64), t(x[keep]))
    expected = slope(lambda a: special.gammaincinv(a, u[keep]), shape)
    np.testing.assert_allclose(got.numpy(), expected, rtol=2e-6)


@pytest.mark.parametrize("width", [1, 15, 16, 17, 255, 257, 600])
def test_gamma_slopes_of_mixed_shapes(width):
    rng = np.random.default_rng(width)
    a = np.exp(rng.uniform(np.log(0.03), np.log(2e4), width)).astype(np.float32)
    u = rng.uniform(0.001, 0.999, width)
    x = special.gammaincinv(a.astype(np.float64), u).astype(np.float32)
    keep = x > 1e-30
    a, x = a[keep].astype(np.float64), x[keep].astype(np.float64)
    if not len(a):
        return
    u = special.gammainc(a, x)
    expected = slope(lambda b: special.gammaincinv(b, u), a)
    got = rl._standard_gamma_grad(t(a), t(x))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5)
    short = rl._standard_gamma_grad(t(a).float(), t(x).float())
    np.testing.assert_allclose(short.numpy(), got.numpy(), rtol=2e-6)


def test_gamma_slopes_far_below_a_huge_shape():
    low, high = rl._standard_gamma_grad(t([0.9999e10, 1.0001e10]), t([0.5, 0.5])).tolist()
    assert 0 < high < low < 1.0005 * high


def test_gamma_slope_of_huge_shapes_joins_on():
    z = t([-3.0, 0.5, 4.0])
    shapes = t([[9.99e9], [1.001e10]])
    x = shapes + shapes.sqrt() * z
    below, above = rl._standard_gamma_grad(shapes.expand(2, 3), x)
    np.testing.assert_allclose(below.numpy(), above.numpy(), rtol=1e-5)


@pytest.mark.parametrize("a", [0.05, 0.7, 1.0, 3.0, 40.0, 900.0])
@pytest.mark.parametrize("b", [0.05, 1.0, 2.5, 60.0])
def test_dirichlet_slopes(a, b):
    u = np.array([0.01, 0.2, 0.5, 0.8, 0.99])
    x = special.betaincinv(a, b, u)
    x = x[(x > 1e-100) & (x < 1 - 1e-6)]
    if not x.size:
        return
    u = special.betainc(a, b, x)
    full = lambda v: rl.full((x.size,), v, dtype=rl.float64)
    got = rl._dirichlet_grad(t(x), full(a), full(a + b))
    expected = slope(lambda q: special.betaincinv(q, b, u), a) / (1 - x)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-4)


def test_edges_have_no_slope_or_say_so():
    assert rl._standard_gamma_grad(t([2.0]), t([0.0])) == 0
    assert rl._standard_gamma_grad(t([-1.0]), t([1.0])).isnan()
    assert rl._dirichlet_grad(t([0.0]), t([1.0]), t([2.0])) == 0
    assert rl._dirichlet_grad(t([1.5]), t([1.0]), t([2.0])).isnan()
    with pytest.raises(RuntimeError, match="one shape"):
        rl._standard_gamma_grad(rl.ones(2), rl.ones(3))
    with pytest.raises(NotImplementedError):
        rl._standard_gamma_grad(rl.ones(2, dtype=rl.int64), rl.ones(2, dtype=rl.int64))
    assert rl._dirichlet_grad(rl.ones(0), rl.ones(0), rl.ones(0)).shape == (0,)


#: distribution of one parameter, its value, the mean's derivative in it
MEANS = {
    "Beta": (lambda p: d.Beta(p, t(2.0)), 3.0, 2 / 25),
    "Chi2": (lambda p: d.Chi2(p), 3.0, 1.0),
    "ContinuousBernoulli": (lambda p: d.ContinuousBernoulli(logits=p), 0.0, 1 / 12),
    "Dirichlet": (lambda p: d.Dirichlet(rl.stack([p, t(2.0), t(1.0)])), 3.0, None),
    "Exponential": (lambda p: d.Exponential(p), 2.0, -0.25),
    "FisherSnedecor": (lambda p: d.FisherSnedecor(t(3.0), p), 12.0, -2 / 100),
    "Gamma": (lambda p: d.Gamma(p, t(2.0)), 1.5, 0.5),
    "Gumbel": (lambda p: d.Gumbel(t(0.0), p), 1.0, 0.5772156649),
    "HalfNormal": (lambda p: d.HalfNormal(p), 2.0, math.sqrt(2 / math.pi)),
    "InverseGamma": (lambda p: d.InverseGamma(p, t(2.0)), 5.0, -2 / 16),
    "Laplace": (lambda p: d.Laplace(p, t(1.0)), 0.5, 1.0),
    "LogNormal": (lambda p: d.LogNormal(p, t(0.5)), 0.0, math.exp(0.125)),
    "Normal": (lambda p: d.Normal(p, t(1.0)), 0.5, 1.0),
    "Pareto": (lambda p: d.Pareto(p, t(5.0)), 2.0, 1.25),
    "Uniform": (lambda p: d.Uniform(t(0.0), p), 2.0, 0.5),
    "Weibull": (lambda p: d.Weibull(p, t(2.0)), 2.0, math.gamma(1.5)),
}


@pytest.mark.parametrize("name", MEANS)
def test_gradient_of_the_mean_by_samples(name):
    make, value, expected = MEANS[name]
    p = t(value).requires_grad_()
    drawn = make(p).rsample((40000,))
    if expected is None:
        drawn, expected = drawn[:, 0], 3 / 36
    drawn.mean().backward()
    assert math.isclose(p.grad, expected, rel_tol=0.08), float(p.grad)


def test_variance_of_student_moves_with_df():
    df = t(9.0).requires_grad_()
    drawn = d.StudentT(df).rsample((200000,))
    drawn.pow(2).mean().backward()
    assert math.isclose(df.grad, -2 / 49, rel_tol=0.15)


def test_normal_vectors_and_wishart_carry_gradients():
    root = t([[1.0, 0.0], [0.5, 2.0]]).requires_grad_()
    x = d.MultivariateNormal(t([0.0, 0.0]), scale_tril=root).rsample((50000,))
    x.pow(2).sum(-1).mean().backward()
    np.testing.assert_allclose(root.grad.tril().numpy(), 2 * root.detach().numpy(), atol=0.15)
    df = t(6.0).requires_grad_()
    d.Wishart(df, scale_tril=root.detach()).rsample((20000,)).sum((-2, -1)).mean().backward()
    sigma = (root @ root.T).detach()
    assert math.isclose(df.grad, sigma.sum(), rel_tol=0.05)


def test_straight_through():
    p = t([0.2, 0.8]).requires_grad_()
    drawn = d.OneHotCategoricalStraightThrough(p).rsample()
    assert sorted(drawn.tolist()) == pytest.approx([0, 1])
    (drawn * t([1.0, 3.0])).sum().backward()
    np.testing.assert_allclose(p.grad.numpy(), [-1.6, 0.4])  # through the normalisation


def test_second_derivatives_are_refused():
    a = t(2.0).requires_grad_()
    x = d.Gamma(a, t(1.0)).rsample()
    (g,) = rl.autograd.grad(x, a, create_graph=True)
    with pytest.raises(NotImplementedError, match="only once"):
        g.backward()


def test_samples_without_gradients():
    loc = t(0.0).requires_grad_()
    assert not d.Normal(loc, 1.0).sample().requires_grad
    assert d.Normal(loc, 1.0).rsample().requires_grad
    for kind in (d.Poisson(t(2.0)), d.VonMises(t(0.0), t(1.0)), d.Categorical(t([1.0, 1.0]))):
        assert not kind.has_rsample
        with pytest.raises(NotImplementedError, match="score-function"):
            kind.rsample()


def test_log_prob_gradients_at_borders_are_finite():
    p = t([0.0, 0.5, 1.0]).requires_grad_()
    d.Binomial(4, logits=rl.zeros(3).double()).log_prob(t([0.0, 2.0, 4.0]))
    logits = t([0.0]).requires_grad_()
    d.Binomial(4, logits=logits).log_prob(t([1.0])).backward()
    assert math.isclose(logits.grad, 1 - 4 / 2)
    d.Geometric(rl.where(p == 0, 0.5, p)).log_prob(t([0.0, 0.0, 0.0])).sum().backward()
    assert p.grad.isfinite().all()
    df = t([2.0, 4.0]).requires_grad_()
    d.FisherSnedecor(t(3.0), df).mean[1].backward()
    assert df.grad.isfinite().all()
