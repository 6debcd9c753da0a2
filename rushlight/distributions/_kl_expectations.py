"""KL(p || q) between different univariate families, from expectations under p.

KL(p || q) = -H(p) - E_p[log q]. For each q, E_p[log q] is a combination of a few expectations of p:
its mean and variance, E[log X], E[log (1 - X)] and E[exp(t X)]. So each p states those that it has,
each q its cross entropy, and the table at the end says which pairs there are. To add a pair: the
expectation under p if it is missing, then a line in the table.
"""

import math

import rushlight as rl
from rushlight.distributions.bernoulli import Bernoulli
from rushlight.distributions.beta import Beta
from rushlight.distributions.binomial import Binomial
from rushlight.distributions.continuous_bernoulli import ContinuousBernoulli
from rushlight.distributions.exponential import Exponential
from rushlight.distributions.gamma import Gamma
from rushlight.distributions.gumbel import Gumbel
from rushlight.distributions.kl import register_kl
from rushlight.distributions.laplace import Laplace
from rushlight.distributions.normal import Normal
from rushlight.distributions.pareto import Pareto
from rushlight.distributions.poisson import Poisson
from rushlight.distributions.uniform import Uniform
from rushlight.distributions.utils import euler_constant


def _log_mean_of_uniform(low, high):
    """E[log X], X uniform on [low, high], low >= 0: a difference of x log x - x."""
    return (rl.xlogy(high, high) - rl.xlogy(low, low)) / (high - low) - 1


#: E[log X]
_LOG_MEAN = {
    Beta: lambda p: rl.digamma(p.concentration1) - rl.digamma(p.concentration1 + p.concentration0),
    Exponential: lambda p: -euler_constant - p.rate.log(),
    Gamma: lambda p: rl.digamma(p.concentration) - p.rate.log(),
    Pareto: lambda p: p.scale.log() + p.alpha.reciprocal(),
    Uniform: lambda p: _log_mean_of_uniform(p.low, p.high),
}

#: E[log (1 - X)]
_LOG_REST = {Uniform: lambda p: _log_mean_of_uniform(1 - p.high, 1 - p.low)}

#: E[exp(t X)], infinite where it does not exist
_MGF = {
    Exponential: lambda p, t: _inf_where(t >= p.rate, p.rate / (p.rate - t)),
    Gamma: lambda p, t: _inf_where(t >= p.rate, (1 - t / p.rate).pow(-p.concentration)),
    Normal: lambda p, t: (p.loc * t + 0.5 * (p.scale * t).pow(2)).exp(),
    Uniform: lambda p, t: ((t * p.high).exp() - (t * p.low).exp()) / (t * (p.high - p.low)),
}


def _of(table, p):
    """The entry for p's class: the most specific one."""
    return next(table[c] for c in type(p).__mro__ if c in table)


def _inf_where(condition, value):
    return value.masked_fill(condition, math.inf)


def _support_bounds(p):
    """Where the support of p begins and ends."""
    support = p.support
    low = getattr(support, "lower_bound", -math.inf)
    return low, getattr(support, "upper_bound", math.inf)


def _outside(p, q):
    """Where p has mass outside the support of q."""
    (p_low, p_high), (q_low, q_high) = _support_bounds(p), _support_bounds(q)
    outside = rl.zeros(rl.broadcast_shapes(p.batch_shape, q.batch_shape), dtype=rl.bool)
    return outside | (rl.as_tensor(p_low) < q_low) | (rl.as_tensor(p_high) > q_high)


def _to_beta(p, q):
    a, b = q.concentration1, q.concentration0
    log_beta = rl.lgamma(a) + rl.lgamma(b) - rl.lgamma(a + b)
    return log_beta - (a - 1) * _of(_LOG_MEAN, p)(p) - (b - 1) * _of(_LOG_REST, p)(p)


def _to_continuous_bernoulli(p, q):
    return -p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()


def _to_exponential(p, q):
    return q.rate * p.mean - q.rate.log()


def _to_gamma(p, q):
    a, rate = q.concentration, q.rate
    return rl.lgamma(a) - a * rate.log() - (a - 1) * _of(_LOG_MEAN, p)(p) + rate * p.mean


def _to_gumbel(p, q):
    t = -q.scale.reciprocal()
    return q.scale.log() + (p.mean - q.loc) / q.scale + (q.loc / q.scale).exp() * _of(_MGF, p)(p, t)


def _to_normal(p, q):
    squares = p.variance + (p.mean - q.loc).pow(2)
    return q.scale.log() + 0.5 * math.log(2 * math.pi) + 0.5 * squares / q.scale.pow(2)


def _to_pareto(p, q):
    return (q.alpha + 1) * _of(_LOG_MEAN, p)(p) - q.alpha.log() - q.alpha * q.scale.log()


def _to_uniform(p, q):
    return (q.high - q.low).log()


#: type of q -> its cross entropy -E_p[log q] and the types of p for which its expectations exist
_CROSS_ENTROPIES = {
    Beta: (_to_beta, [Uniform]),
    ContinuousBernoulli: (_to_continuous_bernoulli, [Beta, Uniform]),
    Exponential: (_to_exponential, [Beta, ContinuousBernoulli, Gamma, Pareto, Uniform]),
    Gamma: (_to_gamma, [Beta, Exponential, Pareto, Uniform]),
    Gumbel: (_to_gumbel, [Exponential, Gamma, Normal, Uniform]),
    Normal: (
        _to_normal,
        [Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Pareto, Uniform],
    ),
    Pareto: (_to_pareto, [Exponential, Gamma, Uniform]),
    Uniform: (_to_uniform, [Beta, ContinuousBernoulli]),
}

#: type of q -> types of p that always have mass outside q's support
_NEVER_INSIDE = {
    Pareto: [Beta, ContinuousBernoulli, Gumbel, Laplace, Normal],
    Uniform: [Exponential, Gamma, Gumbel, Laplace, Normal, Pareto],
    ContinuousBernoulli: [Exponential, Gamma, Gumbel, Laplace, Normal, Pareto],
    Beta: [Exponential, Gamma, Gumbel, Laplace, Normal, Pareto],
    Exponential: [Gumbel, Laplace, Normal],
    Gamma: [Gumbel, Laplace, Normal],
    Binomial: [Poisson],
    Bernoulli: [Poisson],
}


def _from_expectations(cross_entropy):
    def divergence(p, q):
        return _inf_where(_outside(p, q), cross_entropy(p, q) - p.entropy())

    return divergence


def _infinite(p, q):
    shape = rl.broadcast_shapes(p.batch_shape, q.batch_shape)
    like = p.mean
    return rl.full(shape, math.inf, dtype=like.dtype, device=like.device)


for _q, (_cross_entropy, _sources) in _CROSS_ENTROPIES.items():
    for _p in _sources:
        register_kl(_p, _q)(_from_expectations(_cross_entropy))
for _q, _sources in _NEVER_INSIDE.items():
    for _p in _sources:
        register_kl(_p, _q)(_infinite)


@register_kl(Bernoulli, Poisson)
def _kl_bernoulli_poisson(p, q):
    """Counts of 0 and 1, whose factorials are 1."""
    return q.rate - rl.xlogy(p.probs, q.rate) - p.entropy()


@register_kl(Normal, Laplace)
def _kl_normal_laplace(p, q):
    """E|X - m| of a normal number about the Laplace location m."""
    shift = p.loc - q.loc
    z = shift / p.scale
    inner = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z.pow(2)).exp()
    distance = inner + shift * rl.erf(z / math.sqrt(2))
    return (2 * q.scale).log() + distance / q.scale - p.entropy()
