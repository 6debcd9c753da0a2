"""The Gumbel distribution of largest values."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.transformed_distribution import TransformedDistribution
from rushlight.distributions.transforms import AffineTransform, ExpTransform
from rushlight.distributions.uniform import Uniform
from rushlight.distributions.utils import broadcast_all, euler_constant

__all__ = ["Gumbel"]


class Gumbel(TransformedDistribution):
    """``loc - scale * log(-log u)``, u uniform.

    Example::

        >>> rl.distributions.Gumbel(0., 1.).mean
        tensor(0.5772)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    expand = TransformedDistribution.expand

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = broadcast_all(loc, scale)
        finfo = rl.finfo(self.loc.dtype)
        low = rl.full_like(self.loc, finfo.tiny)
        base = Uniform(low, rl.full_like(self.loc, 1 - finfo.eps), validate_args=validate_args)
        log, negate = ExpTransform().inv, AffineTransform(0, -rl.ones_like(self.scale))
        place = AffineTransform(self.loc, -self.scale)
        super().__init__(base, [log, negate, log, place], validate_args=validate_args)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    @property
    def mean(self):
        return self.loc + self.scale * euler_constant

    @property
    def mode(self):
        return self.loc

    @property
    def stddev(self):
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self):
        return self.stddev.pow(2)

    def entropy(self):
        return self.scale.log() + (1 + euler_constant)
