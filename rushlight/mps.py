"""Apple's GPUs, which are not supported: questions are answered, the rest raises."""

from rushlight._notes import unsupported

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]


def is_available():
    """False."""
    return False


def device_count():
    """0."""
    return 0


def manual_seed(seed):
    """Seeds no generator, as there is no GPU; ``seed`` must still be an integer."""
    int(seed)


def empty_cache():
    """Raises NotImplementedError: there is no such GPU."""
    raise unsupported("torch.mps.empty_cache", "ask torch.backends.mps.is_available() first")


def synchronize():
    """Raises NotImplementedError: there is no such GPU."""
    raise unsupported("torch.mps.synchronize", "ask torch.backends.mps.is_available() first")
