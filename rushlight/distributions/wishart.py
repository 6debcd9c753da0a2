"""The Wishart distribution of covariance matrices."""

import math
import warnings
from numbers import Number

import rushlight as rl
from rushlight.distributions import _triangular, constraints
from rushlight.distributions.chi2 import Chi2
from rushlight.distributions.distribution import expand_parameters, nan_where
from rushlight.distributions.exp_family import ExponentialFamily
from rushlight.distributions.utils import lazy_property

__all__ = ["Wishart"]


class Wishart(ExponentialFamily):
    """The sum of ``df`` outer products of normal vectors of covariance Σ; df real, > n - 1.

    Args:
        df: degrees of freedom, a number or of the batch shape.
        covariance_matrix, precision_matrix, scale_tril: Σ, its inverse or its lower Cholesky
            factor, of shape ``(..., n, n)``; exactly one.

    Example::

        >>> rl.distributions.Wishart(3., rl.eye(2)).mean
        tensor([[3., 0.],
                [0., 3.]])
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    expand = expand_parameters

    def __init__(
        self,
        df,
        covariance_matrix=None,
        precision_matrix=None,
        scale_tril=None,
        validate_args=None,
    ):
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        name = _triangular.exactly_one(**given)
        matrix = given[name]
        if matrix.dim() < 2:
            raise ValueError(
                f"Wishart: {name} must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if isinstance(df, Number):
            df = rl.tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch, event = rl.broadcast_shapes(matrix.shape[:-2], df.shape), matrix.shape[-2:]
        self.df = df.expand(batch)
        self._event_shape = event
        _check_df(self.df, event[-1])
        setattr(self, name, matrix.expand(batch + (-1, -1)))
        super().__init__(batch, event, validate_args=validate_args)
        self._unbroadcasted_scale_tril = _triangular.factor_of(name, matrix)

    @property
    def arg_constraints(self):
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    @lazy_property
    def scale_tril(self):
        return self._unbroadcasted_scale_tril.expand(self._batch_shape + self._event_shape)

    @lazy_property
    def covariance_matrix(self):
        factor = self._unbroadcasted_scale_tril
        return (factor @ factor.mT).expand(self._batch_shape + self._event_shape)

    @lazy_property
    def precision_matrix(self):
        inverse = _triangular.inverse_from_factor(self._unbroadcasted_scale_tril)
        return inverse.expand(self._batch_shape + self._event_shape)

    @property
    def _df_of_matrix(self):
        return self.df[..., None, None]

    @property
    def mean(self):
        return self._df_of_matrix * self.covariance_matrix

    @property
    def mode(self):
        factor = self.df - self._event_shape[-1] - 1
        return nan_where(factor <= 0, factor)[..., None, None] * self.covariance_matrix

    @property
    def variance(self):
        sigma = self.covariance_matrix
        diagonal = sigma.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._df_of_matrix * (sigma.pow(2) + outer)

    @lazy_property
    def _chi2(self):
        """The squared diagonal entries of Bartlett's factor."""
        rows = rl.arange(self._event_shape[-1], dtype=self.df.dtype, device=self.df.device)
        return Chi2(self.df.unsqueeze(-1) - rows)

    def _bartlett(self, sample_shape):
        """L A A^T L^T, A triangular (Bartlett, "On the theory of statistical regression", 1933)."""
        n = self._event_shape[-1]
        diagonal = self._chi2.rsample(sample_shape).sqrt()
        a = diagonal.clamp(min=rl.finfo(diagonal.dtype).eps).diag_embed()
        i, j = rl.tril_indices(n, n, offset=-1)
        shape = rl.Size(sample_shape) + self._batch_shape + (n * (n - 1) // 2,)
        a[..., i, j] = rl.randn(shape, dtype=a.dtype, device=a.device)
        factor = self._unbroadcasted_scale_tril @ a
        return factor @ factor.mT

    def rsample(self, sample_shape=rl.Size(), max_try_correction=None):
        """Samples; those that rounding leaves singular are drawn again, ``max_try_correction`` (10)
        times at most."""
        self._bartlett(sample_shape)  # PyTorch returns the second of two draws: same seed, same
        sample = self._bartlett(sample_shape)
        tries = 10 if max_try_correction is None else max_try_correction
        for _ in range(tries):
            singular = ~self.support.check(sample)
            if not singular.any():
                break
            again = self._bartlett(sample_shape)
            sample = again.where(singular[..., None, None], sample)
        return sample

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        n = self._event_shape[-1]
        trace = (self.precision_matrix * value).sum((-2, -1))
        log_det = rl.linalg.slogdet(value).logabsdet
        return 0.5 * ((self.df - n - 1) * log_det - trace) - self._log_norm()

    def _log_norm(self):
        n, half = self._event_shape[-1], 0.5 * self.df
        log_det = 2 * _triangular.half_log_det(self._unbroadcasted_scale_tril)
        return half * (n * math.log(2) + log_det) + rl.mvlgamma(half, n)

    def entropy(self):
        """From E[log det X] = log det Σ + n log 2 + the multivariate digamma function of df / 2."""
        n, half = self._event_shape[-1], 0.5 * self.df
        log_det = 2 * _triangular.half_log_det(self._unbroadcasted_scale_tril)
        expected = log_det + n * math.log(2) + multivariate_digamma(half, n)
        return self._log_norm() - 0.5 * (self.df - n - 1) * expected + half * n

    @property
    def _natural_params(self):
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x, y):
        n = self._event_shape[-1]
        half = y + (n + 1) / 2
        return half * (n * math.log(2) - rl.linalg.slogdet(-2 * x).logabsdet) + rl.mvlgamma(half, n)


def multivariate_digamma(x, p):
    """The derivative of `torch.mvlgamma`."""
    steps = rl.arange(p, dtype=x.dtype, device=x.device) / 2
    return rl.digamma(x.unsqueeze(-1) - steps).sum(-1)


def _check_df(df, n):
    if (df <= n - 1).any():
        raise ValueError(f"Wishart: df must be greater than ndim - 1 = {n - 1}, got {df}")
    if (df < n).any():
        warnings.warn(
            "Low df values detected. Singular samples are highly likely to occur for "
            f"ndim - 1 < df < ndim, ndim = {n}.",
            stacklevel=3,
        )
