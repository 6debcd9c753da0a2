"""Kullback-Leibler divergences against quadrature and sums, and the choice among formulas."""

import math
import warnings

import numpy as np
import pytest

import rushlight as rl
from rushlight.testing import assert_close

integrate = pytest.importorskip("scipy.integrate")
special = pytest.importorskip("scipy.special")
d = rl.distributions


def t(x):
    return rl.tensor(x, dtype=rl.float64)


P = {
    "Beta": d.Beta(t(1.5), t(2.5)),
    "ContinuousBernoulli": d.ContinuousBernoulli(t(0.3)),
    "Exponential": d.Exponential(t(1.7)),
    "Gamma": d.Gamma(t(2.5), t(1.5)),
    "Gumbel": d.Gumbel(t(0.5), t(0.8)),
    "HalfNormal": d.HalfNormal(t(1.4)),
    "Laplace": d.Laplace(t(0.5), t(0.8)),
    "LogNormal": d.LogNormal(t(0.2), t(0.6)),
    "Normal": d.Normal(t(0.5), t(1.3)),
    "Pareto": d.Pareto(t(1.2), t(3.5)),
    "Cauchy": d.Cauchy(t(0.5), t(1.3)),
    "Chi2": d.Chi2(t(3.0)),
    "Uniform": d.Uniform(t(0.25), t(0.75)),
}
Q = {
    "Beta": d.Beta(t(2.0), t(1.2)),
    "ContinuousBernoulli": d.ContinuousBernoulli(t(0.6)),
    "Exponential": d.Exponential(t(0.9)),
    "Gamma": d.Gamma(t(1.5), t(0.7)),
    "Gumbel": d.Gumbel(t(-0.3), t(1.6)),
    "HalfNormal": d.HalfNormal(t(0.8)),
    "Laplace": d.Laplace(t(-0.5), t(1.8)),
    "LogNormal": d.LogNormal(t(-0.2), t(0.9)),
    "Normal": d.Normal(t(-0.5), t(2.0)),
    "Pareto": d.Pareto(t(0.2), t(2.0)),
    "Cauchy": d.Cauchy(t(-0.5), t(2.0)),
    "Chi2": d.Chi2(t(4.0)),
    "Uniform": d.Uniform(t(0.0), t(1.0)),
}


def registered(p, q):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        function = d.kl._dispatch_kl(type(p), type(q))
    if function is None:
        return False
    try:
        function(p, q)
    except NotImplementedError:
        return False
    return True


PAIRS = [(p, q) for p in P for q in Q if registered(P[p], Q[q])]


def quadrature(p, q):
    """The integral of p (log p - log q); inf if p has mass where q has none."""
    low = float(getattr(p.support, "lower_bound", -40.0))
    high = float(getattr(p.support, "upper_bound", 60.0))
    width = high - low
    inner = t(np.linspace(low + 1e-6 * width, high - 1e-6 * width, 50))
    if not q.support.check(inner).all():
        return math.inf

    def integrand(x):
        x = t(x)
        log_p = p.log_prob(x)
        return float(log_p.exp() * (log_p - q.log_prob(x)))

    if isinstance(p, d.Pareto):
        high = math.inf
    if isinstance(p, d.Cauchy):
        low, high = -math.inf, math.inf
    near = [x for x in (0.5, 1.5, 4.0) if low < x < high and math.isfinite(high - low)]
    return integrate.quad(integrand, low, high, limit=400, points=near or None)[0]


@pytest.mark.parametrize("name_p, name_q", PAIRS)
def test_is_the_integral(name_p, name_q):
    p, q = P[name_p], Q[name_q]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got, expected = float(d.kl_divergence(p, q)), quadrature(p, q)
    assert math.isclose(got, expected, rel_tol=1e-5, abs_tol=1e-7), (got, expected)


def test_table_covers_the_univariate_pairs():
    assert len(PAIRS) >= 70
    assert len(d.kl._KL_REGISTRY) >= 87


@pytest.mark.parametrize(
    "p, q, count",
    [
        (d.Bernoulli(t(0.3)), d.Bernoulli(t(0.8)), 2),
        (d.Bernoulli(t(0.3)), d.Poisson(t(1.8)), 2),
        (d.Binomial(5, t(0.3)), d.Binomial(5, t(0.8)), 6),
        (d.Categorical(t([0.2, 0.3, 0.5])), d.Categorical(t([0.5, 0.25, 0.25])), 3),
        (d.Geometric(t(0.3)), d.Geometric(t(0.5)), 200),
        (d.Poisson(t(3.0)), d.Poisson(t(5.0)), 100),
    ],
    ids=lambda x: type(x).__name__,
)
def test_is_the_sum(p, q, count):
    k = rl.arange(count, dtype=rl.float64)
    log_p, log_q = p.log_prob(k), q.log_prob(k)
    expected = (log_p.exp() * (log_p - log_q)).sum()
    assert_close(d.kl_divergence(p, q), expected, rtol=1e-9, atol=1e-12)


def test_mass_outside_is_infinite():
    inf = [
        (d.Poisson(t(1.0)), d.Bernoulli(t(0.5))),
        (d.Poisson(t(1.0)), d.Binomial(3, t(0.5))),
        (d.Uniform(t(0.0), t(1.0)), d.Uniform(t(0.2), t(1.0))),
        (d.Pareto(t(0.5), t(1.0)), d.Pareto(t(1.0), t(1.0))),
        (d.Bernoulli(t(0.5)), d.Bernoulli(t(0.0))),
        (d.Categorical(t([0.5, 0.5])), d.Categorical(t([1.0, 0.0]))),
        (d.Binomial(5, t(0.3)), d.Binomial(4, t(0.8))),
        (d.Normal(t(0.0), t(1.0)), d.Exponential(t(1.0))),
    ]
    for p, q in inf:
        assert d.kl_divergence(p, q) == math.inf, (p, q)
    assert d.kl_divergence(d.Bernoulli(t(0.0)), d.Bernoulli(t(0.0))) == 0
    batch = d.kl_divergence(d.Bernoulli(t([0.0, 1.0, 0.5])), d.Bernoulli(t([[0.0], [0.5]])))
    log2 = math.log(2)
    expected = t([[0.0, math.inf, math.inf], [log2, log2, 0.0]])
    assert rl.equal(batch, expected)


def normals():
    rng = np.random.RandomState(3)
    square = rng.randn(3, 3)
    yield d.MultivariateNormal(t(rng.randn(3)), t(square @ square.T + np.eye(3)))
    yield d.MultivariateNormal(t(rng.randn(2, 3)), scale_tril=t(np.eye(3) * 0.7))
    yield d.LowRankMultivariateNormal(t(rng.randn(3)), t(rng.randn(3, 1)), t([0.5, 1.0, 2.0]))
    yield d.LowRankMultivariateNormal(t(rng.randn(2, 3)), t(rng.randn(3, 2)), t([0.5, 1.0, 2.0]))


@pytest.mark.parametrize("p", list(normals()), ids=lambda x: type(x).__name__)
@pytest.mark.parametrize("q", list(normals()), ids=lambda x: type(x).__name__)
def test_normal_vectors(p, q):
    inverse, shift = q.precision_matrix, q.loc - p.loc
    trace = (inverse * p.covariance_matrix).sum((-2, -1))
    distance = (shift.unsqueeze(-2) @ inverse @ shift.unsqueeze(-1)).squeeze(-1).squeeze(-1)
    logs = rl.logdet(q.covariance_matrix) - rl.logdet(p.covariance_matrix)
    expected = 0.5 * (trace + distance - 3 + logs)
    assert_close(d.kl_divergence(p, q), expected, rtol=1e-8, atol=1e-9)


def test_dirichlet_and_wishart():
    a, b = np.array([0.7, 2.0, 4.0]), np.array([1.5, 1.0, 2.0])
    betaln = lambda x: special.gammaln(x).sum() - special.gammaln(x.sum())
    expected = betaln(b) - betaln(a) + ((a - b) * (special.psi(a) - special.psi(a.sum()))).sum()
    assert math.isclose(d.kl_divergence(d.Dirichlet(t(a)), d.Dirichlet(t(b))), expected)
    va, vb = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, -0.2], [-0.2, 0.5]])
    m, n = 4.5, np.array([3.0, 6.0])
    psi2 = special.psi(m / 2) + special.psi(m / 2 - 0.5)
    expected = 0.5 * (
        n * (np.linalg.slogdet(vb)[1] - np.linalg.slogdet(va)[1])
        + m * np.trace(np.linalg.solve(vb, va))
        - 2 * m
        + 2 * (special.multigammaln(n / 2, 2) - special.multigammaln(m / 2, 2))
        + (m - n) * psi2
    )
    got = d.kl_divergence(d.Wishart(t(m), t(va)), d.Wishart(t(n), t(vb)))
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-9)


def test_wholes_made_of_parts():
    p, q = d.Normal(t([0.0, 1.0]), t(1.0)), d.Normal(t([1.0, 1.0]), t(2.0))
    each = d.kl_divergence(p, q)
    assert_close(d.kl_divergence(d.Independent(p, 1), d.Independent(q, 1)), each.sum())
    through = [d.AffineTransform(1.0, 2.0), d.ExpTransform()]
    moved = [d.TransformedDistribution(x, through) for x in (p, q)]
    assert_close(d.kl_divergence(*moved), each)
    with pytest.raises(NotImplementedError):
        d.kl_divergence(moved[0], d.TransformedDistribution(q, [d.ExpTransform()]))
    with pytest.raises(NotImplementedError):
        d.kl_divergence(d.Independent(p, 1), d.Independent(q, 0))


def test_most_specific_formula_is_chosen():
    class Base(d.Distribution): ...

    class Derived(Base): ...

    @d.register_kl(Base, Base)
    def base(p, q):
        return "base"

    @d.register_kl(Derived, Base)
    def derived(p, q):
        return "derived"

    make = lambda kind: kind(validate_args=False)
    assert d.kl_divergence(make(Derived), make(Derived)) == "derived"
    assert d.kl_divergence(make(Base), make(Derived)) == "base"
    d.register_kl(Base, Derived)(lambda p, q: "other")
    with pytest.warns(RuntimeWarning, match="Ambiguous"):
        assert d.kl_divergence(make(Derived), make(Derived)) == "derived"
    with pytest.raises(NotImplementedError, match="register_kl"):
        d.kl_divergence(make(Base), d.Normal(0.0, 1.0))
    with pytest.raises(TypeError):
        d.register_kl(1, Base)


def test_gradients_reach_both_sides():
    loc = t(0.3).requires_grad_()
    rate = t(1.5).requires_grad_()
    d.kl_divergence(d.Normal(loc, 1.0), d.Normal(0.0, 2.0)).backward()
    assert math.isclose(loc.grad, 0.3 / 4)
    d.kl_divergence(d.Exponential(2.0), d.Exponential(rate)).backward()
    assert math.isclose(rate.grad, 1 / 2 - 1 / 1.5)
    entropy = d.ExponentialFamily.entropy(d.Exponential(rate))
    (slope,) = rl.autograd.grad(entropy, rate)
    assert math.isclose(slope, -1 / 1.5)
