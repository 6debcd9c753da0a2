"""Base classes of context managers that also decorate functions, where packages import them."""

from rushlight.autograd.grad_mode import (
    _DecoratorContextManager,
    _wrap_generator,  # noqa: F401 - packages import it here
)

__all__ = []


class _NoParamDecoratorContextManager(_DecoratorContextManager):
    """A context manager without arguments, which decorates with parentheses and without."""

    def __new__(cls, orig_func=None):
        made = super().__new__(cls)
        if orig_func is None:
            return made
        made.__init__()
        return made(orig_func)
