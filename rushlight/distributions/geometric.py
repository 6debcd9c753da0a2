"""The geometric distribution: failures before the first success."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import broadcast_all, uniform
from rushlight.nn.functional import binary_cross_entropy_with_logits

__all__ = ["Geometric"]


class Geometric(ProbsOrLogits, Distribution):
    """The number of failures before the first success, which has probability ``probs`` in (0, 1].

    Example::

        >>> rl.distributions.Geometric(rl.tensor(0.5)).mean
        tensor(1.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer
    expand = expand_parameters

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._take(probs, logits)
        self._keep(broadcast_all(logits if probs is None else probs)[0])
        super().__init__(self._param.size(), validate_args=validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            raise ValueError(
                f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of "
                f"distribution {self!r} to be positive but found invalid values:\n{self.probs}"
            )

    @property
    def mean(self):
        return 1 / self.probs - 1

    @property
    def mode(self):
        return rl.zeros_like(self.probs)

    @property
    def variance(self):
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape=rl.Size()):
        with rl.no_grad():
            u = uniform(self._extended_shape(sample_shape), self.probs)
            u = u.clamp(min=rl.finfo(u.dtype).tiny)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        certain = (probs == 1) & (value == 0)
        return value * (-probs.masked_fill(certain, 0)).log1p() + probs.log()

    def entropy(self):
        one_trial = binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return one_trial / self.probs
