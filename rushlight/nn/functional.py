"""The functional interface of neural networks, assembled from the op table.

Records say ``at="nn.functional"``; nothing is defined here.
"""

from rushlight.ops._record import namespaces

globals().update(namespaces["nn.functional"])
