"""oneDNN, by its earlier name: matrix products, convolutions, pooling, recurrent cells."""

import sys

from ._flags import switched

enabled, deterministic, allow_tf32, fp32_precision = True, False, True, "none"
VERBOSE_OFF, VERBOSE_ON, VERBOSE_ON_CREATION = 0, 1, 2


def is_available():
    """Is oneDNN found?

    Example::

        >>> rl.backends.mkldnn.is_available()
        True
    """
    from rushlight import _libraries

    try:
        return bool(_libraries.find("onednn"))
    except ImportError:
        return False


flags = switched(sys.modules[__name__])
