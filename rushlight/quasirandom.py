"""Quasi-random points: `SobolEngine`, with the points and the scrambling of PyTorch's.

The direction numbers, a table found by search, are those that SciPy carries: Joe and Kuo's
D(6), https://web.maths.unsw.edu.au/~fkuo/sobol/.
"""

import functools
import importlib.util
import os

import rushlight as rl

__all__ = ["SobolEngine"]


@functools.cache
def _table():
    """(polynomials, first direction numbers) of all dimensions, from SciPy's files."""
    scipy = importlib.util.find_spec("scipy")
    folder = scipy.submodule_search_locations[0] if scipy else ""
    path = os.path.join(folder, "stats", "_sobol_direction_numbers.npz")
    if not scipy or not os.path.isfile(path):
        raise NotImplementedError(
            "SobolEngine: the direction numbers are taken from SciPy, which is not installed or "
            "does not have them in scipy/stats/_sobol_direction_numbers.npz; pip install scipy"
        )
    import numpy

    with numpy.load(path) as file:
        return file["poly"].astype(numpy.int64), file["vinit"].astype(numpy.int64)


def _directions(dimension, bits):
    """(dimension, bits) direction numbers, the highest of `bits` binary digits first."""
    import numpy

    polynomials, first = (x[:dimension] for x in _table())
    made = numpy.ones((dimension, bits), numpy.int64)
    degrees = numpy.frexp(polynomials.astype(numpy.float64))[1] - 1
    for degree in numpy.unique(degrees[degrees > 0]):
        chosen = degrees == degree
        p, v = polynomials[chosen], made[chosen]
        v[:, :degree] = first[chosen, :degree]
        for j in range(degree, bits):  # the recurrence of the polynomial's coefficients
            v[:, j] = v[:, j - degree]
            for k in range(degree):
                v[:, j] ^= ((p >> (degree - 1 - k)) & 1) * (v[:, j - k - 1] << (k + 1))
        made[chosen] = v
    return rl.from_numpy(made << numpy.arange(bits - 1, -1, -1))


class SobolEngine:
    """Points of Sobol's sequence, which fill the unit cube more evenly than random ones.

    Args:
        dimension: of the cube, at most 21201.
        scramble: apply a random shift and random triangular matrices to the binary digits.
        seed: of the scrambling; None: the global generator draws it.

    Raises:
        ValueError: for other dimensions.
        NotImplementedError: without SciPy, whose direction numbers are used.

    Example::

        >>> rl.quasirandom.SobolEngine(2).draw(3)
        tensor([[0.0000, 0.0000],
                [0.5000, 0.5000],
                [0.7500, 0.2500]])
    """

    MAXBIT = 30
    MAXDIM = 21201

    def __init__(self, dimension, scramble=False, seed=None):
        if dimension > self.MAXDIM or dimension < 1:
            raise ValueError(
                f"Supported range of dimensionality for SobolEngine is [1, {self.MAXDIM}], "
                f"got {dimension}"
            )
        self.seed, self.scramble, self.dimension = seed, scramble, dimension
        self.sobolstate = _directions(dimension, self.MAXBIT)
        self.shift = rl.zeros(dimension, dtype=rl.int64)
        if scramble:
            self._scramble()
        self.quasi = self.shift.clone()
        self._first_point = (self.quasi / 2**self.MAXBIT).reshape(1, -1)
        self.num_generated = 0

    def draw(self, n=1, out=None, dtype=None):
        """The next ``n`` points, (n, dimension), in ``[0, 1)``.

        Args:
            n: how many.
            out: a tensor that is resized and written.
            dtype: of the points; the default dtype if None.
        """
        dtype = rl.get_default_dtype() if dtype is None else dtype
        if self.num_generated == 0:
            rest = self._advance(n - 1, 0)
            result = rl.cat((self._first_point.to(dtype), self._points(rest, dtype)), dim=-2)
        else:
            result = self._points(self._advance(n, self.num_generated - 1), dtype)
        self.num_generated += n
        return result if out is None else out.resize_as_(result).copy_(result)

    def draw_base2(self, m, out=None, dtype=None):
        """The next ``2 ** m`` points, with which the number of points drawn is a power of two."""
        n = 2**m
        total = self.num_generated + n
        if total & (total - 1):
            raise ValueError(
                "The balance properties of Sobol' points require n to be a power of 2. "
                f"{self.num_generated} points have been previously generated, then: "
                f"n={self.num_generated}+2**{m}={total}. If you still want to do this, please use "
                "'SobolEngine.draw()' instead."
            )
        return self.draw(n=n, out=out, dtype=dtype)

    def reset(self):
        """Goes back to the first point."""
        self.quasi.copy_(self.shift)
        self.num_generated = 0
        return self

    def fast_forward(self, n):
        """Leaves out ``n`` points, as if they had been drawn."""
        started = self.num_generated > 0
        steps, done = (n, self.num_generated - 1) if started else (n - 1, 0)
        if steps > 0:
            self.quasi = self._after(rl.tensor([done + steps]), done)[0]
        self.num_generated += n
        return self

    def _advance(self, n, done):
        """The next n points as integers, of which `done` steps lead to the present one."""
        points = self._after(rl.arange(done + 1, done + 1 + n), done)
        if n > 0:
            self.quasi = points[-1].clone()
        return points

    def _after(self, steps, done):
        """Points by their numbers: a step flips the digit in which Gray's codes differ."""
        last = int(steps[-1]) if steps.numel() else 0
        if last >> self.MAXBIT:
            raise ValueError(f"SobolEngine: the sequence has only 2**{self.MAXBIT} points")
        flips = (steps ^ (steps >> 1)) ^ (done ^ (done >> 1))
        points = self.quasi.expand(steps.shape[0], -1).clone()
        for digit in range(last.bit_length()):
            points ^= ((flips >> digit) & 1).unsqueeze(1) * self.sobolstate[:, digit]
        return points

    def _points(self, integers, dtype):
        return integers.to(dtype) * 2.0**-self.MAXBIT

    def _scramble(self):
        generator = None
        if self.seed is not None:
            generator = rl.Generator()
            generator.manual_seed(self.seed)
        bits = self.MAXBIT
        shift = rl.randint(2, (self.dimension, bits), generator=generator)
        self.shift = (shift << rl.arange(bits)).sum(-1)
        matrices = rl.randint(2, (self.dimension, bits, bits), generator=generator).tril()
        matrices.diagonal(dim1=-2, dim2=-1).fill_(1)
        places = rl.arange(bits - 1, -1, -1)
        digits = (self.sobolstate.unsqueeze(-2) >> places.unsqueeze(-1)) & 1
        self.sobolstate = (((matrices @ digits) % 2) << places.unsqueeze(-1)).sum(-2)

    def __repr__(self):
        said = [f"dimension={self.dimension}"]
        said += ["scramble=True"] if self.scramble else []
        said += [f"seed={self.seed}"] if self.seed is not None else []
        return f"{type(self).__name__}({', '.join(said)})"
