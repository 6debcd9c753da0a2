"""What looks behind transforms: `debug_unwrap`; and `functionalize`."""

import functools

from rushlight.func.levels import payload


def debug_unwrap(tensor, *, recurse=True):
    """What the wrappers of active transforms hold, to look at while debugging.

    Args:
        tensor: a tensor inside a transformed function; any other is returned as it is.
        recurse: take off all wrappers, not just the innermost.

    Example::

        >>> def show(x):
        ...     print(rl.func.debug_unwrap(x))
        ...     return x
        >>> _ = rl.vmap(show)(rl.arange(3))
        tensor([0, 1, 2])
    """
    held = payload(tensor)
    while held is not None:
        tensor = held.outer
        held = payload(tensor) if recurse else None
    return tensor


def functionalize(func, *, remove="mutations"):
    """The function itself, behind a check of the arguments.

    In PyTorch the transform replaces in-place operations, as compilers want; the results are the
    same. Here compilation takes in-place operations as they are, so there is nothing to replace.

    Args:
        remove: ``"mutations"`` or ``"mutations_and_views"``.

    Raises:
        RuntimeError: for any other `remove`.

    Example::

        >>> rl.func.functionalize(lambda x: x.clone().add_(1))(rl.zeros(2))
        tensor([1., 1.])
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            "functionalize: expected remove to be 'mutations' or 'mutations_and_views', got "
            f"{remove!r}"
        )

    @functools.wraps(func)
    def evaluated(*args, **kwargs):
        return func(*args, **kwargs)

    return evaluated
