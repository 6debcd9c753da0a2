"""The LKJ distribution of correlation matrices, as Cholesky factors."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.beta import Beta
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import broadcast_all, lazy_property, standard_normal

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Cholesky factors of ``dim`` × ``dim`` correlation matrices, density ~ det ** (η - 1).

    η = ``concentration`` = 1 is uniform over correlation matrices; larger ones prefer the identity
    (Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and
    extended onion method", 2009).

    Example::

        >>> rl.distributions.LKJCholesky(3, 0.5).sample().shape
        torch.Size([3, 3])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    expand = expand_parameters

    def __init__(self, dim, concentration=1.0, validate_args=None):
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        super().__init__(
            self.concentration.size(), rl.Size((dim, dim)), validate_args=validate_args
        )

    @lazy_property
    def _beta(self):
        """Squared lengths of each row's part below the diagonal; the first row's is discarded."""
        like = self.concentration
        before = rl.arange(self.dim - 1, dtype=like.dtype, device=like.device)
        before = rl.cat([before.new_zeros(1), before])
        highest = like.unsqueeze(-1) + 0.5 * (self.dim - 2)
        return Beta(before + 0.5, highest - 0.5 * before)

    def sample(self, sample_shape=rl.Size()):
        """The onion method: row i is a random direction of i dimensions and a random length."""
        with rl.no_grad():
            square = self._beta.sample(sample_shape).unsqueeze(-1)
            noise = standard_normal(self._extended_shape(sample_shape), square).tril(-1)
            direction = noise / noise.norm(dim=-1, keepdim=True)
            direction[..., 0, :] = 0
            below = square.sqrt() * direction
            tiny = rl.finfo(below.dtype).tiny
            diagonal = (1 - below.square().sum(-1)).clamp(min=tiny).sqrt()
            return below + diagonal.diag_embed()

    def log_prob(self, value):
        """In the measure of the factors: diagonal entry i has exponent 2 (η - 1) + dim - i."""
        if self._validate_args:
            self._validate_sample(value)
        eta, d = self.concentration, self.dim
        row = rl.arange(2, d + 1, dtype=eta.dtype, device=eta.device)
        exponent = 2 * (eta - 1).unsqueeze(-1) + d - row
        diagonal = value.diagonal(dim1=-2, dim2=-1)[..., 1:]
        return (exponent * diagonal.log()).sum(-1) - self._log_normalizer()

    def _log_normalizer(self):
        """The sum over k < dim of log of π^(k/2) Γ(η + (dim-1-k)/2) / Γ(η + (dim-1)/2)."""
        eta, d = self.concentration, self.dim
        k = rl.arange(1, d, dtype=eta.dtype, device=eta.device)
        rest = rl.lgamma(eta.unsqueeze(-1) + 0.5 * (d - 1 - k)).sum(-1)
        return (
            0.25 * d * (d - 1) * math.log(math.pi) + rest - (d - 1) * rl.lgamma(eta + 0.5 * (d - 1))
        )
