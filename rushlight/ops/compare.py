"""Comparing whole tensors: `isclose`, `allclose`, `equal`.

Elementwise comparisons (eq, lt, ...) are in logic.py. To add one that answers with a Python
bool: a function here, listed in `functions`.
"""

import rushlight as rl
from rushlight import _native
from rushlight.ops._decisions import is_wrapped
from rushlight.ops._record import namespaces, op


@op(
    "isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False)"
    " -> Tensor",
    differentiable=False,
)
def isclose(self, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``|self - other| <= atol + rtol * |other|``, elementwise; infinities must be equal.

    Raises RuntimeError for tensors of different dtypes and for negative tolerances.

    Example::

        >>> rl.isclose(rl.tensor([1.0, 2.0]), rl.tensor([1.0 + 1e-9, 2.1]))
        tensor([ True, False])
    """
    _check_closeness(self, other, rtol, atol)
    close = self == other
    if equal_nan and (self.is_floating_point() or self.is_complex()):
        close = close | (self.isnan() & other.isnan())
    if rtol == 0 and atol == 0:
        return close
    if not other.is_floating_point() and not other.is_complex():
        other = other.to(rl.get_default_dtype())
    error = ((self.to(other.dtype) if self.dtype is rl.bool else self) - other).abs()
    return close | (error.isfinite() & (error <= atol + (rtol * other).abs()))


@isclose.samples
def _(make):
    yield make(3, 4), make(4)
    yield make(3), make(3), 0.1, 0.1
    yield make(0), make(1)


def _check_closeness(self, other, rtol, atol):
    if self.dtype != other.dtype:
        raise RuntimeError(
            f"isclose: expected tensors of one dtype, got {self.dtype} and {other.dtype}; "
            "convert one with .to(dtype)"
        )
    if rtol < 0 or atol < 0:
        raise RuntimeError(
            f"isclose: rtol and atol must not be negative, got rtol={rtol} and atol={atol}"
        )


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):  # noqa: A002
    """Whether `isclose` holds for all elements, as a Python bool.

    Example::

        >>> rl.allclose(rl.tensor([1.0]), rl.tensor([1.0 + 1e-9]))
        True
    """
    return rl.isclose(input, other, rtol, atol, equal_nan).all().item()


def equal(input, other):  # noqa: A002
    """Whether two tensors have the same shape and elements, as a Python bool; nan equals nothing.

    Example::

        >>> rl.equal(rl.tensor([1, 2]), rl.tensor([1, 2]))
        True
    """
    if not isinstance(other, rl.Tensor):
        raise TypeError(f"equal(): argument 'other' must be Tensor, not {type(other).__name__}")
    if input.is_meta or other.is_meta:
        raise NotImplementedError("equal: meta tensors have no data to compare")
    if input.shape != other.shape:
        return False
    # 8-bit floats are compared as what they stand for, which the kernel does not know.
    eight_bits = input.element_size() == 1 and input.is_floating_point()
    if input.dtype != other.dtype or eight_bits or is_wrapped(input) or is_wrapped(other):
        return (input == other).all().item()
    return _equal(input, other).item()


@op("_equal(Tensor self, Tensor other) -> Tensor", at=("internal",), differentiable=False)
def _equal(self, other):
    """Whether all elements of two tensors of one shape and dtype are the same, as a bool tensor."""
    ...


functions = (allclose, equal)
namespaces.setdefault("torch", {}).update({f.__name__: f for f in functions})
for _function in functions:
    setattr(_native.Tensor, _function.__name__, _function)
