"""The binomial distribution."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits, first_values
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import broadcast_all

__all__ = ["Binomial"]


class Binomial(ProbsOrLogits, Distribution):
    """The number of successes in ``total_count`` trials of probability ``probs``.

    Entropy and `enumerate_support` need one count for the whole batch (NotImplementedError).

    Example::

        >>> rl.distributions.Binomial(4, rl.tensor(0.5)).log_prob(rl.tensor(2.)).exp()
        tensor(0.3750)
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    expand = expand_parameters

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        self._take(probs, logits)
        count, param = broadcast_all(total_count, logits if probs is None else probs)
        self.total_count = count.type_as(param)
        self._keep(param)
        super().__init__(param.size(), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self):
        return self.total_count * self.probs

    @property
    def mode(self):
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=rl.Size()):
        shape = self._extended_shape(sample_shape)
        with rl.no_grad():
            return rl.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        n, logits = self.total_count, self.logits
        log_choices = rl.lgamma(n + 1) - rl.lgamma(value + 1) - rl.lgamma(n - value + 1)
        return log_choices + value * logits + n * rl.nn.functional.logsigmoid(-logits)

    def _one_count(self, method):
        if not self.total_count.numel():
            return 0
        count = int(self.total_count.max())
        if self.total_count.min() != count:
            raise NotImplementedError(
                f"Binomial: Inhomogeneous total count not supported by `{method}`."
            )
        return count

    def entropy(self):
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand=True):
        return first_values(1 + self._one_count("enumerate_support"), self, expand)
