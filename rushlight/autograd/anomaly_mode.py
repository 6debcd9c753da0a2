"""Anomaly mode: `detect_anomaly` and `set_detect_anomaly`.

Errors in backward name the forward line without it; the mode adds the check for nan gradients and
the whole forward traceback. Both are the engine's work; here are only the switches.
"""

from rushlight import _native

__all__ = [
    "detect_anomaly",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "set_anomaly_enabled",
    "set_detect_anomaly",
]

_state = [False, True]  # what the engine was last told: mode, check_nan


def set_anomaly_enabled(mode, check_nan=True):
    """Switch anomaly detection on or off; ``check_nan`` as for `detect_anomaly`."""
    _native.set_anomaly(mode, check_nan)
    _state[:] = mode, check_nan


def is_anomaly_enabled():
    """Whether anomaly detection is on."""
    return _state[0]


def is_anomaly_check_nan_enabled():
    """Whether anomaly detection, when on, looks for nan gradients."""
    return _state[1]


class set_detect_anomaly:
    """Switch anomaly detection on or off, for good or for a ``with`` block.

    Args:
        mode (bool): on or off.
        check_nan (bool): whether a nan in a computed gradient is an error.

    Example::

        >>> with rl.autograd.set_detect_anomaly(True):
        ...     rl.is_anomaly_enabled()
        True
    """

    def __init__(self, mode, check_nan=True):
        self.prev, self.prev_check_nan = _state
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self):
        pass

    def __exit__(self, *exc_info):
        set_anomaly_enabled(self.prev, self.prev_check_nan)


class detect_anomaly:
    """Inside the block, backward reports the forward operation behind an error or a nan gradient.

    Args:
        check_nan (bool): whether a nan in a computed gradient is an error.

    Example::

        >>> with rl.autograd.detect_anomaly():
        ...     x = rl.tensor([0.], requires_grad=True)
        ...     (x.sqrt() * 0).sum().backward()
        Traceback (most recent call last):
        RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan=True):
        from warnings import warn

        self.check_nan = check_nan
        warn(
            "Anomaly Detection has been enabled. It slows every backward pass; keep it for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self.prev, self.prev_check_nan = _state
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *exc_info):
        set_anomaly_enabled(self.prev, self.prev_check_nan)
