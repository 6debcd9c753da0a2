"""The default random number generator under the names of `torch.random`, and `fork_rng`.

The functions themselves are in _runtime.py; per-tensor draws are ops (ops/random.py).
"""

import contextlib

from rushlight._native import default_generator
from rushlight._runtime import (
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    thread_safe_generator,
)

__all__ = [
    "set_rng_state",
    "get_rng_state",
    "manual_seed",
    "seed",
    "initial_seed",
    "fork_rng",
    "thread_safe_generator",
    "default_generator",
]


@contextlib.contextmanager
def fork_rng(devices=None, enabled=True, device_type=None):
    """Within the block, draws leave the state of the default generator as it was before.

    Args:
        devices: accelerators whose states are kept too; there are none, so None or empty.
        enabled: with False the block does nothing.
        device_type: ``"cpu"`` or None.

    Raises:
        RuntimeError: if a device is named.

    Example::

        >>> _ = rl.manual_seed(0)
        >>> with rl.random.fork_rng():
        ...     _ = rl.rand(10)
        >>> rl.rand(1)
        tensor([0.4963])
    """
    if devices or device_type not in (None, "cpu"):
        raise RuntimeError(
            f"fork_rng: there is no accelerator here, got devices={devices!r}, "
            f"device_type={device_type!r}"
        )
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
