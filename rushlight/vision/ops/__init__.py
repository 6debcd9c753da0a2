"""Operators and layers of vision: boxes, regions, losses, what models are built from.

A new one is a function or class in the file of its kind here. Not here: deformable convolution.
"""

from .boxes import *  # noqa: F403
from .boxes import __all__ as _boxes
from .drop import *  # noqa: F403
from .drop import __all__ as _drop
from .losses import *  # noqa: F403
from .losses import __all__ as _losses
from .misc import *  # noqa: F403
from .misc import __all__ as _misc
from .pyramid import *  # noqa: F403
from .pyramid import __all__ as _pyramid
from .roi import *  # noqa: F403
from .roi import __all__ as _roi

__all__ = [*_boxes, *_drop, *_losses, *_misc, *_pyramid, *_roi]
