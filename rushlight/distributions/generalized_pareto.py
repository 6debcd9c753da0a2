"""The generalised Pareto distribution of excesses over a threshold."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution, expand_parameters, nan_where
from rushlight.distributions.utils import broadcast_all, uniform

__all__ = ["GeneralizedPareto"]


class GeneralizedPareto(Distribution):
    """Excesses over ``loc``: P(X > x) = (1 + c z) ** (-1 / c), z = (x - loc) / scale.

    c is the ``concentration``.

    Concentration 0 is the exponential distribution; a negative one bounds the support.

    Example::

        >>> rl.distributions.GeneralizedPareto(0., 1., 0.5).mean
        tensor(2.)
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    expand = expand_parameters

    def __init__(self, loc, scale, concentration, validate_args=None):
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self):
        end = self.loc - self.scale / self.concentration
        return constraints.interval(self.loc, end.masked_fill(self.concentration >= 0, math.inf))

    @property
    def _is_exponential(self):
        return rl.isclose(self.concentration, rl.zeros_like(self.concentration))

    @property
    def _safe_concentration(self):
        return self.concentration.masked_fill(self._is_exponential, 1)

    @property
    def mean(self):
        c = self.concentration.masked_fill(self.concentration >= 1, 0.5)
        return nan_where(self.concentration >= 1, self.loc + self.scale / (1 - c))

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        c = self.concentration.masked_fill(self.concentration >= 0.5, 0.25)
        variance = self.scale.pow(2) / ((1 - c).pow(2) * (1 - 2 * c))
        return nan_where(self.concentration >= 0.5, variance)

    def rsample(self, sample_shape=rl.Size()):
        return self.icdf(uniform(self._extended_shape(sample_shape), self.loc))

    def _log_survival(self, value):
        z, c = (value - self.loc) / self.scale, self._safe_concentration
        return (-z).where(self._is_exponential, -(c * z).log1p() / c)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        # density = survival ** (1 + c) / scale; at c = -1 it is uniform up to the very end
        power = 1 + self.concentration.masked_fill(self._is_exponential, 0)
        log_survival = self._log_survival(value)
        ended = (power == 0) & log_survival.isinf()
        return power * log_survival.masked_fill(ended, 0) - self.scale.log()

    def log_survival_function(self, value):
        """log P(X > value)."""
        if self._validate_args:
            self._validate_sample(value)
        return self._log_survival(value)

    def log_cdf(self, value):
        """The logarithm of `cdf`."""
        return (-self.log_survival_function(value).exp()).log1p()

    def cdf(self, value):
        return -self.log_survival_function(value).expm1()

    def icdf(self, value):
        log_tail, c = (-value).log1p(), self._safe_concentration
        heavy = self.scale / c * (-c * log_tail).expm1()
        return self.loc + (-self.scale * log_tail).where(self._is_exponential, heavy)

    def entropy(self):
        return self.scale.log() + self.concentration + 1
