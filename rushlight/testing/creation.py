"""`make_tensor`: random tensors for tests, with limits that suit the dtype."""

import rushlight as rl

__all__ = ["make_tensor"]


def make_tensor(
    *shape,
    dtype,
    device,
    low=None,
    high=None,
    requires_grad=False,
    noncontiguous=False,
    exclude_zero=False,
    memory_format=None,
):
    """A tensor of uniform random numbers from ``[low, high)``.

    Args:
        shape (ints, or one sequence of them): its shape.
        dtype, device: its dtype and device.
        low, high: the limits; by default [-9, 9) for floating point and complex parts, [-9, 10)
            for integers (from 0 if unsigned), [0, 2) for bool. Clamped to the dtype's range.
        requires_grad (bool): record operations on it.
        noncontiguous (bool): every second element of a larger tensor, if it has at least two.
        exclude_zero (bool): put 1, or the smallest normal number, in place of zeros.
        memory_format: the memory format; not together with ``noncontiguous``.

    Raises:
        ValueError: if the limits are nan, in the wrong order or outside of the dtype's range, or
            arguments exclude one another.
        TypeError: if the dtype is not supported.

    Example::

        >>> x = rl.testing.make_tensor(2, 3, dtype=rl.float32, device="cpu", low=0, high=1)
        >>> x.shape
        torch.Size([2, 3])
    """
    if len(shape) == 1 and not isinstance(shape[0], int):
        (shape,) = shape
    shape = tuple(shape)
    if noncontiguous and memory_format is not None:
        raise ValueError(
            "make_tensor(): noncontiguous and memory_format are mutually exclusive, got "
            f"{noncontiguous=} and {memory_format=}"
        )
    is_inexact = dtype.is_floating_point or dtype.is_complex
    if requires_grad and not is_inexact:
        raise ValueError(
            "make_tensor(): requires_grad=True needs a floating point or complex dtype, got "
            f"{dtype}"
        )
    is_spread = noncontiguous and _count(shape) > 1
    drawn_shape = (*shape[:-1], 2 * shape[-1]) if is_spread else shape
    low, high = _limits(dtype, low, high)
    draw = _draw_inexact if is_inexact else _draw_integers
    result = draw(drawn_shape, dtype, device, low, high)
    if is_spread:
        result = result[..., 1::2]
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = rl.finfo(dtype).tiny if is_inexact else 1
    return result.requires_grad_() if requires_grad else result


def _count(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def _draw_integers(shape, dtype, device, low, high):
    return rl.randint(low, high, shape, dtype=dtype, device=device)


def _draw_inexact(shape, dtype, device, low, high):
    result = rl.empty(shape, dtype=dtype, device=device)
    reals = rl.view_as_real(result) if dtype.is_complex else result
    if high - low >= rl.finfo(dtype).max:
        reals.uniform_(low / 2, high / 2).mul_(2)  # the whole width would overflow
    else:
        reals.uniform_(low, high)
    return result


def _range_of(dtype):
    """(lowest, highest, default low, default high)."""
    if dtype is rl.bool:
        return 0, 2, 0, 2
    if dtype.is_floating_point or dtype.is_complex:
        limits = rl.finfo(dtype)
        return limits.min, limits.max, -9, 9
    limits = rl.iinfo(dtype)
    # randint takes its upper limit, which is exclusive, as an int64.
    return limits.min, min(limits.max + 1, 2**63 - 1), max(-9, limits.min), 10


def _limits(dtype, low, high):
    lowest, highest, default_low, default_high = _range_of(dtype)
    low = default_low if low is None else low
    high = default_high if high is None else high
    is_inexact = dtype.is_floating_point or dtype.is_complex
    if low != low or high != high:
        raise ValueError(f"make_tensor(): low and high cannot be nan, got {low=} and {high=}")
    if low > high or (low == high and not is_inexact):
        raise ValueError(f"make_tensor(): `low` must be less than `high`, but got {low} >= {high}")
    if low == high:
        _warn_equal_limits()
    elif high < lowest or low >= highest:
        raise ValueError(
            f"make_tensor(): the interval [{low}, {high}) is outside of the range of {dtype}, "
            f"[{lowest}, {highest})"
        )
    low, high = [min(max(value, lowest), highest) for value in (low, high)]
    return (low, high) if is_inexact else (-int(-low // 1), -int(-high // 1))


def _warn_equal_limits():
    from warnings import warn

    warn(
        "make_tensor(): low == high is deprecated for floating point dtypes; use full()",
        FutureWarning,
        stacklevel=4,
    )
