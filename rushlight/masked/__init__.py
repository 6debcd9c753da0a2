"""The operators of the `masked` namespace, assembled from the op table.

Records say ``at="masked"``; nothing is defined here.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["masked"])
