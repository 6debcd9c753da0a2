"""The gamma distribution."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import expand_parameters
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.utils import broadcast_all

__all__ = ["Gamma"]


class Gamma(ExponentialFamily):
    """The gamma distribution of shape ``concentration`` and inverse scale ``rate``.

    Samples carry gradients to both parameters: the one to the shape is the implicit derivative
    -(dF/dconcentration) / density (Figurnov, Mohamed and Mnih, "Implicit reparameterization
    gradients", 2018).

    Example::

        >>> rl.distributions.Gamma(3., 2.).mean
        tensor(1.5000)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _mean_carrier_measure = 0
    expand = expand_parameters

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.concentration / self.rate

    @property
    def mode(self):
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self):
        return self.concentration / self.rate.pow(2)

    def rsample(self, sample_shape=rl.Size()):
        shape = self._extended_shape(sample_shape)
        value = rl._standard_gamma(self.concentration.expand(shape)) / self.rate.expand(shape)
        value.detach().clamp_(min=rl.finfo(value.dtype).tiny)  # the density at 0 may be infinite
        return value

    def log_prob(self, value):
        value = rl.as_tensor(value, dtype=self.rate.dtype, device=self.rate.device)
        if self._validate_args:
            self._validate_sample(value)
        a, rate = self.concentration, self.rate
        return rl.xlogy(a, rate) + rl.xlogy(a - 1, value) - rate * value - rl.lgamma(a)

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        return rl.special.gammainc(self.concentration, self.rate * value)

    def entropy(self):
        a = self.concentration
        return a - self.rate.log() + rl.lgamma(a) + (1 - a) * rl.digamma(a)

    @property
    def _natural_params(self):
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x, y):
        return rl.lgamma(x + 1) - (x + 1) * (-y).log()
