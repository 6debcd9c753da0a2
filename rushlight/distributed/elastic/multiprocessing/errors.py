"""`record`: a decorator for the main function of a program that `torchrun` starts."""


def record(fn=None, error_handler=None):
    """The function itself: its exceptions reach the terminal in any case."""
    return fn if fn is not None else record
