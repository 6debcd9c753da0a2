"""Continuous relaxations of the Bernoulli distribution."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.transformed_distribution import TransformedDistribution
from rushlight.distributions.transforms import SigmoidTransform
from rushlight.distributions.utils import broadcast_all, clamp_probs, uniform

__all__ = ["LogitRelaxedBernoulli", "RelaxedBernoulli"]


class LogitRelaxedBernoulli(ProbsOrLogits, Distribution):
    """The logit of a `RelaxedBernoulli` number.

    Maddison, Mnih and Teh, "The concrete distribution", 2017.

    Example::

        >>> d = rl.distributions.relaxed_bernoulli.LogitRelaxedBernoulli(rl.tensor(1.), probs=0.5)
        >>> d.log_prob(rl.tensor(0.)).exp()
        tensor(0.2500)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    expand = expand_parameters

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self.temperature = temperature
        self._take(probs, logits)
        self._keep(broadcast_all(logits if probs is None else probs)[0])
        super().__init__(self._param.size(), validate_args=validate_args)

    def rsample(self, sample_shape=rl.Size()):
        shape = self._extended_shape(sample_shape)
        p = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(uniform(shape, p))
        return (u.log() - (-u).log1p() + p.log() - (-p).log1p()) / self.temperature

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        return self.temperature.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Numbers in (0, 1) that tend to `Bernoulli` ones as ``temperature`` falls to 0.

    Example::

        >>> d = rl.distributions.RelaxedBernoulli(rl.tensor(0.5), probs=rl.tensor([0.2, 0.8]))
        >>> d.rsample().shape
        torch.Size([2])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    expand = TransformedDistribution.expand

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)

    @property
    def temperature(self):
        return self.base_dist.temperature

    @property
    def logits(self):
        return self.base_dist.logits

    @property
    def probs(self):
        return self.base_dist.probs
