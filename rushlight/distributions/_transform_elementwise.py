"""Transforms that act on each element by itself.

Transforms of vectors and matrices are in _transform_matrix.py, those that only arrange others in
_transform_structure.py. A new one declares its sets, its map, its inverse and log|derivative|.
"""

import math
from numbers import Number

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions._transform_base import Parameterless, Transform
from rushlight.distributions.utils import sum_rightmost


class ExpTransform(Parameterless, Transform):
    """``y = exp(x)``.

    Example::

        >>> rl.distributions.ExpTransform()(rl.tensor([0., 1.]))
        tensor([1.0000, 2.7183])
    """

    domain, codomain = constraints.real, constraints.positive
    bijective, sign = True, +1

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x


class PowerTransform(Transform):
    """``y = x ** exponent`` on the positive numbers.

    Example::

        >>> rl.distributions.PowerTransform(rl.tensor(2.))(rl.tensor([1., 3.]))
        tensor([1., 9.])
    """

    domain = codomain = constraints.positive
    bijective = True

    def __init__(self, exponent, cache_size=0):
        super().__init__(cache_size=cache_size)
        (self.exponent,) = rl.broadcast_tensors(rl.as_tensor(exponent))

    def with_cache(self, cache_size=1):
        return self if self._cache_size == cache_size else PowerTransform(self.exponent, cache_size)

    @property
    def sign(self):
        return self.exponent.sign()

    def __eq__(self, other):
        if not isinstance(other, PowerTransform):
            return False
        return bool(self.exponent.eq(other.exponent).all())

    __hash__ = Transform.__hash__

    def _call(self, x):
        return x.pow(self.exponent)

    def _inverse(self, y):
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x, y):
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape):
        return rl.broadcast_shapes(shape, self.exponent.shape)

    inverse_shape = forward_shape


class SigmoidTransform(Parameterless, Transform):
    """``y = 1 / (1 + exp(-x))``, kept inside (0, 1) by rounding error.

    Example::

        >>> rl.distributions.SigmoidTransform()(rl.tensor([0., 2.]))
        tensor([0.5000, 0.8808])
    """

    domain, codomain = constraints.real, constraints.unit_interval
    bijective, sign = True, +1

    def _call(self, x):
        finfo = rl.finfo(x.dtype)
        return rl.sigmoid(x).clamp(finfo.tiny, 1 - finfo.eps)

    def _inverse(self, y):
        finfo = rl.finfo(y.dtype)
        y = y.clamp(finfo.tiny, 1 - finfo.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x, y):
        return -rl.nn.functional.softplus(-x) - rl.nn.functional.softplus(x)


class SoftplusTransform(Parameterless, Transform):
    """``y = log(1 + exp(x))``; the identity above 20, where rounding makes it so.

    Example::

        >>> rl.distributions.SoftplusTransform()(rl.tensor([0., 30.]))
        tensor([ 0.6931, 30.0000])
    """

    domain, codomain = constraints.real, constraints.positive
    bijective, sign = True, +1

    def _call(self, x):
        return rl.nn.functional.softplus(x)

    def _inverse(self, y):
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x, y):
        return -rl.nn.functional.softplus(-x)


class TanhTransform(Parameterless, Transform):
    """``y = tanh(x)``. The Jacobian is taken from x, which keeps its precision in the tails;
    with ``cache_size=1`` no value at the border has to be inverted.

    Example::

        >>> rl.distributions.TanhTransform()(rl.tensor([0., 1.]))
        tensor([0.0000, 0.7616])
    """

    domain, codomain = constraints.real, constraints.interval(-1.0, 1.0)
    bijective, sign = True, +1

    def _call(self, x):
        return x.tanh()

    def _inverse(self, y):
        return rl.atanh(y)

    def log_abs_det_jacobian(self, x, y):
        # 1 - tanh(x)^2 = 4 / (e^x + e^-x)^2, whose logarithm does not cancel
        return 2 * (math.log(2) - x - rl.nn.functional.softplus(-2 * x))


class AbsTransform(Parameterless, Transform):
    """``y = |x|``; its inverse takes the positive branch.

    Example::

        >>> rl.distributions.AbsTransform()(rl.tensor([-2., 1.]))
        tensor([2., 1.])
    """

    domain, codomain = constraints.real, constraints.positive

    def _call(self, x):
        return x.abs()

    def _inverse(self, y):
        return y


class AffineTransform(Transform):
    """``y = loc + scale * x``; with ``event_dim`` 1 or 2 on vectors or matrices.

    Example::

        >>> rl.distributions.AffineTransform(1., 2.)(rl.tensor([0., 3.]))
        tensor([1., 7.])
    """

    bijective = True

    def __init__(self, loc, scale, event_dim=0, cache_size=0):
        super().__init__(cache_size=cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self):
        return self._event_dim

    @constraints.dependent_property(is_discrete=False)
    def domain(self):
        if self.event_dim == 0:
            return constraints.real
        return constraints.independent(constraints.real, self.event_dim)

    codomain = domain

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return AffineTransform(self.loc, self.scale, self.event_dim, cache_size=cache_size)

    def __eq__(self, other):
        if not isinstance(other, AffineTransform):
            return False
        return _all_equal(self.loc, other.loc) and _all_equal(self.scale, other.scale)

    __hash__ = Transform.__hash__

    @property
    def sign(self):
        if isinstance(self.scale, Number):
            return (self.scale > 0) - (self.scale < 0)
        return self.scale.sign()

    def _call(self, x):
        return self.loc + self.scale * x

    def _inverse(self, y):
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x, y):
        size = self.scale
        log_size = (
            rl.full_like(x, math.log(abs(size))) if isinstance(size, Number) else size.abs().log()
        )
        shape = x.shape[: x.dim() - self.event_dim]
        if not isinstance(size, Number) and self.event_dim:
            log_size = log_size.expand(
                rl.broadcast_shapes(log_size.shape, x.shape[-self.event_dim :])
            )
        return sum_rightmost(log_size, self.event_dim).expand(shape)

    def forward_shape(self, shape):
        return rl.broadcast_shapes(
            shape, getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ())
        )

    inverse_shape = forward_shape


def _all_equal(a, b):
    same = a == b
    return same if isinstance(same, bool) else bool(same.all())


class CumulativeDistributionTransform(Transform):
    """``y = F(x)``, F the distribution function of a univariate ``distribution``.

    Example::

        >>> t = rl.distributions.CumulativeDistributionTransform(rl.distributions.Uniform(0., 4.))
        >>> t(rl.tensor(1.))
        tensor(0.2500)
    """

    bijective, sign = True, +1
    codomain = constraints.unit_interval

    def __init__(self, distribution, cache_size=0):
        super().__init__(cache_size=cache_size)
        self.distribution = distribution

    @property
    def domain(self):
        return self.distribution.support

    def _call(self, x):
        return self.distribution.cdf(x)

    def _inverse(self, y):
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x, y):
        return self.distribution.log_prob(x)

    def with_cache(self, cache_size=1):
        if self._cache_size == cache_size:
            return self
        return CumulativeDistributionTransform(self.distribution, cache_size=cache_size)
