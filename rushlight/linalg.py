"""The operators of the `linalg` namespace, assembled from the op table.

Records say ``at="linalg"``; nothing is defined here.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["linalg"])
