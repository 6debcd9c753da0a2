"""The continuous Bernoulli distribution."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._odds import ProbsOrLogits
from rushlight.distributions.distribution import expand_parameters
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.utils import (
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    uniform,
)
from rushlight.nn.functional import binary_cross_entropy_with_logits

__all__ = ["ContinuousBernoulli"]


class ContinuousBernoulli(ProbsOrLogits, ExponentialFamily):
    """Numbers in [0, 1] with density proportional to ``probs**x * (1 - probs)**(1 - x)``.

    Its formulas divide by the log odds; for probs within ``lims`` of 1/2 Taylor series replace them
    (Loaiza-Ganem and Cunningham, "The continuous Bernoulli", 2019).

    Example::

        >>> rl.distributions.ContinuousBernoulli(rl.tensor(0.5)).variance
        tensor(0.0833)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0
    expand = expand_parameters

    def __init__(self, probs=None, logits=None, lims=(0.499, 0.501), validate_args=None):
        self._take(probs, logits)
        (param,) = broadcast_all(logits if probs is None else probs)
        if probs is not None:
            if self._validates(validate_args) and not constraints.unit_interval.check(param).all():
                raise ValueError(
                    f"ContinuousBernoulli: the parameter probs has invalid values, got {param}"
                )
            param = clamp_probs(param)
        self._keep(param)
        self._lims = lims
        super().__init__(param.size(), validate_args=validate_args)

    def _validates(self, validate_args):
        return self._validate_args if validate_args is None else validate_args

    @lazy_property
    def probs(self):
        """The parameter λ, off 0 and 1."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    def _away_from_half(self):
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _safe_probs(self):
        """λ where the closed formulas hold, elsewhere a number for which they are finite."""
        return self.probs.masked_fill(~self._away_from_half(), self._lims[0])

    def _choose(self, closed, series):
        return closed.where(self._away_from_half(), series)

    def _cont_bern_log_norm(self):
        """log(2 artanh(1 - 2λ) / (1 - 2λ))."""
        p = self._safe_probs()
        closed = ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log()
        square = (self.probs - 0.5).pow(2)
        return self._choose(closed, math.log(2) + (4 / 3 + 104 / 45 * square) * square)

    @property
    def mean(self):
        p = self._safe_probs()
        closed = p / (2 * p - 1) + 1 / ((-p).log1p() - p.log())
        x = self.probs - 0.5
        return self._choose(closed, 0.5 + (1 / 3 + 16 / 45 * x.pow(2)) * x)

    @property
    def variance(self):
        p = self._safe_probs()
        closed = p * (p - 1) / (1 - 2 * p).pow(2) + ((-p).log1p() - p.log()).pow(-2)
        square = (self.probs - 0.5).pow(2)
        return self._choose(closed, 1 / 12 - (1 / 15 - 128 / 945 * square) * square)

    def rsample(self, sample_shape=rl.Size()):
        return self.icdf(uniform(self._extended_shape(sample_shape), self.probs))

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        fit = -binary_cross_entropy_with_logits(logits, value, reduction="none")
        return fit + self._cont_bern_log_norm()

    def cdf(self, value):
        if self._validate_args:
            self._validate_sample(value)
        p = self._safe_probs()
        closed = (p.pow(value) * (1 - p).pow(1 - value) + p - 1) / (2 * p - 1)
        rest, l = value * (1 - value), rl.logit(self.probs)
        series = value - rest * l * (0.5 - (1 - 2 * value) * l / 12)
        inside = self._choose(closed, series)
        return inside.masked_fill(value <= 0, 0).masked_fill(value >= 1, 1)

    def icdf(self, value):
        p = self._safe_probs()
        rise = (-p + value * (2 * p - 1)).log1p() - (-p).log1p()
        rest, l = value * (1 - value), rl.logit(self.probs)
        series = value + rest * l * (0.5 + (1 - 2 * value) * l / 6)
        return self._choose(rise / (p.log() - (-p).log1p()), series)

    def entropy(self):
        log_odds = self.probs.log() - (-self.probs).log1p()
        return -self.mean * log_odds - self._cont_bern_log_norm() - (-self.probs).log1p()

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        """log((exp(x) - 1) / x)."""
        low, high = self._lims[0] - 0.5, self._lims[1] - 0.5
        away = (x <= low) | (x > high)
        safe = x.masked_fill(~away, low)
        closed = safe.expm1().abs().log() - safe.abs().log()
        return closed.where(away, x / 2 + x.pow(2) / 24 - x.pow(4) / 2880)
