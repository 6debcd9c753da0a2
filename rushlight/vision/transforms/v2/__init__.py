"""The names of `transforms` under `transforms.v2`, for images and tensors.

Not here: boxes, masks and videos as types of their own (`tv_tensors`), and the transforms that need
them; asking for one says so.
"""

from .. import *  # noqa: F403
from .. import __all__ as _classes
from .. import functional

__all__ = [*_classes, "functional"]


def __getattr__(name):
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}; it offers the transforms of images in "
        "rushlight.vision.transforms, without tv_tensors (boxes, masks, videos)"
    )
