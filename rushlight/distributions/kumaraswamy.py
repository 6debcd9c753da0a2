"""Kumaraswamy's distribution on (0, 1)."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import nan_where
from rushlight.distributions.transformed_distribution import TransformedDistribution
from rushlight.distributions.transforms import AffineTransform, PowerTransform
from rushlight.distributions.uniform import Uniform
from rushlight.distributions.utils import broadcast_all, euler_constant

__all__ = ["Kumaraswamy"]


class Kumaraswamy(TransformedDistribution):
    """P(X <= x) = 1 - (1 - x ** a) ** b, with a = ``concentration1``, b = ``concentration0``.

    Example::

        >>> rl.distributions.Kumaraswamy(1., 1.).mean
        tensor(0.5000)
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True
    expand = TransformedDistribution.expand

    def __init__(self, concentration1, concentration0, validate_args=None):
        a, b = broadcast_all(concentration1, concentration0)
        self.concentration1, self.concentration0 = a, b
        base = Uniform(rl.zeros_like(b), rl.ones_like(b), validate_args=validate_args)
        steps = [
            PowerTransform(exponent=b.reciprocal()),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=a.reciprocal()),
        ]
        super().__init__(base, steps, validate_args=validate_args)

    def _moment(self, n):
        """E[X ** n] = b B(1 + n / a, b)."""
        a, b = self.concentration1, self.concentration0
        log_beta = rl.lgamma(1 + n / a) + rl.lgamma(b) - rl.lgamma(1 + n / a + b)
        return b * log_beta.exp()

    @property
    def mean(self):
        return self._moment(1)

    @property
    def mode(self):
        """((a - 1) / (a b - 1)) ** (1 / a); NaN where the density has no single peak."""
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1) / (a * b - 1)) ** a.reciprocal()
        return nan_where((a < 1) | (b < 1), mode)

    @property
    def variance(self):
        return self._moment(2) - self.mean.square()

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        harmonic = rl.digamma(b + 1) + euler_constant
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()
