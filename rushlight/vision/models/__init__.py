"""Image classifiers with torchvision's names of parameters and buffers, so that its files load.

One family a file. Builders take `weights=None` only: nothing is downloaded (`_weights.py` says how
to load a file). A new model is a builder registered in its family's file, and its family below.
"""

from ._registry import get_model, get_model_builder, list_models
from ._weights import Weights, WeightsEnum, by_enumeration, get_model_weights, get_weight
from .alexnet import *  # noqa: F403
from .convnext import *  # noqa: F403
from .densenet import *  # noqa: F403
from .efficientnet import *  # noqa: F403
from .googlenet import *  # noqa: F403
from .inception import *  # noqa: F403
from .lenet import *  # noqa: F403
from .mnasnet import *  # noqa: F403
from .mobilenetv2 import *  # noqa: F403
from .mobilenetv3 import *  # noqa: F403
from .regnet import *  # noqa: F403
from .resnet import *  # noqa: F403
from .shufflenetv2 import *  # noqa: F403
from .squeezenet import *  # noqa: F403
from .swin_transformer import *  # noqa: F403
from .vgg import *  # noqa: F403
from .vision_transformer import *  # noqa: F403

__all__ = [
    "Weights",
    "WeightsEnum",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "get_weight",
    "list_models",
]


def __getattr__(name):
    found = by_enumeration(name) if name.endswith("_Weights") else None
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
