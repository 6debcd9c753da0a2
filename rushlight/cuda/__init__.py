"""The CUDA interface of a build without CUDA: what programs ask before they use a GPU.

Questions are answered, and what a program does in passing (seeding, emptying a cache) is as
harmless as with no GPU in the machine. Anything that needs a GPU raises, as in a CPU build of
PyTorch.
"""

from rushlight.cuda import amp

__all__ = [
    "amp",
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "get_device_properties",
    "init",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "set_device",
    "synchronize",
]


def is_available():
    """False: there is no CUDA backend.

    Example::

        >>> rl.cuda.is_available()
        False
    """
    return False


def is_initialized():
    """False, as there is nothing to initialise."""
    return False


def is_bf16_supported(including_emulation=True):
    """False: no GPU supports anything here, emulated or not."""
    return False


def device_count():
    """0, the number of GPUs that can be used."""
    return 0


def manual_seed(seed):
    """Seeds no generator, as there is no GPU; ``seed`` must still be an integer."""
    int(seed)


def manual_seed_all(seed):
    """Seeds the generators of all zero GPUs; ``seed`` must still be an integer."""
    int(seed)


def empty_cache():
    """Frees the cached memory of the GPUs: there is none."""


def init():
    """Raises AssertionError: there is no CUDA backend."""
    _unavailable("init")


def current_device():
    """Raises AssertionError: there is no CUDA backend."""
    _unavailable("current_device")


def set_device(device):
    """Raises AssertionError: there is no CUDA backend."""
    _unavailable("set_device")


def get_device_name(device=None):
    """Raises AssertionError: there is no CUDA backend."""
    _unavailable("get_device_name")


def get_device_properties(device=None):
    """Raises AssertionError: there is no CUDA backend."""
    _unavailable("get_device_properties")


def synchronize(device=None):
    """Raises AssertionError: there is no CUDA backend."""
    _unavailable("synchronize")


def _unavailable(name):
    raise AssertionError(
        f"cuda.{name}(): rushlight is not compiled with CUDA enabled; ask "
        "cuda.is_available() first, and use the device 'cpu'"
    )
