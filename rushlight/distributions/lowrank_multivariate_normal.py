"""Multivariate normal distributions whose covariance is of low rank plus a diagonal."""

import math

import rushlight as rl
from rushlight.distributions import _triangular, constraints
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import lazy_property, standard_normal

__all__ = ["LowRankMultivariateNormal"]


class LowRankMultivariateNormal(Distribution):
    """Normal vectors of covariance ``W W^T + D``, W = ``cov_factor``, D = diag(``cov_diag``).

    With W of shape ``(..., n, m)`` only the m × m capacitance matrix I + W^T D^-1 W is factored
    (Woodbury's identity and the matrix determinant lemma).

    Example::

        >>> d = rl.distributions.LowRankMultivariateNormal(rl.zeros(2), rl.ones(2, 1), rl.ones(2))
        >>> d.covariance_matrix
        tensor([[2., 1.],
                [1., 2.]])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    expand = expand_parameters

    def __init__(self, loc, cov_factor, cov_diag, validate_args=None):
        _check_shapes(loc, cov_factor, cov_diag)
        batch = rl.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self._unbroadcasted_cov_factor = cov_factor
        self._unbroadcasted_cov_diag = cov_diag
        self.loc = loc.expand(batch + (-1,))
        self.cov_factor = cov_factor.expand(batch + (-1, -1))
        self.cov_diag = cov_diag.expand(batch + (-1,))
        capacitance = _capacitance(cov_factor, cov_diag)
        self._capacitance_tril = rl.linalg.cholesky(capacitance)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):
        variance = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return variance.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def scale_tril(self):
        """The Cholesky factor D^½ chol(I + D^-½ W W^T D^-½), well conditioned for small D."""
        root = self._unbroadcasted_cov_diag.sqrt().unsqueeze(-1)
        scaled = self._unbroadcasted_cov_factor / root
        n = self._event_shape[0]
        inner = scaled @ scaled.mT + rl.eye(n, dtype=scaled.dtype, device=scaled.device)
        return (root * rl.linalg.cholesky(inner)).expand(self._batch_shape + (n, n))

    @lazy_property
    def covariance_matrix(self):
        factor, n = self._unbroadcasted_cov_factor, self._event_shape[0]
        covariance = factor @ factor.mT + self._unbroadcasted_cov_diag.diag_embed()
        return covariance.expand(self._batch_shape + (n, n))

    @lazy_property
    def precision_matrix(self):
        """D^-1 - A^T A with A = chol(capacitance)^-1 W^T D^-1."""
        inverse = self._unbroadcasted_cov_diag.reciprocal()
        n = self._event_shape[0]
        right = self._unbroadcasted_cov_factor.mT * inverse.unsqueeze(-2)
        a = rl.linalg.solve_triangular(self._capacitance_tril, right, upper=False)
        return (inverse.diag_embed() - a.mT @ a).expand(self._batch_shape + (n, n))

    def rsample(self, sample_shape=rl.Size()):
        shape = self._extended_shape(sample_shape)
        rank = self.cov_factor.shape[-1:]
        along = standard_normal(shape[:-1] + rank, self.loc)
        across = standard_normal(shape, self.loc)
        low_rank = (self._unbroadcasted_cov_factor @ along.unsqueeze(-1)).squeeze(-1)
        return self.loc + low_rank + self._unbroadcasted_cov_diag.sqrt() * across

    def _half_log_det(self):
        diagonal = 0.5 * self._unbroadcasted_cov_diag.log().sum(-1)
        return diagonal + _triangular.half_log_det(self._capacitance_tril)

    def _squared_distance(self, difference):
        """x^T (W W^T + D)^-1 x."""
        scaled = difference / self._unbroadcasted_cov_diag
        inner = (self._unbroadcasted_cov_factor.mT @ scaled.unsqueeze(-1)).squeeze(-1)
        removed = _triangular.squared_distance(self._capacitance_tril, inner)
        return (difference * scaled).sum(-1) - removed

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        distance = self._squared_distance(value - self.loc)
        log_norm = 0.5 * self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * distance - log_norm - self._half_log_det()

    def entropy(self):
        per_dim = 0.5 * (1 + math.log(2 * math.pi))
        entropy = self._event_shape[0] * per_dim + self._half_log_det()
        return entropy.expand(self._batch_shape)


def _capacitance(factor, diag):
    scaled = factor.mT / diag.unsqueeze(-2)
    m = factor.shape[-1]
    return scaled @ factor + rl.eye(m, dtype=factor.dtype, device=factor.device)


def _check_shapes(loc, factor, diag):
    if loc.dim() < 1:
        raise ValueError("LowRankMultivariateNormal: loc must be at least one-dimensional.")
    n = loc.shape[-1]
    if factor.dim() < 2 or factor.shape[-2] != n:
        raise ValueError(
            "LowRankMultivariateNormal: cov_factor must be at least two-dimensional, of shape "
            f"(..., {n}, m), got {tuple(factor.shape)}"
        )
    if diag.dim() < 1 or diag.shape[-1] != n:
        raise ValueError(
            "LowRankMultivariateNormal: cov_diag must be a batch of vectors with shape "
            f"(..., {n}), got {tuple(diag.shape)}"
        )
    try:
        rl.broadcast_shapes(loc.shape[:-1], factor.shape[:-2], diag.shape[:-1])
    except RuntimeError as error:
        raise ValueError(
            f"LowRankMultivariateNormal: incompatible batch shapes: loc {tuple(loc.shape)}, "
            f"cov_factor {tuple(factor.shape)}, cov_diag {tuple(diag.shape)}"
        ) from error
