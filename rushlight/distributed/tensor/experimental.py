"""Names on trial in PyTorch: `implicit_replication`."""

from contextlib import contextmanager


@contextmanager
def implicit_replication():
    """Plain tensors among spread ones count as whole everywhere. There are no spread ones."""
    yield
