"""Products of matrices whose elements come with scales, and the names of the kinds of scales.

The elements are 8-bit floats, which this package does not have, so that the products refuse
whatever they are given.
"""

import enum


class ScalingType(enum.Enum):
    """Which elements share a scale."""

    TensorWise = 0
    RowWise = 1
    BlockWise1x16 = 2
    BlockWise1x32 = 3
    BlockWise1x128 = 4
    BlockWise128x128 = 5


class SwizzleType(enum.Enum):
    """In which order the scales lie in memory."""

    NO_SWIZZLE = 0
    SWIZZLE_32_4_4 = 1


def scaled_mm(
    mat_a,
    mat_b,
    scale_a,
    scale_recipe_a,
    scale_b,
    scale_recipe_b,
    swizzle_a=None,
    swizzle_b=None,
    bias=None,
    output_dtype=None,
    contraction_dim=(),
    use_fast_accum=False,
):
    """ValueError: both matrices have to be of 8-bit floats."""
    raise ValueError(
        f"scaled_mm: expected matrices of 8-bit floats, got {mat_a.dtype} and {mat_b.dtype}; "
        "multiply by the scales and use torch.mm"
    )


def scaled_grouped_mm(
    mat_a,
    mat_b,
    scale_a,
    scale_recipe_a,
    scale_b,
    scale_recipe_b,
    swizzle_a=None,
    swizzle_b=None,
    bias=None,
    offs=None,
    output_dtype=None,
    contraction_dim=(),
    use_fast_accum=False,
):
    """NotImplementedError: only accelerators have it, here and in PyTorch."""
    raise NotImplementedError(
        f"scaled_grouped_mm: not implemented for {mat_a.device} and {mat_a.dtype}; multiply by the "
        "scales and use torch.bmm"
    )


def assert_int_or_pair(arg, arg_name, message):
    """AssertionError with a message, in which ``{}`` is the argument's name, unless it is an int or
    two of them.
    """
    if not (isinstance(arg, int) or len(arg) == 2):
        raise AssertionError(message.format(arg_name))
