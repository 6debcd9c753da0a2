"""The multinomial distribution: counts of categories."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.binomial import Binomial
from rushlight.distributions.categorical import Categorical
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import broadcast_all, lazy_property

__all__ = ["Multinomial"]


class Multinomial(Distribution):
    """How often each category comes up in ``total_count`` draws; one count for the whole batch.

    `log_prob` takes the number of draws from the value. Raises NotImplementedError if total_count
    is not an int.

    Example::

        >>> rl.distributions.Multinomial(4, rl.tensor([1., 1.])).mean
        tensor([2., 2.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    expand = expand_parameters

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        if not isinstance(total_count, int):
            raise NotImplementedError("Multinomial: inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self):
        return constraints.multinomial(self.total_count)

    def _new(self, *args, **kwargs):
        return self._categorical._new(*args, **kwargs)

    @property
    def probs(self):
        return self._categorical.probs

    @property
    def logits(self):
        return self._categorical.logits

    @property
    def param_shape(self):
        return self._categorical.param_shape

    @property
    def mean(self):
        return self.probs * self.total_count

    @property
    def variance(self):
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape=rl.Size()):
        sample_shape = rl.Size(sample_shape)
        drawn = self._categorical.sample(rl.Size((self.total_count,)) + sample_shape)
        drawn = drawn.movedim(0, -1)
        counts = self.probs.detach().new_zeros(self._extended_shape(sample_shape))
        return counts.scatter_add_(-1, drawn, rl.ones_like(drawn).type_as(counts))

    @lazy_property
    def _binomial(self):
        """The marginal distribution of each count."""
        return Binomial(total_count=self.total_count, probs=self.probs)

    def entropy(self):
        """n H(probs) - log n! + sum over categories of E[log count!]."""
        n = rl.tensor(self.total_count, dtype=self.probs.dtype, device=self.probs.device)
        counts = self._binomial.enumerate_support(expand=False)[1:]
        weights = self._binomial.log_prob(counts).exp()
        repeats = (weights * rl.lgamma(counts + 1)).sum([0, -1])
        return n * self._categorical.entropy() - rl.lgamma(n + 1) + repeats

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        log_orders = rl.lgamma(value.sum(-1) + 1) - rl.lgamma(value + 1).sum(-1)
        impossible = (value == 0) & (logits == -math.inf)
        return log_orders + (logits.masked_fill(impossible, 0) * value).sum(-1)
