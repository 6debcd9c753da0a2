"""The window functions of the `signal.windows` namespace, assembled from the op table.

Records say ``at="signal.windows"``; nothing is defined here.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["signal.windows"])
__all__ = sorted(namespaces["signal.windows"])
