"""The gradients of multilinear samples in 16 bits, in the steps and the order in which PyTorch
rounds: images in runs of places, volumes place by place. Wider numbers go through the recorded ops
of ops/grid.py, which these must equal but for rounding. No op records here.
"""

import rushlight as rl
from rushlight.ops.grid import flat_places, reflect, unnormalize, values_at
from rushlight.ops.pool import _pool_scatter

#: places of an image whose values are added corner by corner before those of the next ones
_RUN = 16


def sample_gradients(grad, input, grid, padding, align):
    """(for the input, for the grid)"""
    sizes, dims = tuple(input.shape[2:]), input.dim() - 2
    sources = [_source(grid[..., dims - 1 - d], sizes[d], padding, align) for d in range(dims)]
    slopes = [slope for _, slope in sources]
    low = [at.floor() for at, _ in sources]
    parts = [_parts(at, l, dims) for (at, _), l in zip(sources, low)]
    corners = [[c >> d & 1 for d in range(dims - 1, -1, -1)] for c in range(1 << dims)]
    places = [[l + high for l, high in zip(low, corner)] for corner in corners]
    values = [values_at(input, at, sizes) for at in places]
    turns = (_image_turns if dims == 2 else _volume_turns)(grad, values, parts)
    weights = [_product([part[high] for part, high in zip(parts, c)][::-1]) for c in corners]
    shares = [weight.unsqueeze(1) * grad for weight in weights]
    run = _RUN if dims == 2 else 1
    by_grid = rl.stack([slope * turn for slope, turn in zip(slopes, turns)][::-1], -1)
    return _scattered(shares, places, sizes, run), by_grid


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


def _image_turns(grad, values, parts):
    """How the samples move with (y, x): differences of neighbours, weighted."""
    nw, ne, sw, se = values
    (upper, lower), (left, right) = [[p.unsqueeze(1) for p in pair] for pair in parts]
    down = ((sw - nw) * left + (se - ne) * right) * grad
    across = ((ne - nw) * upper + (se - sw) * lower) * grad
    return _one_by_one([down]), _one_by_one([across])


def _volume_turns(grad, values, parts):
    """How the samples move with (z, y, x): corner by corner."""
    turns = []
    for d in range(3):
        terms = []
        for c, value in enumerate(values):
            bits = [c >> 2 & 1, c >> 1 & 1, c & 1]
            for other in (2, 1, 0):
                if other != d:
                    value = value * parts[other][bits[other]].unsqueeze(1)
            term = value * grad
            terms.append(term if bits[d] else -term)
        turns.append(_one_by_one(terms))
    return turns


def _one_by_one(terms):
    """The sum over channels, and of each channel over the terms, rounded after each."""
    total = rl.zeros_like(terms[0][:, 0])
    for parts in zip(*[term.unbind(1) for term in terms]):
        for part in parts:
            total = total + part
    return total


def _scattered(values, places, sizes, run):
    """The values of each corner (N, C, *out) added to its pixels: (N, C, *sizes)."""
    cells = []
    for at in places:
        flat, inside = flat_places(at, sizes)
        cells.append(rl.where(inside, flat, -1))
    n, c = values[0].shape[:2]
    values = _in_runs(rl.stack(values, 2).flatten(3), run, 0)
    cells = _in_runs(rl.stack(cells, 1).unsqueeze(1).flatten(3), run, -1)
    values = values * (cells >= 0).to(values.dtype)
    flat = _pool_scatter(values, cells.clamp_min(0).expand(n, c, -1), (rl.Size(sizes).numel(),))
    return flat.view((n, c) + sizes)


def _in_runs(t, run, fill):
    """(N, C, corners, places) as (N, C, runs * corners * places of a run)."""
    t = rl.nn.functional.pad(t, (0, -t.shape[3] % run), value=fill)
    return t.unflatten(3, (-1, run)).transpose(2, 3).flatten(2)
