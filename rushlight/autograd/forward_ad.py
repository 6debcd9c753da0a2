"""Forward-mode differentiation with dual tensors, written out by the user.

The rule is that of `rushlight.func.jvp`; here its level is opened and closed by hand.
"""

from typing import NamedTuple

import rushlight as rl
from rushlight.func.forward import JvpLevel
from rushlight.func.levels import payload_at

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class _Recorded(rl.autograd.Function):
    """The dual tensor that ``dual()`` gives, as a result of its primal."""

    @staticmethod
    def forward(ctx, primal, dual):
        return dual()

    @staticmethod
    def backward(ctx, g):
        return g, None


_levels = []  # of the running `dual_level`; PyTorch allows one at a time


class UnpackedDualTensor(NamedTuple):
    """A primal and its tangent, None if it has none."""

    primal: rl.Tensor
    tangent: rl.Tensor | None


def enter_dual_level():
    """Opens a level, which `make_dual` needs; returns its number.

    Raises:
        RuntimeError: if one is open already.
    """
    if _levels:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.append(JvpLevel().__enter__())
    return 0


def exit_dual_level(*, level=None):
    """Closes the level; tangents are gone with it.

    Raises:
        RuntimeError: if none is open, or `level` is not its number.
    """
    if not _levels or level not in (None, 0):
        raise RuntimeError(
            f"Trying to exit a forward AD level that was not the last one entered: {level}"
        )
    _levels.pop().__exit__()


class dual_level:  # noqa: N801 - PyTorch's spelling
    """Context in which dual tensors live.

    Example::

        >>> import rushlight.autograd.forward_ad as fwAD
        >>> with fwAD.dual_level():
        ...     x = fwAD.make_dual(rl.tensor(3.), rl.tensor(1.))
        ...     fwAD.unpack_dual(x * x).tangent
        tensor(6.)
    """

    def __enter__(self):
        return enter_dual_level()

    def __exit__(self, *exception):
        exit_dual_level()


def _level(level, doing):
    if level not in (None, 0) or not _levels:
        raise RuntimeError(
            f"Trying to {doing} a dual Tensor while no level exists. Make sure to use "
            "dual_level() first, and no other level than its own"
        )
    return _levels[-1]


def make_dual(tensor, tangent, *, level=None):
    """A tensor with a tangent, which ops carry along.

    Args:
        tensor, tangent: of one size and dtype.
        level: the number of the level; None for the open one.

    Raises:
        RuntimeError: if no level is open, size or dtype differ, or the tangent has a tangent.
        ValueError: if an argument is not of floating point or complex.
    """
    current = _level(level, "make")
    for what, x in (("primal", tensor), ("tangent", tangent)):
        if not (x.is_floating_point() or x.is_complex()):
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {x.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            f"Expected tangent to have the primal's size {tuple(tensor.shape)}, but got: "
            f"{tuple(tangent.shape)}"
        )
    if tensor.dtype != tangent.dtype:
        raise RuntimeError(
            f"Expected tangent to have the primal's dtype {tensor.dtype}, but got: {tangent.dtype}"
        )
    if payload_at(current, tangent) is not None:
        raise RuntimeError("make_dual(): the tangent has a tangent of the same level itself")
    made = current.dual(tensor.view_as(tensor), tangent)
    return _Recorded.apply(tensor, lambda: made) if tensor.requires_grad else made


def unpack_dual(tensor, *, level=None):
    """The primal of a tensor, and its tangent or None.

    Without an open level, the tensor itself and None.
    """
    if level is None and not _levels:
        return UnpackedDualTensor(tensor, None)
    held = payload_at(_level(level, "unpack"), tensor)
    if held is None:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(held.primal, held.tangent)


def __getattr__(name):
    if name == "_current_level":  # packages ask whether one is open: -1 if not
        return len(_levels) - 1
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
