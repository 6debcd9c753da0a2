"""NVIDIA's library of structured sparsity, which is not there."""


def is_available():
    """False."""
    return False


def version():
    """None."""
    return None
