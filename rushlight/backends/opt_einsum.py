"""The package opt_einsum, which `einsum` does not use: it contracts from left to right."""

enabled, strategy = False, None


def is_available():
    """False."""
    return False


def get_opt_einsum():
    """None."""
    return None
