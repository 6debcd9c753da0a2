"""The deprecated `size_average` and `reduce` arguments of losses, turned into `reduction`."""

REDUCTIONS = {"none": 0, "mean": 1, "elementwise_mean": 1, "sum": 2}


def legacy_get_string(size_average, reduce, emit_warning=True):
    """The `reduction` that the two flags mean; None counts as True."""
    average = size_average is None or size_average
    if reduce is not None and not reduce:
        name = "none"
    else:
        name = "mean" if average else "sum"
    if emit_warning:
        import warnings

        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{name}' instead.",
            stacklevel=4,
        )
    return name


def get_enum(reduction):
    """The number of a reduction's name; raises ValueError for a name that is not known."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return REDUCTIONS[reduction]


def legacy_get_enum(size_average, reduce, emit_warning=True):
    """`legacy_get_string` as a number."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
