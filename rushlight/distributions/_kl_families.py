"""KL(p || q) of two members of one family, and of distributions made of others.

Different families are in _kl_expectations.py, multivariate normals in _kl_normal.py.
"""

import math

import rushlight as rl
from rushlight.distributions.bernoulli import Bernoulli
from rushlight.distributions.beta import Beta
from rushlight.distributions.binomial import Binomial
from rushlight.distributions.categorical import Categorical
from rushlight.distributions.cauchy import Cauchy
from rushlight.distributions.continuous_bernoulli import ContinuousBernoulli
from rushlight.distributions.dirichlet import Dirichlet
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.exponential import Exponential
from rushlight.distributions.gamma import Gamma
from rushlight.distributions.geometric import Geometric
from rushlight.distributions.gumbel import Gumbel
from rushlight.distributions.half_normal import HalfNormal
from rushlight.distributions.independent import Independent
from rushlight.distributions.kl import kl_divergence, register_kl
from rushlight.distributions.laplace import Laplace
from rushlight.distributions.normal import Normal
from rushlight.distributions.one_hot_categorical import OneHotCategorical
from rushlight.distributions.pareto import Pareto
from rushlight.distributions.poisson import Poisson
from rushlight.distributions.transformed_distribution import TransformedDistribution
from rushlight.distributions.uniform import Uniform
from rushlight.distributions.utils import euler_constant, sum_rightmost


def _weighted(weight, log_ratio):
    """weight * log_ratio, and 0 where the weight is 0 even if the ratio is infinite."""
    return (weight * log_ratio).masked_fill(weight == 0, 0)


def _binary(p, q):
    """Of one trial. Probabilities 0 and 1 are exact: infinite where q excludes what p allows."""
    a, b = rl.broadcast_tensors(p.probs, q.probs)
    success = _weighted(a, a.log() - b.log())
    failure = _weighted(1 - a, (-a).log1p() - (-b).log1p())
    return success + failure


@register_kl(Bernoulli, Bernoulli)
def _kl_bernoulli(p, q):
    return _binary(p, q)


@register_kl(Binomial, Binomial)
def _kl_binomial(p, q):
    """Infinite where p has more trials; where q has more, the orders of trials do not cancel."""
    if (p.total_count < q.total_count).any():
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    return (p.total_count * _binary(p, q)).masked_fill(p.total_count > q.total_count, math.inf)


@register_kl(Geometric, Geometric)
def _kl_geometric(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Categorical, Categorical)
def _kl_categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    terms = terms.masked_fill(q.probs == 0, math.inf).masked_fill(p.probs == 0, 0)
    return terms.sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_one_hot(p, q):
    return _kl_categorical(p._categorical, q._categorical)


@register_kl(Poisson, Poisson)
def _kl_poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Beta, Beta)
def _kl_beta(p, q):
    return _kl_dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _kl_dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1, True)
    log_norms = rl.lgamma(total.squeeze(-1)) - rl.lgamma(b.sum(-1))
    log_terms = (rl.lgamma(b) - rl.lgamma(a)).sum(-1)
    return log_norms + log_terms + ((a - b) * (rl.digamma(a) - rl.digamma(total))).sum(-1)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli(p, q):
    tilt = p.mean * (p.logits - q.logits)
    log_norms = p._cont_bern_log_norm() + (-p.probs).log1p()
    return tilt + log_norms - q._cont_bern_log_norm() - (-q.probs).log1p()


@register_kl(Exponential, Exponential)
def _kl_exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Gamma, Gamma)
def _kl_gamma(p, q):
    a, b = p.concentration, q.concentration
    rates = b * (p.rate.log() - q.rate.log()) + a * (q.rate / p.rate - 1)
    return rates + rl.lgamma(b) - rl.lgamma(a) + (a - b) * rl.digamma(a)


@register_kl(Gumbel, Gumbel)
def _kl_gumbel(p, q):
    """E[exp(-X / s)] of a Gumbel number is exp(-loc / s) Γ(1 + scale / s)."""
    ratio, shift = p.scale / q.scale, (q.loc - p.loc) / q.scale
    tail = (shift + rl.lgamma(1 + ratio)).exp()
    return -ratio.log() - shift + euler_constant * (ratio - 1) + tail - 1


@register_kl(Normal, Normal)
def _kl_normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    shift = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _kl_half_normal(p, q):
    return _kl_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _kl_laplace(p, q):
    """E|X - m| of a Laplace number is |loc - m| + scale exp(-|loc - m| / scale)."""
    shift = (p.loc - q.loc).abs()
    distance = shift + p.scale * (-shift / p.scale).exp()
    return (q.scale / p.scale).log() + distance / q.scale - 1


@register_kl(Cauchy, Cauchy)
def _kl_cauchy(p, q):
    """Chyzak and Nielsen, "A closed-form formula for the Kullback-Leibler divergence between Cauchy
    distributions", 2019."""
    both = (p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)
    return both.log() - (4 * p.scale * q.scale).log()


@register_kl(Pareto, Pareto)
def _kl_pareto(p, q):
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return result.masked_fill(p.scale < q.scale, math.inf)


@register_kl(Uniform, Uniform)
def _kl_uniform(p, q):
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return result.masked_fill((q.low > p.low) | (q.high < p.high), math.inf)


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_exponential_family(p, q):
    """The Bregman divergence of the log normaliser, between natural parameters."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed "
            f"using Bregman divergences: {type(p).__name__} and {type(q).__name__}"
        )
    theta_p, value, gradient = p._normalizer_and_gradient()
    theta_q = q._natural_params
    result = q._log_normalizer(*theta_q) - value
    for a, b, g in zip(theta_p, theta_q, gradient, strict=True):
        term = (b - a) * g
        result = result - sum_rightmost(term, term.dim() - result.dim())
    return result


@register_kl(Independent, Independent)
def _kl_independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "KL between Independents needs equal reinterpreted_batch_ndims, got "
            f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        )
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _kl_transformed(p, q):
    """One bijection does not change a divergence."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError(
            "KL between TransformedDistributions needs equal transforms and event shapes"
        )
    extra = len(p.event_shape) - len(p.base_dist.event_shape)
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), extra)
