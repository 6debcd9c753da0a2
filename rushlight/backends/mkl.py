"""Intel's MKL, which is not used: products are OpenBLAS's and oneDNN's."""


def is_available():
    """False."""
    return False
