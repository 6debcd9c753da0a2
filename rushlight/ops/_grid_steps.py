"""The second gradients of multilinear samples in 16 bits, in the steps in which PyTorch rounds.
Wider numbers go through the recorded ops of ops/grid.py, which these must equal but for rounding.
No op records here.
"""

import rushlight as rl
from rushlight.ops.grid import (
    MODES,
    PADDINGS,
    _grid_sample_backward,
    flat_places,
    reflect,
    sampled,
    unnormalize,
    values_at,
)


class Cells:
    """The cells that samples lie in. By dimension, of which x is the last: ``slopes`` of positions
    and ``parts``, the weights of lower and higher neighbours; by corner: where it is, as
    ``corners`` of bits and as ``places``.
    """

    def __init__(self, grid, sizes, padding, align):
        dims = len(sizes)
        sources = [_source(grid[..., dims - 1 - d], sizes[d], padding, align) for d in range(dims)]
        self.sizes, self.slopes = sizes, [slope for _, slope in sources]
        low = [at.floor() for at, _ in sources]
        self.parts = [_parts(at, l, dims) for (at, _), l in zip(sources, low)]
        self.corners = [[c >> d & 1 for d in range(dims - 1, -1, -1)] for c in range(1 << dims)]
        self.places = [[l + high for l, high in zip(low, corner)] for corner in self.corners]

    def values(self, input):
        return [values_at(input, at, self.sizes) for at in self.places]


def sample_second(given, grad, input, grid, padding, align):
    """Through both gradients: (by grad, by input, by the grid)."""
    gg_input, gg_grid = given
    cells = Cells(grid, tuple(input.shape[2:]), padding, align)
    by_grad, by_input, by_grid = [], None, []
    if gg_input is not None:
        by_grad.append(sampled(gg_input, grid, padding, align))
        rule = MODES.index("bilinear"), PADDINGS.index(padding), align
        by_grid.append(_grid_sample_backward(grad, gg_input, grid, *rule, False, True)[1])
    if gg_grid is not None:
        values, slopes = cells.values(input), cells.slopes[::-1]
        steps = [gg_grid[..., d] * slope for d, slope in enumerate(slopes)]
        moves = [_weight_move(cells, corner, steps).unsqueeze(1) for corner in cells.corners]
        by_grad += [value * move for value, move in zip(values, moves)]
        by_input = _summed([move * grad for move in moves], cells)
        by_grid.append(rl.stack(_turn_moves(cells, values, grad, steps, slopes), -1))
    return sum(by_grad), by_input, sum(by_grid)


def _weight_move(cells, corner, steps):
    """How fast the weight of a corner changes as the place moves by ``steps``, x first."""
    weights = [pair[bit] for pair, bit in zip(cells.parts[::-1], corner[::-1])]
    total = None
    for d, step in enumerate(steps):
        rest = _product([w for other, w in enumerate(weights) if other != d])
        rate = rest if corner[::-1][d] else -rest
        total = step * rate if total is None else total.addcmul(step, rate)
    return total


def _turn_moves(cells, values, grad, steps, slopes):
    """How fast each of a place's derivatives, x first, changes as the place moves by ``steps``."""
    dims, found = len(steps), []
    twists = {
        (k, l): (_twist(cells, values, k, l) * grad).sum(1)
        for k in range(dims)
        for l in range(k + 1, dims)
    }
    for k, slope in enumerate(slopes):
        first, *rest = [(twists[min(k, l), max(k, l)], steps[l]) for l in range(dims) if l != k]
        if not rest:
            found.append(first[0] * (first[1] * slope))
        else:
            found.append((first[0] * first[1]).addcmul(*rest[0]) * slope)
    return found


def _twist(cells, values, k, l):
    """The mixed derivative by dimensions ``k`` < ``l``, x being 0, of the values of corners."""
    dims = len(cells.sizes)
    rest = [d for d in range(dims) if d not in (k, l)]

    def face(shift):
        near = [values[shift + (i << k) + (j << l)] for j in (0, 1) for i in (0, 1)]
        return near[0] - near[1] - near[2] + near[3]

    if not rest:
        return face(0)
    low, high = [part.unsqueeze(1) for part in cells.parts[::-1][rest[0]]]
    return (face(0) * low).addcmul(face(1 << rest[0]), high)


def _product(factors):
    total = factors[0]
    for factor in factors[1:]:
        total = total * factor
    return total


def _source(at, n, padding, align):
    """Positions in pixels, and how fast they move with those in the grid."""
    x = unnormalize(at, n, align)
    slope = rl.full_like(x, (n - 1) / 2 if align else n / 2)
    if padding == "reflection":
        low, high = (0, 2 * (n - 1)) if align else (-1, 2 * n - 1)
        far = x - low / 2
        turns = (far.abs() / max((high - low) / 2, 0.5)).floor()
        slope = rl.where((far < 0) ^ (rl.remainder(turns, 2) != 0), -slope, slope)
        x = reflect(x, low, high)
    if padding != "zeros":
        slope = rl.where((x <= 0) | (x >= n - 1), 0, slope)
        x = x.clamp(0, n - 1)
    return x, slope


def _parts(at, low, dims):
    """The weights of the lower and the higher neighbour."""
    high = at - low
    return (1 - high if dims == 2 else low + 1 - at), high


def _summed(values, cells):
    """The values of each corner (N, C, *out) added to its pixels, rounded at the end; outside: 0"""
    flat = []
    for at in cells.places:
        place, inside = flat_places(at, cells.sizes)
        flat.append(rl.where(inside, place, -1))
    values = rl.stack(values, 2).flatten(2)
    flat = rl.stack(flat, 1).unsqueeze(1).flatten(2)
    values = values * (flat >= 0).to(values.dtype)
    total = values.new_zeros(values.shape[:2] + (rl.Size(cells.sizes).numel(),))
    total = total.scatter_add(2, flat.clamp_min(0).expand(values.shape), values)
    return total.view(total.shape[:2] + cells.sizes)
