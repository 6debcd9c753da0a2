"""The multivariate normal distribution."""

import math

import rushlight as rl
from rushlight.distributions import _triangular, constraints
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import lazy_property, standard_normal

__all__ = ["MultivariateNormal"]

_precision_to_scale_tril = _triangular.factor_of_precision  # by the name that packages import


class MultivariateNormal(Distribution):
    """Normal vectors of mean ``loc`` and one of three descriptions of their covariance.

    Args:
        loc: of shape ``(..., n)``.
        covariance_matrix, precision_matrix, scale_tril: ``(..., n, n)``; exactly one. scale_tril,
            the lower Cholesky factor of the covariance, is what the others are turned into.

    Example::

        >>> d = rl.distributions.MultivariateNormal(rl.zeros(2), rl.eye(2))
        >>> d.log_prob(rl.zeros(2))
        tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    expand = expand_parameters

    def __init__(
        self,
        loc,
        covariance_matrix=None,
        precision_matrix=None,
        scale_tril=None,
        validate_args=None,
    ):
        if loc.dim() < 1:
            raise ValueError("MultivariateNormal: loc must be at least one-dimensional.")
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        name = _triangular.exactly_one(**given)
        matrix = given[name]
        if matrix.dim() < 2:
            raise ValueError(
                f"MultivariateNormal: {name} must be at least two-dimensional, with optional "
                "leading batch dimensions"
            )
        batch = rl.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand(batch + (-1, -1)))
        self.loc = loc.expand(batch + (-1,))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = _triangular.factor_of(name, matrix)

    @lazy_property
    def scale_tril(self):
        """The lower Cholesky factor of the covariance."""
        n = self._event_shape[-1]
        return self._unbroadcasted_scale_tril.expand(self._batch_shape + (n, n))

    @lazy_property
    def covariance_matrix(self):
        factor, n = self._unbroadcasted_scale_tril, self._event_shape[-1]
        return (factor @ factor.mT).expand(self._batch_shape + (n, n))

    @lazy_property
    def precision_matrix(self):
        """The inverse of the covariance."""
        n = self._event_shape[-1]
        inverse = _triangular.inverse_from_factor(self._unbroadcasted_scale_tril)
        return inverse.expand(self._batch_shape + (n, n))

    @property
    def mean(self):
        return self.loc

    @property
    def mode(self):
        return self.loc

    @property
    def variance(self):
        squares = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return squares.expand(self._batch_shape + self._event_shape)

    def rsample(self, sample_shape=rl.Size()):
        noise = standard_normal(self._extended_shape(sample_shape), self.loc)
        return self.loc + (self._unbroadcasted_scale_tril @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        factor = self._unbroadcasted_scale_tril
        distance = _triangular.squared_distance(factor, value - self.loc)
        log_norm = 0.5 * self._event_shape[0] * math.log(2 * math.pi)
        return -0.5 * distance - log_norm - _triangular.half_log_det(factor)

    def entropy(self):
        per_dim = 0.5 * (1 + math.log(2 * math.pi))
        half_log_det = _triangular.half_log_det(self._unbroadcasted_scale_tril)
        return (half_log_det + self._event_shape[0] * per_dim).expand(self._batch_shape)
