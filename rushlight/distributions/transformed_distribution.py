"""The distribution of a transformed random number."""

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.distribution import (
    Distribution,
    blank_instance,
    parameter_constraints,
)
from rushlight.distributions.independent import Independent
from rushlight.distributions.transforms import ComposeTransform, Transform
from rushlight.distributions.utils import sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of ``transforms(x)``, x drawn from ``base_distribution``.

    The base distribution is expanded to what the transforms broadcast to, and its batch dimensions
    become event dimensions where a transform acts on whole events. `cdf` and `icdf` need monotone
    transforms.

    Example::

        >>> d = rl.distributions
        >>> lognormal = d.TransformedDistribution(d.Normal(0., 1.), [d.ExpTransform()])
        >>> lognormal.log_prob(rl.tensor(1.))
        tensor(-0.9189)
    """

    arg_constraints = {}

    def __init__(self, base_distribution, transforms, validate_args=None):
        self.transforms = _as_list(transforms)
        whole = ComposeTransform(self.transforms)
        base, shape = _fitted(base_distribution, whole)
        missing = whole.domain.event_dim - len(base.event_shape)
        rise = whole.codomain.event_dim - whole.domain.event_dim
        self.base_dist = Independent(base, missing) if missing > 0 else base
        event_dim = max(whole.codomain.event_dim, len(base.event_shape) + rise)
        cut = len(shape) - event_dim
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    def expand(self, batch_shape, _instance=None):
        new = blank_instance(self, _instance)
        batch_shape = rl.Size(batch_shape)
        declared = parameter_constraints(self)
        for name, value in vars(self).items():
            expands = name in declared and isinstance(value, rl.Tensor)
            setattr(new, name, value.expand(batch_shape) if expands else value)
        shape = ComposeTransform(self.transforms).inverse_shape(batch_shape + self.event_shape)
        base_batch = shape[: len(shape) - len(self.base_dist.event_shape)]
        new.base_dist = self.base_dist.expand(base_batch)
        new._batch_shape = batch_shape
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self):
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        extra = len(self.event_shape) - support.event_dim
        return constraints.independent(support, extra) if extra > 0 else support

    @property
    def has_rsample(self):
        return self.base_dist.has_rsample

    def _forward(self, x):
        for transform in self.transforms:
            x = transform(x)
        return x

    def _backward(self, value):
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return value

    def sample(self, sample_shape=rl.Size()):
        with rl.no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape=rl.Size()):
        return self._forward(self.base_dist.rsample(sample_shape))

    def log_prob(self, value):
        """The base's log density minus the transforms' log|det Jacobian|."""
        if self._validate_args:
            self._validate_sample(value)
        event_dim, log_jacobian = len(self.event_shape), 0.0
        for transform in reversed(self.transforms):
            x = transform.inv(value)
            inside = transform.domain.event_dim
            event_dim += inside - transform.codomain.event_dim
            step = transform.log_abs_det_jacobian(x, value)
            log_jacobian = log_jacobian + sum_rightmost(step, event_dim - inside)
            value = x
        extra = event_dim - len(self.base_dist.event_shape)
        return sum_rightmost(self.base_dist.log_prob(value), extra) - log_jacobian

    def _mirrored(self, probability):
        """Exchanges the tails where the transforms fall."""
        sign = ComposeTransform(self.transforms).sign
        if isinstance(sign, int) and sign == 1:
            return probability
        return sign * (probability - 0.5) + 0.5

    def cdf(self, value):
        value = self._backward(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._mirrored(self.base_dist.cdf(value))

    def icdf(self, value):
        return self._forward(self.base_dist.icdf(self._mirrored(value)))


def _as_list(transforms):
    if isinstance(transforms, Transform):
        return [transforms]
    if isinstance(transforms, list) and all(isinstance(t, Transform) for t in transforms):
        return transforms
    raise ValueError(
        "TransformedDistribution: transforms must be a Transform or a list of Transforms, but was "
        f"{transforms!r}"
    )


def _fitted(base, transform):
    """The base distribution expanded to what ``transform`` broadcasts it to; the output's shape."""
    shape = base.batch_shape + base.event_shape
    if len(shape) < transform.domain.event_dim:
        raise ValueError(
            "base_distribution needs to have shape with size at least "
            f"{transform.domain.event_dim}, but got {tuple(shape)}."
        )
    out = transform.forward_shape(shape)
    expanded = transform.inverse_shape(out)
    if expanded != shape:
        base = base.expand(expanded[: len(expanded) - len(base.event_shape)])
    return base, out
