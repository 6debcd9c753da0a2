"""Gradients of normalisation in steps, in the order in which PyTorch rounds to 16 bits: those of
group_norm where they are differentiated, and the second derivatives of layer_norm and batch_norm.
Wider numbers, and third derivatives, of the latter two go through the formulas of ops/norm.py,
which these must equal but for rounding. No op records here.

`g` is the gradient of the result; `gg`, `gg_weight` and `gg_bias` are those of its gradients.
"""

from rushlight.ops.exponential import cube


def group_gradients(g, g_mean, g_rstd, x, weight, mean, rstd):
    """The gradients of groups, of shape (rows, groups, channels, places), and of parameters, by
    sums over the places of each channel. The order of the steps is that in which what they have
    in common adds up.
    """
    gx = gw = gb = products = None
    if g is not None:
        products, sums = (g * x).sum(3, keepdim=True), g.sum(3, keepdim=True)
    cubed = rstd * rstd * rstd
    slope = g_rstd if g_rstd is None else -0.5 * cubed * g_rstd
    if g is not None:
        share = 1.0 / (x.shape[2] * x.shape[3])
        scale = rstd if weight is None else rstd * weight
        b, c = [(t if weight is None else t * weight).sum(2, True) for t in (products, sums)]
        b, c = (c * mean - b) * cubed * share, c * rstd * share
        c = -b * mean - c
        gx = scale * g + b * x + c
    parts = [gx, _by_statistics(slope, g_mean, x)]
    if g is not None:
        gw, gb = ((products - sums * mean) * rstd).sum(0).flatten(), sums.sum(0).flatten()
    return _sum(parts), gw, gb


def _by_statistics(slope, g_mean, x):
    """What variances, by their ``slope``, and means of groups hand back to the input."""
    count = x.shape[2] * x.shape[3]
    parts = [None, None if g_mean is None else g_mean.expand_as(x) / count]
    if slope is not None:
        center = x - x.mean((2, 3), keepdim=True)
        parts[0] = (2.0 / count) * slope * center
    return _sum(parts)


class Spread:
    """An input around its means, and sums over what they were taken of: ``count`` elements."""

    def __init__(self, x, mean, rstd, add_up, count):
        self.center, self.rstd = x - mean.to(x.dtype), rstd.to(x.dtype)
        self.square, self.cube = self.rstd**2, cube(self.rstd)
        self.add_up, self.count = add_up, count

    def bend(self, g, gg):
        """By the input, through its gradient."""
        n, add_up = self.count, self.add_up
        total, along = add_up(g), add_up(g * self.center)
        gg_total, gg_along = add_up(gg), add_up(gg * self.center)
        whole = gg_total * total / n - add_up(gg * g)
        whole = whole + self.square * along * gg_along * (3.0 / n)
        bend = self.center * self.cube * whole / n
        bend = bend + gg_along * self.cube / n * (total / n - g)
        return bend + along * self.cube / n * (gg_total / n - gg)

    def turn(self, g):
        """By the input, through the gradient of the weight."""
        n = self.count
        turn = g * self.rstd + self.rstd * self.add_up(g) / -n
        return turn + self.center * self.cube * self.add_up(g * self.center) / -n

    def slope(self, g, weight):
        """The gradient for the input."""
        scale = self.rstd / self.count if weight is None else weight * self.rstd / self.count
        rest = self.count * g - self.add_up(g)
        return scale * (rest - self.center * self.square * self.add_up(g * self.center))

    def by_grad(self, gg, gg_weight, gg_bias, weight):
        """By the gradient of the result; the last three shaped to broadcast with it."""
        parts = [None if gg is None else self.slope(gg, weight), None, gg_bias]
        if gg_weight is not None:
            parts[1] = gg_weight * self.center * self.rstd
        return _sum(parts)


def _sum(parts):
    total = None
    for part in parts:
        if part is not None:
            total = part if total is None else total + part
    return total


def layer_norm_second(given, grad, input, mean, rstd, weight, rows):
    """(by grad, by input, by weight), None where nothing comes of it."""
    x, g = input.reshape(rows, -1), grad.reshape(rows, -1)
    shaped = [None if t is None else t.reshape(1, -1) for t in (*given[1:], weight)]
    (gg_weight, gg_bias, w), gg = shaped, given[0]
    gg = None if gg is None else gg.reshape(rows, -1)
    s = Spread(x, mean.view(-1, 1), rstd.view(-1, 1), lambda t: t.sum(1, keepdim=True), x.shape[1])
    by_input = [
        None if gg is None else s.bend(g if w is None else g * w, gg),
        None if w is None or gg_weight is None else s.turn(g * gg_weight),
    ]
    by_weight = None if w is None or gg is None else (g * s.slope(gg, None)).sum(0)
    by_grad = s.by_grad(gg, gg_weight, gg_bias, w)
    by_grad, by_input = [
        None if t is None else t.expand(x.shape).reshape(input.shape)
        for t in (by_grad, _sum(by_input))
    ]
    return by_grad, by_input, None if by_weight is None else by_weight.view(weight.shape)


def batch_norm_second(given, grad, input, mean, rstd, weight):
    """As `layer_norm_second`, with the statistics of a batch."""
    shape = (1, -1) + (1,) * (input.dim() - 2)
    shaped = [None if t is None else t.view(shape) for t in (*given[1:], mean, rstd, weight)]
    gg_weight, gg_bias, mean, rstd, w = shaped
    s = Spread(input, mean, rstd, _sum_channels, input.numel() // input.shape[1])
    gg, by_input = given[0], [None, None]
    if gg is not None:
        bend = s.bend(grad, gg)
        by_input[0] = bend if w is None else w * bend
    if w is not None and gg_weight is not None:
        by_input[1] = gg_weight * s.turn(grad)
    by_weight = None
    if w is not None and gg is not None:
        by_weight = _sum_channels(gg * s.slope(grad, None)).flatten()
    by_grad = s.by_grad(gg, gg_weight, gg_bias, w)
    by_grad = None if by_grad is None else by_grad.expand(input.shape)
    return by_grad, _sum(by_input), by_weight


def _sum_channels(t):
    """Sums of each channel, one dimension after another."""
    for d in (0, *range(t.dim() - 1, 1, -1)):
        t = t.sum(d, keepdim=True)
    return t
