"""`TransformGetItemToIndex`: around code that `vmap` runs and that indexes with mapped integers."""

from contextlib import contextmanager


@contextmanager
def TransformGetItemToIndex():
    """``x[i]`` with a tensor of one integer reads an element without asking for its value.

    Indexing here does so always.
    """
    yield
