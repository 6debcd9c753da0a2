"""The categorical distribution over 0 ... K - 1."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits, first_values
from rushlight.distributions.distribution import Distribution, expand_parameters

__all__ = ["Categorical"]


class Categorical(ProbsOrLogits, Distribution):
    """Category numbers with the probabilities in the last dimension of ``probs``.

    Args:
        probs: non-negative weights, which are normalised to sum to 1.
        logits: log weights, normalised alike. Exactly one of the two.

    Example::

        >>> rl.distributions.Categorical(rl.tensor([1., 3.])).probs
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _is_binary = False
    expand = expand_parameters

    def __init__(self, probs=None, logits=None, validate_args=None):
        name = self._take(probs, logits)
        given = logits if probs is None else probs
        if given.dim() < 1:
            raise ValueError(f"Categorical: `{name}` parameter must be at least one-dimensional.")
        if probs is None:
            self._keep(given - given.logsumexp(-1, keepdim=True))
        else:
            self._keep(given / given.sum(-1, keepdim=True))
        self._num_events = given.size(-1)
        super().__init__(given.size()[:-1], validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self):
        return constraints.integer_interval(0, self._num_events - 1)

    def _undefined(self):
        return rl.full(
            self._extended_shape(), math.nan, dtype=self.probs.dtype, device=self.probs.device
        )

    @property
    def mean(self):
        return self._undefined()

    @property
    def mode(self):
        return self.probs.argmax(dim=-1)

    @property
    def variance(self):
        return self._undefined()

    def sample(self, sample_shape=rl.Size()):
        sample_shape = rl.Size(sample_shape)
        rows = self.probs.reshape(-1, self._num_events)
        with rl.no_grad():
            drawn = rl.multinomial(rows, sample_shape.numel(), True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        value = value.long().unsqueeze(-1)
        value, log_pmf = rl.broadcast_tensors(value, self.logits)
        return log_pmf.gather(-1, value[..., :1]).squeeze(-1)

    def entropy(self):
        finite = self.logits.clamp(min=rl.finfo(self.logits.dtype).min)
        return -(finite * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return first_values(self._num_events, self, expand).long()
