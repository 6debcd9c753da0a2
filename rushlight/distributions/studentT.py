"""Student's t distribution."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.chi2 import Chi2
from rushlight.distributions.distribution import Distribution, expand_parameters, nan_where
from rushlight.distributions.utils import broadcast_all, standard_normal

__all__ = ["StudentT"]


class StudentT(Distribution):
    """A normal number over the root of a mean of ``df`` squares of others, scaled and shifted.

    Example::

        >>> rl.distributions.StudentT(4.).variance
        tensor(2.)
    """

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True
    expand = expand_parameters

    def __init__(self, df, loc=0.0, scale=1.0, validate_args=None):
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        self._chi2 = Chi2(self.df)
        super().__init__(self.df.size(), validate_args=validate_args)

    @property
    def mean(self):
        return nan_where(self.df <= 1, self.loc)

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        finite = self.scale.pow(2) * self.df / (self.df - 2)
        return nan_where(self.df <= 1, finite.masked_fill(self.df <= 2, math.inf))

    def rsample(self, sample_shape=rl.Size()):
        normal = standard_normal(self._extended_shape(sample_shape), self.df)
        squares = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * normal * rl.rsqrt(squares / self.df)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        y, half = (value - self.loc) / self.scale, 0.5 * (self.df + 1)
        return (
            -half * (y**2 / self.df).log1p()
            - self.scale.log()
            - 0.5 * self.df.log()
            - self._log_beta()
        )

    def _log_beta(self):
        """log B(1/2, df/2)."""
        half = 0.5 * self.df
        return 0.5 * math.log(math.pi) + rl.lgamma(half) - rl.lgamma(half + 0.5)

    def entropy(self):
        half = 0.5 * (self.df + 1)
        spread = half * (rl.digamma(half) - rl.digamma(0.5 * self.df))
        return self.scale.log() + spread + 0.5 * self.df.log() + self._log_beta()
