"""Records that choose between elements: extremes, limits, `where` and masks. As in arithmetic.py:
one record here, one functor line in csrc/scalar/. Extremes over a dimension: reduce.py.
"""

import rushlight as rl
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op, pointwise


def _extreme(name, doc, rules, shown):
    """Records the extreme; ``shown`` is that of (1, nan) and (2, 0)."""

    def body(self, other): ...

    call = f"{name}(rl.tensor([1., torch.nan]), rl.tensor([2., 0.]))"
    body.__doc__ = with_example(doc, call, f"tensor([{shown}])")
    made = op(f"{name}(Tensor self, Tensor other) -> Tensor", kind=pointwise, inplace=False)(body)
    made.vjp(**rules)


def _ties_share(wins):
    return {
        "self": lambda g, self, other: g * _share_of(wins(self, other), self == other, g),
        "other": lambda g, self, other: g * _share_of(wins(other, self), self == other, g),
    }


def _first_takes_ties(wins):
    return {
        "self": lambda g, self, other: g.masked_fill(~wins(self, other), 0),
        "other": lambda g, self, other: g.masked_fill(wins(self, other), 0),
    }


def _share_of(wins, tie, g):
    return wins.to(g.dtype) * (1 - 0.5 * tie.to(g.dtype))


_extreme(
    "maximum",
    "The larger of the two, elementwise; NaN wins. Ties share the gradient.",
    _ties_share(lambda a, b: a >= b),
    "2., nan",
)
_extreme(
    "minimum",
    "The smaller of the two, elementwise; NaN wins. Ties share the gradient.",
    _ties_share(lambda a, b: a <= b),
    "1., nan",
)
_extreme(
    "fmax",
    "The larger of the two; a NaN loses to a number. Of equal ones the first has the gradient.",
    _first_takes_ties(lambda a, b: (a >= b) | b.isnan()),
    "2., 0.",
)
_extreme(
    "fmin",
    "The smaller of the two; a NaN loses to a number. Of equal ones the first has the gradient.",
    _first_takes_ties(lambda a, b: (a <= b) | b.isnan()),
    "1., 0.",
)


@op("max.other(Tensor self, Tensor other) -> Tensor")
def _(self, other):
    """`maximum` of two tensors."""
    return rl.maximum(self, other)


@op("min.other(Tensor self, Tensor other) -> Tensor")
def _(self, other):
    """`minimum` of two tensors."""
    return rl.minimum(self, other)


@op(
    "clamp_functor(Tensor self, Tensor | Scalar min, Tensor | Scalar max) -> Tensor",
    kind=pointwise,
    at="internal",
    kernel="clamp",
    inplace=False,
    grad_name="ClampBackward0",
)
def _clamp3(self, min, max):  # noqa: A002
    """``minimum(maximum(self, min), max)`` (internal; see `clamp`)."""
    ...


def _below(min, max):  # noqa: A002
    """Is the lower bound the one that holds? Equal ones count as an upper bound, as in PyTorch."""
    return (min < max) | (max == float("inf"))  # which stands for no upper bound, see `clamp`


_clamp3.vjp(
    self=lambda g, self, min, max: rl.where((self >= min) & (self <= max), g, 0),
    min=lambda g, self, min, max: rl.where((self < min) & _below(min, max), g, 0),
    max=lambda g, self, min, max: rl.where((self > max) | (max < min), g, 0),
)


@op(
    "clamp(Tensor self, Tensor | Scalar? min=None, Tensor | Scalar? max=None) -> Tensor",
    inplace="function",
)
def clamp(self, min, max):  # noqa: A002
    """Limits the values to [min, max]; either bound may be None. If min > max, max wins.

    Example::

        >>> rl.clamp(rl.tensor([-2., 0.5, 3.]), -1, 1)
        tensor([-1.0000,  0.5000,  1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if self.is_complex():
        raise NotImplementedError("clamp: complex numbers have no order")
    if min is not None and max is not None:
        return rl.ops.internal["clamp_functor"](self, min, max)
    kind = rl.result_type(self, min if max is None else max)
    if kind == rl.bool:
        return _clamped_bool(self, min, max)
    lowest, highest = _limits(kind)
    if min is not None:
        return rl.ops.internal["clamp_functor"](self, min, highest)
    return rl.ops.internal["clamp_functor"](self, lowest, max)


def _limits(dtype):
    if dtype.is_floating_point:
        return float("-inf"), float("inf")
    limits = rl.iinfo(rl.int64 if dtype == rl.bool else dtype)
    return limits.min, limits.max


def _clamped_bool(self, min, max):  # noqa: A002
    bound = max if min is None else min
    if not isinstance(bound, rl.Tensor):
        raise NotImplementedError(
            "clamp: not implemented for a Bool tensor and a bool bound; give the bound as a tensor"
        )
    return rl.minimum(self, bound) if min is None else rl.maximum(self, bound)


@op(
    "clip(Tensor self, Tensor | Scalar? min=None, Tensor | Scalar? max=None) -> Tensor",
    inplace="function",
)
def _(self, min, max):  # noqa: A002
    """Another name of `clamp`.

    Example::

        >>> rl.clip(rl.tensor([-2., 0.5, 3.]), max=1)
        tensor([-2.0000,  0.5000,  1.0000])
    """
    return self.clamp(min, max)


@op("clamp_min(Tensor self, Tensor | Scalar min) -> Tensor", inplace="function")
def _(self, min):  # noqa: A002
    """`clamp` with a lower bound.

    Example::

        >>> rl.clamp_min(rl.tensor([-2., 0.5]), 0)
        tensor([0.0000, 0.5000])
    """
    return self.clamp(min=min)


@op("clamp_max(Tensor self, Tensor | Scalar max) -> Tensor", inplace="function")
def _(self, max):  # noqa: A002
    """`clamp` with an upper bound.

    Example::

        >>> rl.clamp_max(rl.tensor([-2., 0.5]), 0)
        tensor([-2.,  0.])
    """
    return self.clamp(max=max)


@op(
    "where(mask condition, Tensor | Scalar self, Tensor | Scalar other) -> Tensor",
    kind=pointwise,
    inplace=False,
    at="torch",
    out="exact",
)
def where(condition, self, other):
    """``self`` where ``condition`` holds, else ``other``; all three broadcast.

    Example::

        >>> rl.where(rl.tensor([True, False]), rl.tensor([1., 2.]), 0)
        tensor([1., 0.])
    """
    ...


where.vjp(
    self=lambda g, condition: rl.where(condition, g, 0),
    other=lambda g, condition: rl.where(condition, 0, g),
)


@op("where.method(Tensor self, Tensor condition, Tensor | Scalar other) -> Tensor", at="Tensor")
def _(self, condition, other):
    """`torch.where` with ``self`` as the first choice."""
    return rl.where(condition, self, other)


@op("where.index(Tensor condition) -> Tensor[]", at="torch")
def _(condition):
    """The indices of the true elements, one tensor a dimension."""
    return condition.nonzero(as_tuple=True)


@op(
    "masked_fill(Tensor self, Tensor mask, Tensor | Scalar value) -> Tensor",
    inplace=True,
    repeated="_masked_fill_repeated",
    grad_name=True,
    no_float8="all",
)
def masked_fill(self, mask, value):
    """``value`` where ``mask`` is true, ``self`` elsewhere.

    Example::

        >>> rl.masked_fill(rl.tensor([1., 2.]), rl.tensor([True, False]), 9)
        tensor([9., 2.])
    """
    if mask.dtype != rl.bool:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if isinstance(value, rl.Tensor) and value.dim() > 0:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.dim()} dimension(s)."
        )
    if not self.is_complex() and (
        value.is_complex() if isinstance(value, rl.Tensor) else isinstance(value, complex)
    ):
        raise RuntimeError(
            f"masked_fill: value cannot be converted to type {self.dtype} without overflow: "
            "it is complex"
        )
    if not isinstance(value, rl.Tensor) and not self.is_floating_point():
        value = rl.full((), value, dtype=self.dtype, device=self.device)  # refuses what overflows
    filled = rl.where(mask, value, self)
    return filled if filled.dtype == self.dtype else filled.to(self.dtype)
