"""The functional interface of neural networks, assembled from the op table.

Records say ``at="nn.functional"``; what is no operator comes from `_scaled.py`.
"""

import sys

from rushlight import _native
from rushlight.ops._record import namespaces

sys.modules[__name__].__class__ = _native.module
globals().update(namespaces["nn.functional"])

_SCALED = ("ScalingType", "SwizzleType", "assert_int_or_pair", "scaled_grouped_mm", "scaled_mm")


def __getattr__(name):
    if name == "grad":
        from rushlight.nn import grad

        return grad
    if name not in _SCALED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rushlight.nn import _scaled

    return getattr(_scaled, name)


def __dir__():
    return sorted({*globals(), *_SCALED, "grad"})
