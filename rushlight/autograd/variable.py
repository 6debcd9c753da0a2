"""`Variable`: the name that tensors with gradients had before tensors had them themselves.

Kept so that old programs run; calling it returns a tensor. Nothing new belongs here.
"""

import rushlight as rl

__all__ = ["Variable"]


class _VariableMeta(type):
    def __instancecheck__(cls, other):
        return isinstance(other, rl.Tensor)

    def __getattr__(cls, name):
        """Methods of tensors, as every tensor is a variable."""
        if name.startswith("__"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return getattr(rl.Tensor, name)

    def __call__(cls, data=None, requires_grad=False, volatile=False):
        if volatile:
            if requires_grad:
                raise ValueError("Variable can't be volatile and require_grad at the same time!")
            _warn_volatile()
        if data is None:
            return rl.empty(0).requires_grad_(requires_grad)
        if not isinstance(data, rl.Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)


def _warn_volatile():
    from warnings import warn

    warn(
        "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
        stacklevel=3,
    )


class Variable(metaclass=_VariableMeta):
    """``Variable(tensor)``: another handle on the same data, cut off from its history.

    Every tensor is an instance of it.

    Example::

        >>> x = rl.autograd.Variable(rl.ones(2), requires_grad=True)
        >>> isinstance(x, rl.autograd.Variable)
        True
    """
