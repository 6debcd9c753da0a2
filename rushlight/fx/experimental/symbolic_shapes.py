"""Sizes that are unknown while compiling: there are none, so every question has a plain answer."""


def is_symbolic(val):
    """False."""
    return False


def guard_or_false(a):
    """The truth of a condition."""
    return bool(a)


guard_or_true = guard_size_oblivious = definitely_true = guard_or_false


def statically_known_true(x):
    """The truth of a condition."""
    return bool(x)


def has_free_symbols(val):
    """False."""
    return False
