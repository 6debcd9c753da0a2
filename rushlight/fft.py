"""The operators of the `fft` namespace, assembled from the op table.

Records say ``at="fft"``; nothing is defined here.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["fft"])
