"""Questions about tensors without data."""


def is_fake(x):
    """Is it a `FakeTensor`? False."""
    return False


class FakeTensor:
    """A tensor without data on a device that it would be on; none is ever made."""

    def __init__(self, *args, **kwargs):
        raise NotImplementedError("FakeTensor is not supported: use tensors on the meta device")
