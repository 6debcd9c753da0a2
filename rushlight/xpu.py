"""Intel's GPUs, which are not supported: questions are answered."""

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all"]


def is_available():
    """False."""
    return False


def device_count():
    """0."""
    return 0


def empty_cache():
    """Frees the cached memory of the GPUs: there is none."""


def manual_seed(seed):
    """Seeds no generator, as there is no GPU; ``seed`` must still be an integer."""
    int(seed)


manual_seed_all = manual_seed


def is_bf16_supported(including_emulation=True):
    """False."""
    return False
