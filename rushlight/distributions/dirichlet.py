"""The Dirichlet distribution on the simplex."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import expand_parameters
from rushlight.distributions.exp_family import ExponentialFamily

__all__ = ["Dirichlet"]


class Dirichlet(ExponentialFamily):
    """Shares that sum to 1, over the last dimension of ``concentration``.

    Samples carry gradients: the implicit derivatives of the marginal beta distributions.

    Example::

        >>> rl.distributions.Dirichlet(rl.tensor([1., 3.])).mean
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _mean_carrier_measure = 0
    expand = expand_parameters

    def __init__(self, concentration, validate_args=None):
        if concentration.dim() < 1:
            raise ValueError(
                "Dirichlet: `concentration` parameter must be at least one-dimensional."
            )
        self.concentration = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @property
    def mean(self):
        return self.concentration / self.concentration.sum(-1, True)

    @property
    def mode(self):
        """Where all concentrations are below 1 the density is infinite at corners: the first."""
        excess = (self.concentration - 1).clamp(min=0)
        mode = excess / excess.sum(-1, True)
        corner = rl.nn.functional.one_hot(mode.argmax(-1), mode.shape[-1]).to(mode)
        return corner.where((self.concentration < 1).all(-1, keepdim=True), mode)

    @property
    def variance(self):
        total = self.concentration.sum(-1, True)
        return self.concentration * (total - self.concentration) / (total.pow(2) * (total + 1))

    def rsample(self, sample_shape=rl.Size()):
        return rl._sample_dirichlet(self.concentration.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        a = self.concentration
        log_norm = rl.lgamma(a).sum(-1) - rl.lgamma(a.sum(-1))
        return rl.xlogy(a - 1, value).sum(-1) - log_norm

    def entropy(self):
        a, total = self.concentration, self.concentration.sum(-1)
        log_norm = rl.lgamma(a).sum(-1) - rl.lgamma(total)
        inner = ((a - 1) * rl.digamma(a)).sum(-1)
        return log_norm + (total - a.shape[-1]) * rl.digamma(total) - inner

    @property
    def _natural_params(self):
        return (self.concentration - 1,)

    def _log_normalizer(self, x):
        return rl.lgamma(x + 1).sum(-1) - rl.lgamma((x + 1).sum(-1))
