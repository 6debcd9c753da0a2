"""Continuous relaxations of the one-hot categorical distribution."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.categorical import Categorical
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.transformed_distribution import TransformedDistribution
from rushlight.distributions.transforms import ExpTransform
from rushlight.distributions.utils import broadcast_all, clamp_probs, uniform

__all__ = ["ExpRelaxedCategorical", "RelaxedOneHotCategorical"]


class ExpRelaxedCategorical(Distribution):
    """The logarithm of a `RelaxedOneHotCategorical` vector.

    Maddison, Mnih and Teh, "The concrete distribution", 2017.

    Example::

        >>> module = rl.distributions.relaxed_categorical
        >>> module.ExpRelaxedCategorical(rl.tensor(1.), rl.tensor([1., 1.])).rsample().shape
        torch.Size([2])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector  # those whose exponentials sum to 1
    has_rsample = True
    expand = expand_parameters

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    def _new(self, *args, **kwargs):
        return self._categorical._new(*args, **kwargs)

    @property
    def param_shape(self):
        return self._categorical.param_shape

    @property
    def logits(self):
        return self._categorical.logits

    @property
    def probs(self):
        return self._categorical.probs

    def rsample(self, sample_shape=rl.Size()):
        u = clamp_probs(uniform(self._extended_shape(sample_shape), self.logits))
        gumbel = -(-u.log()).log()
        return rl.log_softmax((self.logits + gumbel) / self.temperature, -1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        n = logits.shape[-1]
        log_scale = math.lgamma(n) + (n - 1) * rl.as_tensor(self.temperature).log()
        return rl.log_softmax(logits - value * self.temperature, -1).sum(-1) + log_scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Vectors on the simplex that tend to `OneHotCategorical` ones as ``temperature`` falls to 0.

    Example::

        >>> d = rl.distributions.RelaxedOneHotCategorical(rl.tensor(0.5), rl.tensor([1., 3.]))
        >>> d.rsample().shape
        torch.Size([2])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True
    expand = TransformedDistribution.expand

    def __init__(self, temperature, probs=None, logits=None, validate_args=None):
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    @property
    def temperature(self):
        return self.base_dist.temperature

    @property
    def logits(self):
        return self.base_dist.logits

    @property
    def probs(self):
        return self.base_dist.probs
