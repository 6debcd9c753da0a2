"""The base class of exponential families, whose entropy follows from the log normaliser.

p(x; θ) = exp(<t(x), θ> - F(θ) + k(x)): a family gives θ (`_natural_params`), F (`_log_normalizer`)
and E[k(x)] (`_mean_carrier_measure`).
"""

import rushlight as rl
from rushlight import _native
from rushlight.distributions.distribution import Distribution

__all__ = ["ExponentialFamily"]


class ExponentialFamily(Distribution):
    """Distributions of the form ``exp(<t(x), θ> - F(θ) + k(x))``.

    Entropies and Kullback-Leibler divergences are Bregman divergences of F, whose gradients
    autograd takes (Nielsen and Nock, "Entropies and cross-entropies of exponential families",
    2010).

    Example::

        >>> rl.distributions.ExponentialFamily.entropy(rl.distributions.Exponential(1.0))
        tensor(1.)
    """

    @property
    def _natural_params(self):
        """The natural parameters: a tuple of tensors."""
        raise NotImplementedError(f"{type(self)} does not give its natural parameters")

    def _log_normalizer(self, *natural_params):
        """F, a function of the natural parameters."""
        raise NotImplementedError(f"{type(self)} does not give its log normalizer")

    @property
    def _mean_carrier_measure(self):
        """The expectation of k(x)."""
        raise NotImplementedError(f"{type(self)} does not give the mean of its carrier measure")

    def _normalizer_and_gradient(self):
        """θ, F(θ) and its gradient in each parameter, which is E[t(x)]."""
        given = self._natural_params
        differentiable = any(p.requires_grad for p in given)
        with rl.enable_grad():
            theta = [p if p.requires_grad else _native.untaped(p).requires_grad_() for p in given]
            value = self._log_normalizer(*theta)
            gradient = rl.autograd.grad(value.sum(), theta, create_graph=differentiable)
        return (theta, value, gradient) if differentiable else (given, value.detach(), gradient)

    def entropy(self):
        """F(θ) - <θ, grad F(θ)> - E[k(x)]."""
        theta, value, gradient = self._normalizer_and_gradient()
        result = value - self._mean_carrier_measure
        for t, g in zip(theta, gradient, strict=True):
            result = result - (t * g).reshape(self._batch_shape + (-1,)).sum(-1)
        return result
