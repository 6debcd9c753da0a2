"""The base class of all distributions: shapes, validation, and what can be derived once.

A distribution of its own goes into a module of its own: parameters in ``arg_constraints``, then
``log_prob``, ``rsample`` or ``sample`` and the moments that exist. ``expand = expand_parameters``
if its parameters are all that has a batch shape.
"""

import math
import warnings

import rushlight as rl
from rushlight.distributions import constraints
from rushlight.distributions.utils import lazy_property

__all__ = ["Distribution"]


class Distribution:
    """A probability distribution, or a batch of independent ones.

    A sample has the shape ``sample_shape + batch_shape + event_shape``; `log_prob` of it has the
    shape ``sample_shape + batch_shape``. With ``validate_args`` (the default, unless Python runs
    with ``-O``) parameters and values outside their constraints raise ValueError.

    Example::

        >>> d = rl.distributions.Normal(rl.zeros(3), 1.0)
        >>> d.batch_shape, d.event_shape, d.sample((2,)).shape
        (torch.Size([3]), torch.Size([]), torch.Size([2, 3]))
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value):
        """Whether distributions validate unless told otherwise; ValueError if not a bool."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape=rl.Size(), event_shape=rl.Size(), validate_args=None):
        self._batch_shape, self._event_shape = batch_shape, event_shape
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()
        super().__init__()

    def _validate_parameters(self):
        try:
            declared = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Please set "
                "`arg_constraints = {}` or initialize the distribution with "
                "`validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        for name, constraint in declared.items():
            follows = name not in vars(self) and isinstance(
                getattr(type(self), name), lazy_property
            )
            if constraints.is_dependent(constraint) or follows:
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({_described(value)}) of distribution {self!r} to "
                    f"satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def expand(self, batch_shape, _instance=None):
        """The same distribution with its batch dimensions expanded to ``batch_shape``, as views."""
        raise NotImplementedError(f"{type(self)} does not implement expand")

    @property
    def batch_shape(self):
        """The shape over which the distribution is a batch of independent ones."""
        return self._batch_shape

    @property
    def event_shape(self):
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def arg_constraints(self):
        """Parameter name -> `constraints.Constraint`."""
        raise NotImplementedError(f"{type(self)} does not implement arg_constraints")

    @property
    def support(self):
        """The `constraints.Constraint` that samples satisfy."""
        raise NotImplementedError(f"{type(self)} does not implement support")

    @property
    def mean(self):
        """The expectation, of shape batch + event; NaN or inf where there is none."""
        raise NotImplementedError(f"{type(self)} does not implement mean")

    @property
    def mode(self):
        """The most probable value; NaN where there is none."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self):
        """The variance, elementwise over events."""
        raise NotImplementedError(f"{type(self)} does not implement variance")

    @property
    def stddev(self):
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape=rl.Size()):
        """Draws samples, without gradients."""
        with rl.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape=rl.Size()):
        """Draws samples that are differentiable in the parameters, where `has_rsample`."""
        raise NotImplementedError(
            f"{type(self)} has no reparameterised samples; use sample() and a score-function "
            "gradient"
        )

    def sample_n(self, n):
        """Draws n samples. Deprecated: ``sample((n,))``."""
        warnings.warn(
            "`sample_n(n)` will be deprecated. Use `sample((n,))` instead.",
            FutureWarning,
            stacklevel=2,
        )
        return self.sample(rl.Size((n,)))

    def log_prob(self, value):
        """The logarithm of the density (or of the probability) at ``value``."""
        raise NotImplementedError(f"{type(self)} does not implement log_prob")

    def cdf(self, value):
        """The probability of a sample of at most ``value``."""
        raise NotImplementedError(f"{type(self)} does not implement cdf")

    def icdf(self, value):
        """The quantile: the inverse of `cdf`."""
        raise NotImplementedError(f"{type(self)} does not implement icdf")

    def enumerate_support(self, expand=True):
        """All values of a discrete distribution of finite support, along a new first dimension."""
        raise NotImplementedError(f"{type(self)} does not implement enumerate_support")

    def entropy(self):
        """The entropy in nats, of the batch shape."""
        raise NotImplementedError(f"{type(self)} does not implement entropy")

    def perplexity(self):
        """The exponential of the entropy."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape=rl.Size()):
        return rl.Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value):
        """Raises ValueError unless value is a tensor of a fitting shape within the support."""
        if not isinstance(value, rl.Tensor):
            raise ValueError(
                f"The value argument to log_prob must be a Tensor, got {type(value).__name__}"
            )
        self._validate_shape(value.shape)
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please "
                "initialize the distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if not support.check(value).all():
            raise ValueError(
                f"Expected value argument ({_described(value)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def _validate_shape(self, shape):
        dims = len(self._event_shape)
        if shape[len(shape) - dims :] != self._event_shape:
            raise ValueError(
                f"The right-most size of value must match event_shape: {shape} vs "
                f"{self._event_shape}."
            )
        expected = self._batch_shape + self._event_shape
        for got, want in zip(reversed(shape), reversed(expected), strict=False):
            if got != 1 and want != 1 and got != want:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {shape} vs "
                    f"{expected}."
                )

    def _get_checked_instance(self, cls, _instance=None):
        """A blank instance for `expand` of ``cls`` to fill, unless a subclass's expand gave one."""
        if _instance is None and type(self).__init__ != cls.__init__:
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method."
            )
        return self.__new__(type(self)) if _instance is None else _instance

    def __repr__(self):
        shown = ((name, vars(self)[name]) for name in self.arg_constraints if name in vars(self))
        inside = ", ".join(f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in shown)
        return f"{type(self).__name__}({inside})"


def _described(tensor):
    return f"{type(tensor).__name__} of shape {tuple(tensor.shape)}"


def blank_instance(distribution, _instance=None):
    """An uninitialised instance for `expand`, checked to be of the class that defines expand."""
    owner = next(c for c in type(distribution).__mro__ if "expand" in vars(c))
    return distribution._get_checked_instance(owner, _instance)


def parameter_constraints(distribution):
    """The argument constraints of an instance and of its class's bases, by name."""
    found = {}
    for base in reversed(type(distribution).__mro__):
        declared = vars(base).get("arg_constraints")
        found.update(declared if isinstance(declared, dict) else {})
    return {**found, **distribution.arg_constraints}


def expand_parameters(self, batch_shape, _instance=None):
    """`Distribution.expand` for a class whose parameters are all that depends on the batch shape.

    A parameter keeps as many trailing dimensions as its constraint has event dimensions. Inner
    distributions that share the batch shape do too, others are left to the subclass that has them;
    lazily computed values are computed anew.
    """
    new = blank_instance(self, _instance)
    batch_shape = rl.Size(batch_shape)
    declared = parameter_constraints(self)
    for name, value in vars(self).items():
        if name in declared:
            kept = declared[name].event_dim
            value = value.expand(batch_shape + value.shape[value.dim() - kept :])
        elif isinstance(getattr(type(self), name, None), lazy_property):
            continue
        elif isinstance(value, Distribution) and value.batch_shape == self.batch_shape:
            value = value.expand(batch_shape)
        setattr(new, name, value)
    new._batch_shape = batch_shape
    return new


def nan_where(condition, value):
    """``value``, with NaN where a moment does not exist."""
    return value.masked_fill(condition, math.nan)
