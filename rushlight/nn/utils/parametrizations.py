"""Ready-made parametrisations: orthogonal weights, weight norm, spectral norm.

The machinery is in `parametrize.py`.
"""

import rushlight as rl

from .. import functional as F
from ..modules.module import Module
from . import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _SpectralNorm(Module):
    """Divides by the largest singular value, which power iteration estimates (Miyato 2018)."""

    def __init__(self, weight, n_power_iterations=1, dim=0, eps=1e-12):
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but "
                f"got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got n_power_iterations="
                f"{n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._reshape_weight_to_matrix(weight)
            h, w = matrix.size()
            u, v = matrix.new_empty(h).normal_(0, 1), matrix.new_empty(w).normal_(0, 1)
            self.register_buffer("_u", F.normalize(u, dim=0, eps=self.eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=self.eps))
            self._power_method(matrix, 15)

    def _reshape_weight_to_matrix(self, weight):
        order = [self.dim, *(d for d in range(weight.dim()) if d != self.dim)]
        return weight.permute(order).flatten(1)

    def _power_method(self, matrix, n_power_iterations):
        with rl.no_grad():
            for _ in range(n_power_iterations):
                self._u.copy_(F.normalize(rl.mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(F.normalize(rl.mv(matrix.H, self._u), dim=0, eps=self.eps))

    def forward(self, weight):
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return weight / rl.vdot(u, rl.mv(matrix, v))

    def right_inverse(self, value):
        return value


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Divide a weight by its largest singular value whenever it is used; returns `module`.

    Args:
        name: the parameter.
        n_power_iterations: iterations per use while training.
        eps: smallest norm to divide by.
        dim: the dimension of the outputs; None for 0, or 1 for transposed convolutions.

    Source: Miyato et al. 2018, "Spectral normalization for generative adversarial networks".
    """
    weight = _weight(module, name)
    if dim is None:
        from ..modules.conv import _ConvTransposeNd

        dim = 1 if isinstance(module, _ConvTransposeNd) else 0
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, norm)


def _weight(module, name):
    weight = getattr(module, name, None)
    if not isinstance(weight, rl.Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


def norm_except(weight, dim):
    """The 2-norm over all dimensions but `dim`; over all of them if `dim` is -1."""
    if dim == -1:
        return rl.linalg.vector_norm(weight)
    others = [d for d in range(weight.dim()) if d != dim % weight.dim()]
    return rl.linalg.vector_norm(weight, 2, others, keepdim=True) if others else weight.abs()


class _WeightNorm(Module):
    """`g * v / |v|`, the norm over all dimensions but one."""

    def __init__(self, dim=0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g, weight_v):
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight):
        return norm_except(weight, self.dim), weight


def weight_norm(module, name="weight", dim=0):
    """Learn a weight's norm and direction separately (Salimans & Kingma 2016); returns `module`.

    The norm is `parametrizations.weight.original0`, the direction `original1`. `dim` is the
    dimension with norms of its own, None for one norm of everything.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    module._register_load_state_dict_pre_hook(_rename_old_keys(name))
    return module


def _rename_old_keys(name):
    """State dicts of the older `utils.weight_norm` have `weight_g` and `weight_v`."""

    def rename(state_dict, prefix, *rest):
        old = [f"{prefix}{name}_g", f"{prefix}{name}_v"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    return rename


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows) from an unconstrained one."""

    def __init__(self, weight, orthogonal_map, use_trivialization=True):
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def _shaped(self, x):
        return x.size(-2), x.size(-1)

    def forward(self, X):
        wide = X.size(-2) < X.size(-1)
        x = X.mT if wide else X
        rows, columns = self._shaped(x)
        if self.orthogonal_map == "householder":
            q = self._householder(x)
        else:
            q = self._by_skew(x, rows, columns)
        if getattr(self, "base", None) is not None:
            q = self.base @ q
        return q.mT if wide else q

    def _by_skew(self, x, rows, columns):
        x = x.tril()
        if rows != columns:
            padding = x.new_zeros(rows, rows - columns).expand(*x.shape[:-2], -1, -1)
            x = rl.cat([x, padding], dim=-1)
        skew = x - x.mH
        if self.orthogonal_map == "matrix_exp":
            q = rl.matrix_exp(skew)
        else:
            identity = rl.eye(rows, dtype=skew.dtype, device=skew.device)
            q = rl.linalg.solve(
                rl.add(identity, skew, alpha=-0.5), rl.add(identity, skew, alpha=0.5)
            )
        return q[..., :columns] if rows != columns else q

    def _householder(self, x):
        below = x.tril(diagonal=-1)
        factors = 2.0 / (1.0 + (below * below).sum(dim=-2))
        q = rl.linalg.householder_product(below, factors)
        return q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    def right_inverse(self, Q):
        with rl.no_grad():
            if Q.shape != self.shape:
                raise ValueError(
                    "Expected a matrix or batch of matrices of shape "
                    f"{self.shape}. Got a tensor of shape {Q.shape}."
                )
            wide = Q.size(-2) < Q.size(-1)
            q = Q.mT if wide else Q
            rows, columns = self._shaped(q)
            if hasattr(self, "base"):
                return self._start_from(q, rows, columns, wide)
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley "
                    "parametrizations when use_trivialization=False."
                )
            a, tau = rl.geqrf(q)
            a.diagonal(dim1=-2, dim2=-1).sign_()
            a.diagonal(dim1=-2, dim2=-1)[tau == 0.0] *= -1
            return a.mT if wide else a

    def _start_from(self, q, rows, columns, wide):
        """Make `q` the base; the original that gives it is then zero (identity for householder)."""
        if rows == columns:
            self.base = _nearest_orthogonal(q)
        else:
            rest = rl.randn(*q.shape[:-2], rows, rows - columns, dtype=q.dtype, device=q.device)
            self.base = _nearest_orthogonal(rl.cat([q, rest], dim=-1))
        start = rl.zeros_like(q)
        if self.orthogonal_map == "householder":
            start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start.mT if wide else start


def _nearest_orthogonal(matrix):
    """The first factor of the QR decomposition, its signs as in `matrix`."""
    q, r = rl.linalg.qr(matrix)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(module, name="weight", orthogonal_map=None, *, use_trivialization=True):
    """Keep a weight orthogonal, or with orthonormal rows or columns; returns `module`.

    Args:
        name: the parameter, of at least two dimensions.
        orthogonal_map: 'matrix_exp', 'cayley' or 'householder'; None chooses by the shape.
        use_trivialization: start from the current weight as a base (Lezcano-Casado 2019).
    """
    weight = _weight(module, name)
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1) or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: '
            f"{orthogonal_map}"
        )
    orth = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, orth, unsafe=True)
