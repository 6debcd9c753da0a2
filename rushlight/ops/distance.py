"""Distances between the rows of matrices: `cdist` and `pdist`, see csrc/kernels/distance.cpp.

Dtypes that have no kernel are compositions.
"""

import rushlight as rl
from rushlight.ops._attach import through_formula
from rushlight.ops._record import op
from rushlight.ops._reduce_grad import norm_grad


def _has_kernel(*rows):
    dtype = rows[0].dtype
    return dtype in (rl.float32, rl.float64) and all(x.dtype == dtype and x.size(-1) for x in rows)


@op(
    "cdist(Tensor x1, Tensor x2, float p=2.0, str? compute_mode=None) -> Tensor",
    at="torch",
    grad_name=True,
)
def cdist(x1, x2, p=2.0, compute_mode=None):
    """The p-norm distances between the rows of x1 (B, P, M) and of x2 (B, R, M): (B, P, R).

    ``compute_mode`` chooses how PyTorch trades accuracy for speed; here every mode takes the
    differences themselves, the accurate way.

    Example:
        >>> rl.cdist(rl.tensor([[0., 0.]]), rl.tensor([[3., 4.]]))
        tensor([[5.]])
    """
    modes = (
        None,
        "use_mm_for_euclid_dist_if_necessary",
        "use_mm_for_euclid_dist",
        "donot_use_mm_for_euclid_dist",
    )
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    if x1.dim() < 2 or x2.dim() < 2 or x1.size(-1) != x2.size(-1):
        raise RuntimeError(
            "cdist: expected tensors of at least 2 dimensions with equal last ones, got "
            f"{list(x1.shape)} and {list(x2.shape)}"
        )
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    if not _has_kernel(x1, x2):
        return (x1.unsqueeze(-2) - x2.unsqueeze(-3)).norm(p, -1)
    batch = rl.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    return _cdist(*[x.expand(*batch, *x.shape[-2:]) for x in (x1, x2)], p)


@op(
    "_cdist(Tensor x1, Tensor x2, float p) -> Tensor",
    at=("internal",),
    grad_name="CdistBackward0",
)
def _cdist(x1, x2, p):
    """`cdist` of one floating dtype and with equal batch dimensions."""
    ...


@op(
    "_cdist_backward(Tensor grad, Tensor x1, Tensor x2, Tensor result, float p, bool first)"
    " -> Tensor",
    at=("internal",),
)
def _cdist_backward(grad, x1, x2, result, p, first):
    """The gradient of `_cdist` for x1 if ``first``, else for x2; linear in grad."""
    ...


@_cdist.vjp_all
def _(g, needs, x1, x2, result, p):
    return tuple(
        _cdist_backward(g, x1, x2, result, p, not i) if need else None
        for i, need in enumerate(needs)
    )


def _slopes(g, d, result, p):
    """`norm_grad` along the last dimension; where several differences are the largest, each has
    the whole gradient.
    """
    if p != float("inf"):
        return norm_grad(g, d, result, p, -1, False)
    return d.sgn() * g.unsqueeze(-1) * ((d.abs() == result.unsqueeze(-1)) | d.isnan())


def _cdist_slope(grad, x1, x2, result, p, first):
    """`_cdist_backward` in recorded ops."""
    slopes = _slopes(grad, x1.unsqueeze(-2) - x2.unsqueeze(-3), result, p)
    return slopes.sum(-2) if first else -slopes.sum(-3)


@_cdist_backward.vjp_all
def _(g, needs, grad, x1, x2, result, p, first):
    return through_formula(_cdist_slope, (g,), needs, (grad, x1, x2, result), p, first)


@op("pdist(Tensor input, float p=2.0) -> Tensor", at=("nn.functional", "torch"), grad_name=True)
def pdist(input, p):
    """The p-norm distances of all pairs of rows of (N, M), i < j: shape (N (N - 1) / 2).

    Example::

        >>> rl.pdist(rl.tensor([[0., 0.], [3., 4.]]))
        tensor([5.])
    """
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    if _has_kernel(input):
        return _pdist(input, p)
    d = _pair_differences(input)
    return rl.norm(d, p, -1) if d.shape[-1] else d.sum(-1)


def _pairs(n):
    return rl.triu_indices(n, n, 1).unbind(0)


def _pair_differences(x):
    i, j = _pairs(x.shape[0])
    return x.index_select(0, i) - x.index_select(0, j)


@op("_pdist(Tensor input, float p) -> Tensor", at=("internal",), grad_name="PdistBackward0")
def _pdist(input, p):
    """`pdist` of a floating dtype."""
    ...


@op(
    "_pdist_backward(Tensor grad, Tensor input, Tensor result, float p) -> Tensor",
    at=("internal",),
)
def _pdist_backward(grad, input, result, p):
    """The gradient of `_pdist`; linear in grad."""
    ...


_pdist.vjp(input=lambda g, input, result, p: _pdist_backward(g, input, result, p))


def _pdist_slope(grad, input, result, p):
    """`_pdist_backward` in recorded ops."""
    i, j = _pairs(input.shape[0])
    slopes = _slopes(grad, _pair_differences(input), result, p)
    return rl.zeros_like(input).index_add(0, i, slopes).index_add(0, j, -slopes)


@_pdist_backward.vjp_all
def _(g, needs, grad, input, result, p):
    return through_formula(_pdist_slope, (g,), needs, (grad, input, result), p)
