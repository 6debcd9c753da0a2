"""Derivatives of sampled functions by finite differences: `gradient`. Plain differences of
neighbours (`diff`) are in scan.py. To add one: a record with a composite body.
"""

import rushlight as rl
from rushlight.ops._record import op
from rushlight.ops.numeric import as_float


@op(
    "gradient(Tensor self, *, object spacing=1, int[1]? dim=None, int edge_order=1) -> Tensor[]",
    at="torch",
)
def gradient(self, spacing=1, dim=None, edge_order=1):
    """Derivatives along each of ``dim`` (all) by differences: central inside,
    one-sided at the edges.

    ``spacing``: the step, or per dimension a step or a vector of coordinates.
    ``edge_order``: 1 or 2, the accuracy at the edges.

    Example:
        >>> rl.gradient(rl.tensor([1., 4., 9.]))[0]
        tensor([3., 4., 5.])
    """
    spacing = 1 if spacing is None else spacing
    if dim is None:
        dims = list(range(self.dim()))
    else:
        dims = [dim] if isinstance(dim, int) else list(dim)
    steps = list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(dims)
    if len(steps) != len(dims):
        raise RuntimeError(
            f"torch.gradient expected spacing to be unspecified, a scalar or a list of length "
            f"{len(dims)}, got a list of length {len(steps)}"
        )
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if len({d % max(self.dim(), 1) for d in dims}) != len(dims):
        raise RuntimeError("dim appears multiple times in the list of dims")
    for d in dims:
        if self.size(d) <= edge_order:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
    return [_derivative(as_float(self), d, step, edge_order) for d, step in zip(dims, steps)]


def _derivative(f, dim, step, edge_order):
    n = f.size(dim)
    f = f.movedim(dim, -1)
    if isinstance(step, rl.Tensor) and step.dim() == 1:
        if step.numel() != n:
            raise RuntimeError(
                f"torch.gradient expected as many coordinates as the dimension has elements, {n}, "
                f"got {step.numel()}"
            )
        return _uneven_derivative(f, step.diff(), edge_order).movedim(-1, dim)
    return _even_derivative(f, step, edge_order).movedim(-1, dim)


def _uneven_derivative(f, h, edge_order):
    """Along the last dimension, of samples ``h`` apart: the slope of a parabola through three."""
    a, b = h[:-1], h[1:]
    inside = _weighted(f, -b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b)))
    if edge_order == 1:
        slope = f.diff() / h
        first, last = slope[..., :1], slope[..., -1:]
    else:
        a, b = h[:1], h[1:2]
        first = _weighted(
            f[..., :3], -(2 * a + b) / (a * (a + b)), (a + b) / (a * b), -a / (b * (a + b))
        )
        a, b = h[-2:-1], h[-1:]
        last = _weighted(
            f[..., -3:], b / (a * (a + b)), -(a + b) / (a * b), (2 * b + a) / (b * (a + b))
        )
    return rl.cat((first, inside, last), -1)


def _weighted(f, before, here, after):
    """Sums over all three neighbours in the last dimension."""
    # The gradients of parts are added in the reverse of the order in which parts are taken.
    c, b, a = after * f[..., 2:], here * f[..., 1:-1], before * f[..., :-2]
    return a + b + c


def _even_derivative(f, step, edge_order):
    """Along the last dimension, of samples that are ``step`` apart."""
    before, after = f[..., :-2], f[..., 2:]
    inside = (after - before) / step / 2
    if edge_order == 1:
        first, last = f[..., 1:2] - f[..., :1], f[..., -1:] - f[..., -2:-1]
    else:
        first, last = _weighted(f[..., :3], -1.5, 2, -0.5), _weighted(f[..., -3:], 0.5, -2, 1.5)
    return rl.cat((first / step, inside, last / step), -1)
