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
    f = as_float(self)
    return tuple(_derivative(f, d, step, edge_order) for d, step in zip(dims, steps))


def _derivative(f, dim, step, edge_order):
    dim = dim % f.dim()
    if not (isinstance(step, rl.Tensor) and step.dim() == 1):
        return _even_derivative(f, dim, step, edge_order)
    if step.numel() != f.size(dim):
        raise RuntimeError(
            f"torch.gradient expected as many coordinates as the dimension has elements, "
            f"{f.size(dim)}, got {step.numel()}"
        )
    h = step.diff().reshape((-1,) + (1,) * (f.dim() - dim - 1))
    return _uneven_derivative(f, dim, h, edge_order)


def _uneven_derivative(f, dim, h, edge_order):
    """Of samples ``h`` apart: the slope of a parabola through three."""
    a, b = h[:-1], h[1:]
    inside = _three(f, dim, -b / (a * (a + b)), (b - a) / (a * b), a / (b * (a + b)))
    if edge_order == 1:
        first, last = [step / h[i] for i, step in zip((0, -1), _edge_steps(f, dim))]
    else:
        (a, b), (c, d) = h[:2], h[-2:]
        first = _three(
            f.narrow(dim, 0, 3),
            dim,
            -(2 * a + b) / (a * (a + b)),
            (a + b) / (a * b),
            -a / (b * (a + b)),
        )
        last = _three(
            f.narrow(dim, f.size(dim) - 3, 3),
            dim,
            d / (c * (c + d)),
            -(c + d) / (c * d),
            (2 * d + c) / (d * (c + d)),
        )
    return rl.cat((first, inside, last), dim)


def _even_derivative(f, dim, step, edge_order):
    """Of samples that are ``step`` apart."""
    n = f.size(dim)
    before, after = f.narrow(dim, 0, n - 2), f.narrow(dim, 2, n - 2)
    inside = (after - before) / step / 2
    if edge_order == 1:
        first, last = _edge_steps(f, dim)
    else:
        first = _three(f.narrow(dim, 0, 3), dim, -1.5, 2, -0.5)
        last = _three(f.narrow(dim, n - 3, 3), dim, 0.5, -2, 1.5)
    return rl.cat((first / step, inside, last / step), dim)


def _edge_steps(f, dim):
    """The differences of the first two samples and of the last two."""
    return [f.narrow(dim, i + 1, 1) - f.narrow(dim, i, 1) for i in (0, f.size(dim) - 2)]


def _three(f, dim, before, here, after):
    """Sums over all three neighbours."""
    # The gradients of parts are added in the reverse of the order in which parts are taken.
    n = f.size(dim) - 2
    c, b, a = [w * f.narrow(dim, i, n) for i, w in ((2, after), (1, here), (0, before))]
    return a + b + c
