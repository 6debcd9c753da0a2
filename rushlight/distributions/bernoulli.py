"""The Bernoulli distribution."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits, first_values
from rushlight.distributions.distribution import expand_parameters
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.utils import broadcast_all
from rushlight.nn.functional import binary_cross_entropy_with_logits

__all__ = ["Bernoulli"]


class Bernoulli(ProbsOrLogits, ExponentialFamily):
    """1 with probability ``probs`` = sigmoid(``logits``), else 0.

    Args:
        probs, logits: numbers or tensors; exactly one of them.

    Example::

        >>> rl.distributions.Bernoulli(rl.tensor([0.3])).log_prob(rl.tensor([1.])).exp()
        tensor([0.3000])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0
    expand = expand_parameters

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(probs, logits)
        self._keep(broadcast_all(logits if probs is None else probs)[0])
        super().__init__(self._param.size(), validate_args=validate_args)

    @property
    def mean(self):
        return self.probs

    @property
    def mode(self):
        return (self.probs >= 0.5).to(self.probs).masked_fill(self.probs == 0.5, math.nan)

    @property
    def variance(self):
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape=rl.Size()):
        with rl.no_grad():
            return rl.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand=True):
        return first_values(2, self, expand)

    @property
    def _natural_params(self):
        return (rl.logit(self.probs),)

    def _log_normalizer(self, x):
        return rl.nn.functional.softplus(x)
