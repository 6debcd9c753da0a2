"""Kullback-Leibler divergences: the registry of formulas and the choice among them.

Formulas are in _kl_families.py (a family with itself), _kl_expectations.py (two different families)
and _kl_normal.py (multivariate normals). `register_kl` adds one for a pair of types.
"""

import warnings
from functools import total_ordering

__all__ = ["kl_divergence", "register_kl"]

_KL_REGISTRY = {}  # (type p, type q) -> function
_KL_MEMOIZE = {}  # the same with the choice made for subclasses


def register_kl(type_p, type_q):
    """Decorator: registers ``function(p, q)`` as the divergence for two types and subclasses.

    Raises TypeError unless both are classes.

    Example::

        >>> d = rl.distributions
        >>> class Mine(d.Normal): pass
        >>> @d.register_kl(Mine, Mine)
        ... def _(p, q):
        ...     return rl.tensor(0.0)
        >>> d.kl_divergence(Mine(0., 1.), Mine(0., 1.))
        tensor(0.)
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type):  # pyro's class is none of `Distribution`'s, and is accepted
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def decorator(function):
        _KL_REGISTRY[type_p, type_q] = function
        _KL_MEMOIZE.clear()
        return function

    return decorator


@total_ordering
class _Match:
    """A tuple of types, ordered by specificity: less is a subclass in every place."""

    __slots__ = ("types",)

    def __init__(self, *types):
        self.types = types

    def __eq__(self, other):
        return self.types == other.types

    def __le__(self, other):
        for mine, theirs in zip(self.types, other.types, strict=True):
            if not issubclass(mine, theirs):
                return False
            if mine is not theirs:
                break
        return True


def _dispatch_kl(type_p, type_q):
    """The most specific function for these types; None if there is none.

    If the best for p and the best for q differ, p decides, with a RuntimeWarning.
    """
    matches = [
        (super_p, super_q)
        for super_p, super_q in _KL_REGISTRY
        if issubclass(type_p, super_p) and issubclass(type_q, super_q)
    ]
    if not matches:
        return None
    left_p, left_q = min(_Match(*m) for m in matches).types
    right_q, right_p = min(_Match(*reversed(m)) for m in matches).types
    left, right = _KL_REGISTRY[left_p, left_q], _KL_REGISTRY[right_p, right_q]
    if left is not right:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). Please "
            f"register_kl({left_p.__name__}, {right_q.__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return left


def kl_divergence(p, q):
    """``KL(p || q)``, the expectation under p of log p - log q, of the batch shape.

    It is infinite where p has mass that q has not. Raises NotImplementedError if no formula is
    registered for the pair of types.

    Example::

        >>> d = rl.distributions
        >>> d.kl_divergence(d.Normal(0., 1.), d.Normal(1., 1.))
        tensor(0.5000)
    """
    pair = type(p), type(q)
    if pair not in _KL_MEMOIZE:
        _KL_MEMOIZE[pair] = _dispatch_kl(*pair)
    function = _KL_MEMOIZE[pair]
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
            f"{type(q).__name__}; register one with register_kl"
        )
    return function(p, q)
