"""The von Mises distribution of angles."""

import math

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import Distribution, expand_parameters
from rushlight.distributions.utils import broadcast_all, lazy_property

__all__ = ["VonMises"]


class VonMises(Distribution):
    """Angles with density proportional to ``exp(concentration * cos(x - loc))``, in radians.

    Mean and variance are the circular ones.

    Example::

        >>> rl.distributions.VonMises(rl.tensor(0.), rl.tensor(1.)).mean
        tensor(0.)
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    has_rsample = False
    expand = expand_parameters

    def __init__(self, loc, concentration, validate_args=None):
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def mean(self):
        """The circular mean."""
        return self.loc

    @property
    def mode(self):
        return self.loc

    @lazy_property
    def variance(self):
        """The circular variance ``1 - I1 / I0``."""
        kappa = self.concentration
        return 1 - rl.special.i1e(kappa) / rl.special.i0e(kappa)

    def log_prob(self, value):
        if self._validate_args:
            self._validate_sample(value)
        kappa = self.concentration
        # log I0(kappa) = kappa + log i0e(kappa), which does not overflow
        tilt = kappa * (rl.cos(value - self.loc) - 1)
        return tilt - math.log(2 * math.pi) - rl.special.i0e(kappa).log()

    @lazy_property
    def _proposal_r(self):
        """The parameter of the wrapped Cauchy distribution that envelops this one, in float64.

        With tau = 1 + sqrt(1 + 4 kappa^2) and rho = (tau - sqrt(2 tau)) / (2 kappa) it is
        (1 + rho^2) / (2 rho); for small kappa, where that cancels, 1 / kappa + kappa is its limit.
        """
        kappa = self.concentration.double()
        tau = 1 + (1 + 4 * kappa**2).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        return (1 / kappa + kappa).where(kappa < 1e-5, (1 + rho**2) / (2 * rho))

    def sample(self, sample_shape=rl.Size()):
        """Rejection from a wrapped Cauchy distribution (Best and Fisher, "Efficient simulation of
        the von Mises distribution", Applied Statistics 28, 1979), in float64."""
        shape = self._extended_shape(sample_shape)
        with rl.no_grad():
            angle = self._reject(shape, self.concentration.double(), self._proposal_r)
            turned = angle.to(self.loc.dtype) + math.pi + self.loc
            return turned % (2 * math.pi) - math.pi

    @staticmethod
    def _reject(shape, kappa, r):
        kappa, r = kappa.expand(shape), r.expand(shape)
        angle = rl.empty(shape, dtype=rl.float64, device=kappa.device)
        done = rl.zeros(shape, dtype=rl.bool, device=kappa.device)
        while not done.all():
            u1, u2, u3 = rl.rand((3, *shape), dtype=rl.float64, device=kappa.device).unbind()
            z = rl.cos(math.pi * u1)
            f = (1 + r * z) / (r + z)
            c = kappa * (r - f)
            accept = (c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0)
            angle = ((u3 - 0.5).sign() * f.acos()).where(accept, angle)
            done = done | accept
        return angle
