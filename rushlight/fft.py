"""The operators of the `fft` namespace, assembled from the op table.

Records say ``at="fft"``; nothing is defined here.
"""

from rushlight._native import Tensor  # noqa: F401 - packages import it from here
from rushlight.ops._record import namespaces

globals().update(namespaces["fft"])
__all__ = sorted(namespaces["fft"])
