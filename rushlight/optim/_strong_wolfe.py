"""A line search for the strong Wolfe conditions (Nocedal & Wright, algorithms 3.5 and 3.6)."""

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
SMALLEST_BRACKET = 1e-9


class Point:
    """A place on the line: step length, loss, flat gradient, slope along the line."""

    __slots__ = ("t", "loss", "grad", "slope")

    def __init__(self, t, loss, grad, slope):
        self.t = t
        self.loss = loss
        self.grad = grad
        self.slope = slope


def strong_wolfe(at, start, t, largest_change, max_evaluations=25):
    """(a point that meets the conditions, or the best one found; how many were evaluated).

    Args:
        at: a function from step length to `Point`.
        start: the point at length 0.
        t: the length to try first.
        largest_change: the largest absolute value of the direction.
    """
    low, high, used, done = _bracket(at, start, t, max_evaluations)
    if low is high:
        return low, used
    tries, stuck = used - 1, False
    if high.loss < low.loss:
        low, high = high, low
    while not done and tries < max_evaluations:
        if abs(high.t - low.t) * largest_change < SMALLEST_BRACKET:
            break
        t, stuck = _trial(low, high, stuck)
        new = at(t)
        used += 1
        tries += 1
        if not _falls_enough(start, new) or new.loss >= low.loss:
            high = new
            if high.loss < low.loss:
                low, high = high, low
        else:
            if _is_flat(start, new):
                done = True
            elif new.slope * (high.t - low.t) >= 0:
                high = low
            low = new
    return low, used


def _falls_enough(start, point):
    return point.loss <= start.loss + SUFFICIENT_DECREASE * point.t * start.slope


def _is_flat(start, point):
    return abs(point.slope) <= -CURVATURE * start.slope


def _bracket(at, start, t, max_evaluations):
    """Two points with a good one between them, or the same good point twice."""
    previous, new, used = start, at(t), 1
    for i in range(max_evaluations):
        if not _falls_enough(start, new) or (i > 1 and new.loss >= previous.loss):
            return previous, new, used, False
        if _is_flat(start, new):
            return new, new, used, True
        if new.slope >= 0:
            return previous, new, used, False
        bounds = (new.t + 0.01 * (new.t - previous.t), new.t * 10)
        t = _cubic_minimum(previous, new, bounds)
        previous, new = new, at(t)
        used += 1
    low, high = (start, new) if start.loss <= new.loss else (new, start)
    return low, high, used, True


def _trial(low, high, stuck):
    """(the next length between two points, whether it is close to one of them)."""
    t = _cubic_minimum(low, high)
    left, right = min(low.t, high.t), max(low.t, high.t)
    margin = 0.1 * (right - left)
    if min(right - t, t - left) >= margin:
        return t, False
    if stuck or t >= right or t <= left:
        return (right - margin if abs(t - right) < abs(t - left) else left + margin), False
    return t, True


def _cubic_minimum(a, b, bounds=None):
    """The minimum, within bounds, of the cubic with the losses and slopes of two points."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2.0
    if a.t > b.t:
        a, b = b, a
    d2 = square**0.5
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, low), high)
