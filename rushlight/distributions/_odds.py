"""Distributions that are given by probabilities or, equivalently, by log odds.

The one that is given is kept, the other is computed when it is first needed.
"""

import rushlight as rl
from rushlight.distributions.utils import lazy_property, logits_to_probs, probs_to_logits


class ProbsOrLogits:
    """Mixin: parameters ``probs`` and ``logits``, of one event or over the last dimension."""

    _is_binary = True

    def _take(self, probs, logits):
        """Checks that one of the two is given; says which."""
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        self._given = "probs" if logits is None else "logits"
        return self._given

    def _keep(self, value):
        setattr(self, self._given, value)

    @property
    def _param(self):
        """The parameter that was given."""
        return getattr(self, self._given)

    @lazy_property
    def logits(self):
        """Log odds, or logarithms of the probabilities."""
        return probs_to_logits(self.probs, is_binary=self._is_binary)

    @lazy_property
    def probs(self):
        """Probabilities."""
        return logits_to_probs(self.logits, is_binary=self._is_binary)

    @property
    def param_shape(self):
        """The shape of the parameter that was given."""
        return self._param.size()

    def _new(self, *args, **kwargs):
        return self._param.new(*args, **kwargs)


def first_values(count, distribution, expand):
    """0 ... count - 1 along a new first dimension, over the batch if ``expand``."""
    like = distribution._param
    batch = distribution._batch_shape
    values = rl.arange(count, dtype=like.dtype, device=like.device)
    values = values.view((-1,) + (1,) * len(batch))
    return values.expand((-1,) + batch) if expand else values
