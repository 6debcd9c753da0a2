"""Transforms of vectors and matrices: onto simplices, triangles, covariances and correlations.

Elementwise transforms are in _transform_elementwise.py.
"""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._transform_base import Parameterless, Transform
from rushlight.distributions._transform_elementwise import SigmoidTransform, TanhTransform
from rushlight.distributions.utils import tril_matrix_to_vec, vec_to_tril_matrix


class CorrCholeskyTransform(Transform):
    """Vectors of length D (D - 1) / 2 onto Cholesky factors of D × D correlation matrices.

    ``z = tanh(x)`` fills the strict lower triangle with partial correlations; each is the share of
    its row's remaining length, and the diagonal gets what is left of 1 (Lewandowski, Kurowicka and
    Joe, "Generating random correlation matrices based on vines and extended onion method", 2009).

    Example::

        >>> L = rl.distributions.CorrCholeskyTransform()(rl.tensor([0.5, -1., 2.]))
        >>> (L @ L.T).diagonal()
        tensor([1., 1., 1.])
    """

    domain, codomain = constraints.real_vector, constraints.corr_cholesky
    bijective = True

    def _call(self, x):
        x = rl.tanh(x)
        eps = rl.finfo(x.dtype).eps
        r = vec_to_tril_matrix(x.clamp(-1 + eps, 1 - eps), diag=-1)
        remaining = (1 - r**2).sqrt().cumprod(-1)
        r = r + rl.eye(r.shape[-1], dtype=r.dtype, device=r.device)
        return r * rl.nn.functional.pad(remaining[..., :-1], [1, 0], value=1)

    def _inverse(self, y):
        return tril_matrix_to_vec(self._partial_correlations(y), diag=-1).atanh()

    def _partial_correlations(self, y):
        used = (y * y).cumsum(-1)
        remaining = rl.nn.functional.pad((1 - used)[..., :-1], [1, 0], value=1)
        return y / remaining.sqrt().where(remaining > 0, rl.ones_like(remaining))

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        # dy/dz is a product of remaining lengths, of the columns before the last one below the
        # diagonal; dz/dx = 1 - tanh^2.
        used = (y * y).cumsum(-1)
        remaining = tril_matrix_to_vec(1 - used, diag=-2)
        return 0.5 * remaining.log().sum(-1) + TanhTransform().log_abs_det_jacobian(x, y).sum(-1)

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError("CorrCholeskyTransform: too few dimensions on input")
        n = shape[-1]
        size = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != n:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return shape[:-1] + (size, size)

    def inverse_shape(self, shape):
        _check_square(self, shape)
        return shape[:-2] + (shape[-1] * (shape[-1] - 1) // 2,)


def _check_square(transform, shape):
    if len(shape) < 2:
        raise ValueError(f"{type(transform).__name__}: too few dimensions on input")
    if shape[-2] != shape[-1]:
        raise ValueError(f"{type(transform).__name__}: input is not square, got {tuple(shape)}")


class SoftmaxTransform(Parameterless, Transform):
    """Normalised exponentials over the last dimension; not bijective, and best in the log domain.

    Example::

        >>> rl.distributions.SoftmaxTransform()(rl.zeros(4))
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x):
        weights = (x - x.max(-1, True)[0]).exp()
        return weights / weights.sum(-1, True)

    def _inverse(self, y):
        return y.log()

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError("SoftmaxTransform: too few dimensions on input")
        return shape

    inverse_shape = forward_shape


class StickBreakingTransform(Parameterless, Transform):
    """Vectors of length K - 1 onto the simplex of K shares, each a sigmoid share of the rest.

    The shift by log(K - i) makes zeros give equal shares (the Stan reference manual, "Simplex
    transform").

    Example::

        >>> rl.distributions.StickBreakingTransform()(rl.zeros(3))
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """

    domain, codomain = constraints.real_vector, constraints.simplex
    bijective = True

    def _offset(self, x):
        """log of how many shares follow each one."""
        n = x.shape[-1]
        return rl.arange(n, 0, -1, dtype=x.dtype, device=x.device).log()

    def _call(self, x):
        z = SigmoidTransform()(x - self._offset(x))
        rest = (1 - z).cumprod(-1)
        return rl.nn.functional.pad(z, [0, 1], value=1) * rl.nn.functional.pad(
            rest, [1, 0], value=1
        )

    def _inverse(self, y):
        shares = y[..., :-1]
        rest = (1 - shares.cumsum(-1)).clamp(min=rl.finfo(y.dtype).tiny)
        return shares.log() - rest.log() + self._offset(shares)

    def log_abs_det_jacobian(self, x, y):
        # dy/dx = z (1 - z) rest = y (1 - z), and 1 - z = sigmoid(-x)
        x = x - self._offset(x)
        return (rl.nn.functional.logsigmoid(-x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape):
        if len(shape) < 1:
            raise ValueError("StickBreakingTransform: too few dimensions on input")
        return shape[:-1] + (shape[-1] + 1,)

    def inverse_shape(self, shape):
        if len(shape) < 1:
            raise ValueError("StickBreakingTransform: too few dimensions on input")
        return shape[:-1] + (shape[-1] - 1,)


class LowerCholeskyTransform(Parameterless, Transform):
    """Square matrices onto lower triangles with a positive diagonal: its exponential.

    Example::

        >>> rl.distributions.LowerCholeskyTransform()(rl.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x):
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y):
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(Parameterless, Transform):
    """Square matrices onto positive definite ones, through a Cholesky factor.

    Example::

        >>> rl.distributions.PositiveDefiniteTransform()(rl.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x):
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y):
        return LowerCholeskyTransform().inv(rl.linalg.cholesky(y))
