"""Mixtures whose components are the last batch dimension of one distribution."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.categorical import Categorical
from rushlight.distributions.distribution import Distribution

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture of the K components along the last batch dimension of ``component_distribution``.

    Args:
        mixture_distribution: a `Categorical` over K, whose batch shape is that of the components
            without the last dimension, or broadcasts to it.
        component_distribution: of batch shape ``(..., K)``.

    Raises ValueError if they do not fit.

    Example::

        >>> d = rl.distributions
        >>> m = d.MixtureSameFamily(d.Categorical(rl.ones(2)), d.Normal(rl.tensor([-1., 1.]), 1.))
        >>> m.mean, m.variance
        (tensor(0.), tensor(2.))
    """

    arg_constraints = {}
    has_rsample = False

    def __init__(self, mixture_distribution, component_distribution, validate_args=None):
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        _check_parts(mixture_distribution, component_distribution)
        self._num_component = mixture_distribution.logits.shape[-1]
        event_shape = component_distribution.event_shape
        self._event_ndims = len(event_shape)
        super().__init__(
            component_distribution.batch_shape[:-1], event_shape, validate_args=validate_args
        )

    def expand(self, batch_shape, _instance=None):
        new = self._get_checked_instance(MixtureSameFamily, _instance)
        batch_shape = rl.Size(batch_shape)
        new._component_distribution = self._component_distribution.expand(
            batch_shape + (self._num_component,)
        )
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._num_component, new._event_ndims = self._num_component, self._event_ndims
        super(MixtureSameFamily, new).__init__(batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @constraints.dependent_property
    def support(self):
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self):
        return self._mixture_distribution

    @property
    def component_distribution(self):
        return self._component_distribution

    def _average(self, values):
        """The mean over components of values of shape batch + (K,) + event."""
        probs = self.mixture_distribution.probs
        weights = probs.reshape(probs.shape + (1,) * self._event_ndims)
        return (weights * values).sum(-1 - self._event_ndims)

    @property
    def mean(self):
        return self._average(self.component_distribution.mean)

    @property
    def variance(self):
        """The mean of the variances plus the variance of the means."""
        means = self.component_distribution.mean
        spread = means - self.mean.unsqueeze(-1 - self._event_ndims)
        return self._average(self.component_distribution.variance) + self._average(spread.pow(2))

    def cdf(self, x):
        below = self.component_distribution.cdf(x.unsqueeze(-1 - self._event_ndims))
        return (below * self.mixture_distribution.probs).sum(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        each = self.component_distribution.log_prob(value.unsqueeze(-1 - self._event_ndims))
        return rl.logsumexp(each + rl.log_softmax(self.mixture_distribution.logits, -1), -1)

    def sample(self, sample_shape=rl.Size()):
        sample_shape = rl.Size(sample_shape)
        with rl.no_grad():
            chosen = self.mixture_distribution.sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            where = len(sample_shape) + len(self.batch_shape)
            chosen = chosen.expand(sample_shape + self.batch_shape)
            index = chosen.reshape(chosen.shape + (1,) * (self._event_ndims + 1))
            index = index.expand(chosen.shape + (1,) + self.event_shape)
            return drawn.gather(where, index).squeeze(where)

    def __repr__(self):
        return (
            f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
        )


def _check_parts(mixture, components):
    if not isinstance(mixture, Categorical):
        raise ValueError(
            "MixtureSameFamily: the mixture distribution needs to be an instance of "
            f"torch.distributions.Categorical, got {type(mixture).__name__}"
        )
    if not isinstance(components, Distribution):
        raise ValueError(
            "MixtureSameFamily: the component distribution needs to be an instance of "
            f"torch.distributions.Distribution, got {type(components).__name__}"
        )
    batch = components.batch_shape
    if not batch:
        raise ValueError("MixtureSameFamily: the components need a batch dimension, got none")
    for got, want in zip(reversed(mixture.batch_shape), reversed(batch[:-1]), strict=False):
        if got != 1 and want != 1 and got != want:
            raise ValueError(
                f"MixtureSameFamily: mixture batch shape {tuple(mixture.batch_shape)} is not "
                f"compatible with component batch shape {tuple(batch)}"
            )
    count = mixture.logits.shape[-1]
    if count != batch[-1]:
        raise ValueError(
            f"MixtureSameFamily: the mixture has {count} weights for {batch[-1]} components"
        )
