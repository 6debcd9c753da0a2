"""The negative binomial distribution: successes before a number of failures."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.gamma import Gamma
from rushlight.distributions.utils import broadcast_all, lazy_property
from rushlight.nn.functional import logsigmoid

__all__ = ["NegativeBinomial"]


class NegativeBinomial(ProbsOrLogits, Distribution):
    """The number of successes, of probability ``probs``, before ``total_count`` failures.

    ``total_count`` may be any real number >= 0.

    Example::

        >>> rl.distributions.NegativeBinomial(3., rl.tensor(0.5)).mean
        tensor(3.)
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    expand = expand_parameters

    def __init__(self, total_count, probs=None, logits=None, validate_args=None):
        self._take(probs, logits)
        count, param = broadcast_all(total_count, logits if probs is None else probs)
        self.total_count = count.type_as(param)
        self._keep(param)
        super().__init__(param.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.total_count * self.logits.exp()

    @property
    def mode(self):
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self):
        return self.mean / rl.sigmoid(-self.logits)

    @lazy_property
    def _gamma(self):
        """The rates of the Poisson numbers whose mixture this is."""
        return Gamma(self.total_count, rate=(-self.logits).exp(), validate_args=False)

    def sample(self, sample_shape=rl.Size()):
        with rl.no_grad():
            return rl.poisson(self._gamma.sample(sample_shape))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        outcomes = n * logsigmoid(-logits) + value * logsigmoid(logits)
        log_orders = rl.lgamma(n + value) - rl.lgamma(1 + value) - rl.lgamma(n)
        return outcomes + log_orders.masked_fill(n + value == 0, 0)
