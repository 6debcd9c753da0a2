"""The operators of the `special` namespace, assembled from the op table.

Records say ``at="special"``; nothing is defined here.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["special"])
__all__ = sorted(namespaces["special"])
