"""`compatibility`: the decorator with which tracers say what they promise about a function."""


def compatibility(is_backward_compatible):
    """A decorator that leaves functions as they are: rushlight promises nothing by it.

    Args:
        is_backward_compatible: whether callers may rely on the function as it is.
    """
    if not isinstance(is_backward_compatible, bool):
        raise TypeError(
            "compatibility: expected is_backward_compatible to be a bool, "
            f"got {type(is_backward_compatible).__name__}; call it: @compatibility(...)"
        )
    return lambda function: function
