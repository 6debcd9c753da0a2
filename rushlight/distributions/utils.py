"""What distributions share: broadcasting of parameters, probabilities and log odds, lazy values.

Formulas of one distribution belong in its module. The names are PyTorch's public ones.
"""

from functools import update_wrapper
from numbers import Number

import rushlight as rl

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "euler_constant",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

euler_constant = 0.57721566490153286060


def broadcast_all(*values):
    """Broadcasts numbers and tensors to one shape; a tuple of tensors.

    Numbers take dtype and device of the first tensor, or the default dtype if there is none.
    Raises ValueError for anything that is neither.

    Example::

        >>> rl.distributions.utils.broadcast_all(1.0, rl.zeros(2))
        (tensor([1., 1.]), tensor([0., 0.]))
    """
    for value in values:
        if not isinstance(value, (rl.Tensor, Number)) and not hasattr(value, "__torch_function__"):
            raise ValueError(
                "broadcast_all: input arguments must all be instances of Number or Tensor, "
                f"got {type(value).__name__}"
            )
    first = next((v for v in values if isinstance(v, rl.Tensor)), None)
    dtype = rl.get_default_dtype() if first is None else first.dtype
    device = None if first is None else first.device
    return tuple(
        rl.broadcast_tensors(
            *(
                rl.tensor(v, dtype=dtype, device=device) if isinstance(v, Number) else v
                for v in values
            )
        )
    )


def standard_normal(shape, like):
    """Standard normal numbers of ``like``'s dtype and device."""
    return _standard_normal(shape, like.dtype, like.device)


def uniform(shape, like):
    """Numbers uniform on [0, 1) of ``like``'s dtype and device."""
    return rl.rand(shape, dtype=like.dtype, device=like.device)


def sum_rightmost(value, dims):
    """Sums the last ``dims`` dimensions away."""
    return value.flatten(-dims).sum(-1) if dims > 1 else value.sum(-1) if dims else value


def _standard_normal(shape, dtype, device):
    """`standard_normal` by the name and arguments that packages know."""
    return rl.empty(shape, dtype=dtype, device=device).normal_()


_sum_rightmost = sum_rightmost  # the name that packages know


def logits_to_probs(logits, is_binary=False):
    """Probabilities of log odds (``is_binary``), or of log weights over the last dimension."""
    return rl.sigmoid(logits) if is_binary else rl.softmax(logits, -1)


def clamp_probs(probs):
    """Keeps probabilities an epsilon off 0 and 1, so that their logarithms are finite."""
    eps = rl.finfo(probs.dtype).eps
    return probs.clamp(eps, 1 - eps)


def probs_to_logits(probs, is_binary=False):
    """The inverse of `logits_to_probs`, finite also for probabilities 0 and 1."""
    inside = clamp_probs(probs)
    return inside.log() - (-inside).log1p() if is_binary else inside.log()


class lazy_property:
    """A property that is computed on first use, with gradients recorded, and then kept.

    Example::

        >>> class Circle:
        ...     radius = 2
        ...     @rl.distributions.utils.lazy_property
        ...     def area(self):
        ...         return 3 * self.radius**2
        >>> Circle().area
        12
    """

    def __init__(self, wrapped):
        self.wrapped = wrapped
        update_wrapper(self, wrapped)

    def __get__(self, instance, owner=None):
        if instance is None:
            return _LazyPropertyOfClass(self.wrapped)
        with rl.enable_grad():
            value = self.wrapped(instance)
        # not by setattr: a `__setattr__` that asks for the attribute would come back here
        vars(instance)[self.wrapped.__name__] = value
        return value


class _LazyPropertyOfClass(lazy_property, property):
    """What a class shows for a lazy property: a property, for documentation tools."""

    def __init__(self, wrapped):
        property.__init__(self, wrapped)


def _below_diagonal(n, diag, device):
    """Row-major mask of an n × n matrix's entries on or below diagonal ``diag``."""
    return rl.ones(n, n, dtype=rl.bool, device=device).tril(diag)


def tril_matrix_to_vec(mat, diag=0):
    """The entries on or below diagonal ``diag`` of D × D matrices, row by row.

    Raises ValueError if there is no such diagonal.

    Example::

        >>> rl.distributions.utils.tril_matrix_to_vec(rl.tensor([[1, 0], [2, 3]]))
        tensor([1, 2, 3])
    """
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"tril_matrix_to_vec: diag ({diag}) is outside [{-n}, {n - 1}]")
    return mat[..., _below_diagonal(n, diag, mat.device)]


def _triangle_size(count, diag):
    """The n for which an n × n matrix has ``count`` entries on or below diagonal ``diag``."""
    n = 0
    while True:
        entries = sum(min(max(row + 1 + diag, 0), n) for row in range(n))
        if entries == count and n > abs(diag) - (diag < 0):
            return n
        if entries > count:
            raise ValueError(
                f"vec_to_tril_matrix: the last dimension has {count} entries, which do not fill "
                f"the triangle below diagonal {diag} of a square matrix"
            )
        n += 1


def vec_to_tril_matrix(vec, diag=0):
    """The inverse of `tril_matrix_to_vec`: matrices that are zero above diagonal ``diag``.

    Raises ValueError if no square matrix has as many such entries.

    Example::

        >>> rl.distributions.utils.vec_to_tril_matrix(rl.tensor([1., 2., 3.]))
        tensor([[1., 0.],
                [2., 3.]])
    """
    n = _triangle_size(vec.shape[-1], diag)
    mat = vec.new_zeros((*vec.shape[:-1], n, n))
    mat[..., _below_diagonal(n, diag, vec.device)] = vec
    return mat


# What packages (GPyTorch, Pyro) import, with the arguments they give.
_sum_rightmost = sum_rightmost


def _standard_normal(shape, dtype, device):
    return rl.empty(shape, dtype=dtype, device=device).normal_()
