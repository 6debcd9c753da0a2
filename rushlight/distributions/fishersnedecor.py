"""The F distribution of Fisher and Snedecor."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution, expand_parameters, nan_where
from rushlight.distributions.gamma import Gamma
from rushlight.distributions.utils import broadcast_all

__all__ = ["FisherSnedecor"]


class FisherSnedecor(Distribution):
    """The quotient of two mean squares, of ``df1`` and ``df2`` degrees of freedom.

    Example::

        >>> rl.distributions.FisherSnedecor(3., 4.).mean
        tensor(2.)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    expand = expand_parameters

    def __init__(self, df1, df2, validate_args=None):
        self.df1, self.df2 = broadcast_all(df1, df2)
        self._gamma1 = Gamma(self.df1 * 0.5, self.df1)
        self._gamma2 = Gamma(self.df2 * 0.5, self.df2)
        super().__init__(self.df1.size(), validate_args=validate_args)

    @property
    def mean(self):
        b = nan_where(self.df2 <= 2, self.df2)
        return b / (b - 2)

    @property
    def mode(self):
        mode = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return nan_where(self.df1 <= 2, mode)

    @property
    def variance(self):
        a, b = self.df1, nan_where(self.df2 <= 4, self.df2)
        return 2 * b.pow(2) * (a + b - 2) / (a * (b - 2).pow(2) * (b - 4))

    def rsample(self, sample_shape=rl.Size()):
        above = self._gamma1.rsample(sample_shape)
        below = self._gamma2.rsample(sample_shape)
        tiny = rl.finfo(below.dtype).tiny
        below.detach().clamp_(min=tiny)
        result = above / below
        result.detach().clamp_(min=tiny)
        return result

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        a, b, ratio = 0.5 * self.df1, 0.5 * self.df2, self.df1 / self.df2
        log_beta = rl.lgamma(a) + rl.lgamma(b) - rl.lgamma(a + b)
        tail = (a + b) * (ratio * value).log1p()
        return a * ratio.log() + (a - 1) * value.log() - tail - log_beta
