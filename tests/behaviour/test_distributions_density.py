"""Densities, distribution functions, quantiles and moments, against SciPy.

Divergences are in test_distributions_kl.py, gradients of samples in
test_distributions_gradients.py.
"""

import math

import numpy as np
import pytest

import rushlight as rl

stats = pytest.importorskip("scipy.stats")
integrate = pytest.importorskip("scipy.integrate")
d = rl.distributions


def t(x):
    return rl.tensor(x, dtype=rl.float64)


#: name -> (distribution, SciPy's)
CONTINUOUS = {
    "Beta": (d.Beta(t(0.7), t(3.0)), stats.beta(0.7, 3)),
    "Cauchy": (d.Cauchy(t(1.0), t(2.0)), stats.cauchy(1, 2)),
    "Chi2": (d.Chi2(t(3.5)), stats.chi2(3.5)),
    "Exponential": (d.Exponential(t(2.5)), stats.expon(scale=1 / 2.5)),
    "FisherSnedecor": (d.FisherSnedecor(t(3.0), t(9.0)), stats.f(3, 9)),
    "Gamma": (d.Gamma(t(2.2), t(0.7)), stats.gamma(2.2, scale=1 / 0.7)),
    "GeneralizedPareto": (d.GeneralizedPareto(t(1.0), t(2.0), t(0.2)), stats.genpareto(0.2, 1, 2)),
    "GeneralizedPareto of bounded support": (
        d.GeneralizedPareto(t(1.0), t(2.0), t(-0.4)),
        stats.genpareto(-0.4, 1, 2),
    ),
    "GeneralizedPareto, exponential": (
        d.GeneralizedPareto(t(1.0), t(2.0), t(0.0)),
        stats.expon(1, 2),
    ),
    "Gumbel": (d.Gumbel(t(1.0), t(2.0)), stats.gumbel_r(1, 2)),
    "HalfCauchy": (d.HalfCauchy(t(2.0)), stats.halfcauchy(scale=2)),
    "HalfNormal": (d.HalfNormal(t(2.0)), stats.halfnorm(scale=2)),
    "InverseGamma": (d.InverseGamma(t(3.2), t(1.5)), stats.invgamma(3.2, scale=1.5)),
    "Laplace": (d.Laplace(t(1.0), t(2.0)), stats.laplace(1, 2)),
    "LogNormal": (d.LogNormal(t(0.3), t(0.8)), stats.lognorm(0.8, scale=math.exp(0.3))),
    "Normal": (d.Normal(t(1.0), t(2.0)), stats.norm(1, 2)),
    "Pareto": (d.Pareto(t(1.5), t(3.5)), stats.pareto(3.5, scale=1.5)),
    "StudentT": (d.StudentT(t(4.5), t(1.0), t(2.0)), stats.t(4.5, 1, 2)),
    "Uniform": (d.Uniform(t(-1.0), t(3.0)), stats.uniform(-1, 4)),
    "Weibull": (d.Weibull(t(2.0), t(1.5)), stats.weibull_min(1.5, scale=2)),
}
DISCRETE = {
    "Bernoulli": (d.Bernoulli(t(0.3)), stats.bernoulli(0.3)),
    "Binomial": (d.Binomial(12, t(0.3)), stats.binom(12, 0.3)),
    "Binomial of logits": (d.Binomial(12, logits=t(-40.0)), stats.binom(12, 4.248354255291589e-18)),
    "Geometric": (d.Geometric(t(0.3)), stats.geom(0.3, loc=-1)),
    "NegativeBinomial": (d.NegativeBinomial(t(3.5), t(0.4)), stats.nbinom(3.5, 0.6)),
    "Poisson": (d.Poisson(t(4.3)), stats.poisson(4.3)),
}
QUANTILES = np.linspace(0.02, 0.98, 13)


def close(got, expected, tolerance=1e-9):
    np.testing.assert_allclose(got.numpy(), expected, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_log_prob_and_moments(name):
    ours, scipys = CONTINUOUS[name]
    x = scipys.ppf(QUANTILES)
    close(ours.log_prob(t(x)), scipys.logpdf(x))
    close(ours.mean, scipys.mean(), 1e-8)
    if name not in ("HalfCauchy", "Cauchy"):
        close(ours.variance, scipys.var(), 1e-8)
        close(ours.stddev, scipys.std(), 1e-8)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_cdf_and_icdf(name):
    ours, scipys = CONTINUOUS[name]
    x = scipys.ppf(QUANTILES)
    if type(ours).cdf is not d.Distribution.cdf:
        close(ours.cdf(t(x)), QUANTILES)
    if type(ours).icdf is not d.Distribution.icdf and name != "InverseGamma":
        close(ours.icdf(t(QUANTILES)), x, 1e-8)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_entropy(name):
    ours, scipys = CONTINUOUS[name]
    if type(ours).entropy is d.Distribution.entropy:
        pytest.skip("has no entropy")
    close(ours.entropy(), scipys.entropy(), 1e-7)
    close(ours.perplexity(), np.exp(scipys.entropy()), 1e-7)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_mode_is_where_the_density_is_largest(name):
    ours, scipys = CONTINUOUS[name]
    mode = ours.mode
    if mode.isnan() or name == "Beta":  # uniform; infinite at the border
        return
    support, near = ours.support, [mode - 1e-3, mode + 1e-3]
    at_mode = ours.log_prob(mode.clamp(min=1e-9) if support.check(t(0.0)) else mode)
    for x in near:
        if support.check(x) and x > getattr(support, "lower_bound", -math.inf):
            assert ours.log_prob(x) < at_mode


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_log_prob_and_moments(name):
    ours, scipys = DISCRETE[name]
    k = np.arange(2.0 if name == "Bernoulli" else 12.0)
    close(ours.log_prob(t(k)), scipys.logpmf(k))
    close(ours.mean, scipys.mean())
    close(ours.variance, scipys.var())
    if not math.isnan(ours.mode):
        assert scipys.pmf(float(ours.mode)) >= scipys.pmf(k).max() - 1e-12
    if ours.has_enumerate_support:
        values = ours.enumerate_support()
        close(ours.log_prob(values).exp().sum(), 1)
    if type(ours).entropy is not d.Distribution.entropy and name != "Poisson":
        close(ours.entropy(), scipys.entropy(), 1e-7)


def test_von_mises():
    kappa = [1e-7, 2.0, 800.0]
    ours, scipys = d.VonMises(t(0.5), t(kappa)), stats.vonmises(kappa, 0.5)
    x = np.linspace(-2.5, 3, 7)[:, None]
    close(ours.log_prob(t(x)), scipys.logpdf(x), 1e-7)
    angle = d.VonMises(t(0.5), t(3.0)).sample((4000,))
    assert abs(float(angle.mean()) - 0.5) < 0.05


def expectation(distribution, f):
    """The integral over [0, 1] of f times the density."""
    density = lambda x: math.exp(distribution.log_prob(t(x)))
    return integrate.quad(lambda x: density(x) * f(x), 0, 1)[0]


@pytest.mark.parametrize(
    "ours",
    [
        d.Kumaraswamy(t(2.0), t(3.0)),
        d.ContinuousBernoulli(t(0.2)),
        d.ContinuousBernoulli(t(0.4995)),
        d.ContinuousBernoulli(logits=t(2.0)),
    ],
    ids=repr,
)
def test_kumaraswamy_and_continuous_bernoulli_by_quadrature(ours):
    mean, entropy = float(ours.mean), float(ours.entropy())
    assert math.isclose(expectation(ours, lambda x: 1), 1, rel_tol=1e-7)
    assert math.isclose(mean, expectation(ours, lambda x: x), rel_tol=1e-6)
    spread = expectation(ours, lambda x: (x - mean) ** 2)
    assert math.isclose(ours.variance, spread, rel_tol=1e-5)
    surprise = expectation(ours, lambda x: -float(ours.log_prob(t(x))))
    assert math.isclose(entropy, surprise, rel_tol=1e-5, abs_tol=1e-6)
    below = expectation(ours, lambda x: x < 0.5)
    assert math.isclose(ours.cdf(t(0.5)), below, rel_tol=1e-4)
    u = t([0.1, 0.5, 0.8])
    close(ours.cdf(ours.icdf(u)), u.numpy(), 1e-6)


def test_mode_of_kumaraswamy_is_a_peak():
    ours = d.Kumaraswamy(t(2.0), t(3.0))
    x = ours.mode.requires_grad_()
    (slope,) = rl.autograd.grad(ours.log_prob(x), x)
    assert abs(float(slope)) < 1e-9


def test_vectors():
    p, a = np.array([0.2, 0.3, 0.5]), np.array([0.7, 2.0, 4.0])
    ours, scipys = d.Multinomial(7, t(p)), stats.multinomial(7, p)
    close(ours.log_prob(t([1.0, 2, 4])), scipys.logpmf([1, 2, 4]))
    close(ours.entropy(), scipys.entropy())
    close(d.Dirichlet(t(a)).log_prob(t(p)), stats.dirichlet(a).logpdf(p))
    close(d.Dirichlet(t(a)).entropy(), stats.dirichlet(a).entropy())
    close(d.Dirichlet(t(a)).variance, stats.dirichlet(a).var())
    close(d.Categorical(t(2 * p)).entropy(), stats.entropy(p))
    close(d.OneHotCategorical(t(p)).log_prob(t([0.0, 1, 0])), math.log(0.3))


def test_normal_vectors():
    w, diag = np.array([[1.0], [-0.5], [2.0]]), np.array([0.5, 1.0, 0.1])
    loc = np.array([1.0, 0, -1])
    cov = w @ w.T + np.diag(diag)
    scipys, x = stats.multivariate_normal(loc, cov), np.random.RandomState(0).randn(5, 3)
    for ours in (
        d.MultivariateNormal(t(loc), t(cov)),
        d.MultivariateNormal(t(loc), precision_matrix=t(np.linalg.inv(cov))),
        d.MultivariateNormal(t(loc), scale_tril=t(np.linalg.cholesky(cov))),
        d.LowRankMultivariateNormal(t(loc), t(w), t(diag)),
    ):
        close(ours.log_prob(t(x)), scipys.logpdf(x))
        close(ours.entropy(), scipys.entropy())
        close(ours.covariance_matrix, cov)
        close(ours.precision_matrix, np.linalg.inv(cov), 1e-8)
        close(ours.scale_tril, np.linalg.cholesky(cov), 1e-8)
        close(ours.variance, np.diag(cov))


def test_wishart():
    sigma = np.array([[2.0, 0.3], [0.3, 1.0]])
    ours, scipys = d.Wishart(t(4.5), t(sigma)), stats.wishart(4.5, sigma)
    x = scipys.rvs(3, random_state=0)
    close(ours.log_prob(t(x)), scipys.logpdf(np.moveaxis(x, 0, -1)))
    close(ours.entropy(), scipys.entropy())
    close(ours.mean, scipys.mean())
    close(ours.variance, scipys.var())
    close(ours.mode, scipys.mode())
    drawn = ours.sample((20000,))
    close(drawn.mean(0), scipys.mean(), 0.05)


def test_lkj_density_is_normalised():
    """At dim 2 the factor's first column is the correlation r, its second sqrt(1 - r^2)."""
    for eta in (0.8, 1.0, 3.0):
        ours = d.LKJCholesky(2, t(eta))

        def density(r, ours=ours):
            return math.exp(ours.log_prob(t([[1.0, 0.0], [r, math.sqrt(1 - r * r)]])))

        assert math.isclose(integrate.quad(density, -1, 1)[0], 1, rel_tol=1e-6)
    wide = d.LKJCholesky(4, t(2.0)).sample((50,))
    assert d.constraints.corr_cholesky.check(wide).all()


def test_mixtures():
    parts = [stats.norm(-1, 0.5), stats.norm(2, 1.5)]
    ours = d.MixtureSameFamily(
        d.Categorical(t([0.25, 0.75])), d.Normal(t([-1.0, 2.0]), t([0.5, 1.5]))
    )
    x = np.linspace(-3, 5, 9)
    close(ours.log_prob(t(x)).exp(), 0.25 * parts[0].pdf(x) + 0.75 * parts[1].pdf(x))
    close(ours.cdf(t(x)), 0.25 * parts[0].cdf(x) + 0.75 * parts[1].cdf(x))
    drawn = ours.sample((30000,))
    assert abs(float(drawn.mean() - ours.mean)) < 0.05
    assert abs(float(drawn.var() - ours.variance)) < 0.1


def test_relaxations_integrate_to_one():
    bernoulli = d.RelaxedBernoulli(t(0.7), t(0.3))
    total = integrate.quad(lambda x: math.exp(bernoulli.log_prob(t(x))), 0, 1)[0]
    assert math.isclose(total, 1, rel_tol=1e-5)
    one_hot = d.RelaxedOneHotCategorical(t(0.7), t([0.3, 0.7]))
    total = integrate.quad(lambda x: math.exp(one_hot.log_prob(t([x, 1 - x]))), 0, 1)[0]
    assert math.isclose(total, 1, rel_tol=1e-5)


@pytest.mark.parametrize(
    "family",
    [
        d.Bernoulli(t([0.2, 0.6])),
        d.Beta(t([0.5, 2.0]), t(3.0)),
        d.ContinuousBernoulli(t([0.2, 0.6])),
        d.Dirichlet(t([[0.5, 2.0], [3.0, 1.0]])),
        d.Exponential(t([0.5, 2.0])),
        d.Gamma(t([0.5, 2.0]), t(3.0)),
        d.Normal(t([0.5, 2.0]), t(3.0)),
        d.Wishart(t(4.0), t([[2.0, 0.3], [0.3, 1.0]])),
    ],
    ids=lambda x: type(x).__name__,
)
def test_entropy_by_the_log_normaliser(family):
    close(d.ExponentialFamily.entropy(family), family.entropy().numpy(), 1e-7)
