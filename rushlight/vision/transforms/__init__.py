"""Transforms of images: classes for pipelines, on Pillow images and on tensors.

Random ones draw from rushlight's generator, one family a file. `functional` holds the operations
themselves; a new transform is a class in the file of its family, and its name there in `__all__`.
"""

from . import functional
from .autoaugment import *  # noqa: F403
from .autoaugment import __all__ as _augment
from .color import *  # noqa: F403
from .color import __all__ as _color
from .containers import *  # noqa: F403
from .containers import __all__ as _containers
from .conversion import *  # noqa: F403
from .conversion import __all__ as _conversion_names
from .functional import InterpolationMode
from .geometry import *  # noqa: F403
from .geometry import __all__ as _geometry
from .random_geometry import *  # noqa: F403
from .random_geometry import __all__ as _random_geometry

__all__ = [
    "InterpolationMode",
    "functional",
    *_augment,
    *_color,
    *_containers,
    *_conversion_names,
    *_geometry,
    *_random_geometry,
]


_REMOVED = {"Scale": "Resize", "RandomSizedCrop": "RandomResizedCrop"}


def __getattr__(name):
    if name in _REMOVED:
        raise AttributeError(f"{name} has been removed from torchvision: use {_REMOVED[name]}")
    if name != "v2":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"{__name__}.v2")
