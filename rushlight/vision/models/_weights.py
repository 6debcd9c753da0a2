"""Names of published weights, and the refusal to download them.

An enumeration such as `ResNet18_Weights` is made on first use from the table in `_published.py`.
Its members know file name, number of parameters and preprocessing, and can't fetch the file.
"""

import enum
import functools

from ._published import PUBLISHED

__all__ = ["Weights", "WeightsEnum", "get_model_weights", "get_weight"]

_HOST = "https://download.pytorch.org/models/"


class Weights:
    """What is known of a file of weights: `url`, `transforms` (makes the preprocessing), `meta`."""

    def __init__(self, url, transforms, meta):
        self.url = url
        self.transforms = transforms
        self.meta = meta


class WeightsEnum(enum.Enum):
    """Base of the enumerations of a model's weights."""

    @property
    def url(self):
        """Where the file is published."""
        return self.value.url

    @property
    def meta(self):
        """`{"num_params": ...}`."""
        return self.value.meta

    @property
    def transforms(self):
        """Makes the preprocessing that the weights expect."""
        return self.value.transforms

    def get_state_dict(self, *args, **kwargs):
        """RuntimeError: nothing is downloaded."""
        raise RuntimeError(_how_to(str(self)))

    def __repr__(self):
        return f"{type(self).__name__}.{self.name}"


def _how_to(what):
    return (
        f"weights {what} can't be downloaded by rushlight. Fetch the published file by other means "
        "and load it: model = get_model(name); model.load_state_dict(rushlight.load('file.pth'))"
    )


def refuse(model, weights, options):
    """RuntimeError if a builder is asked for weights, in today's or the older spelling."""
    if options.pop("pretrained", False):
        weights = "pretrained=True"
    if weights is not None:
        raise RuntimeError(f"{model}: {_how_to(repr(weights))}")


def _preprocessing(facts):
    from ..transforms._presets import ImageClassification
    from ..transforms import InterpolationMode

    mean, std = facts["norm"]
    return ImageClassification(
        crop_size=facts["crop"],
        resize_size=facts["resize"],
        mean=mean,
        std=std,
        interpolation=InterpolationMode(facts["interpolation"]),
    )


@functools.cache
def get_model_weights(name):
    """The enumeration of the weights of a model, given by name or builder."""
    key = getattr(name, "__name__", name).lower()
    if key not in PUBLISHED:
        raise ValueError(f"Unknown model {name}; no weights are known for it")
    enumeration, members, default = PUBLISHED[key]
    values = {
        member: Weights(
            _HOST + facts["file"],
            functools.partial(_preprocessing, facts),
            {"num_params": facts["num_params"]},
        )
        for member, facts in members.items()
    }
    return WeightsEnum(enumeration, {**values, "DEFAULT": values[default]}, module=__name__)


def get_weight(name):
    """The member that `"ResNet18_Weights.IMAGENET1K_V1"` names; ValueError if there is none."""
    enumeration, _, member = name.partition(".")
    found = by_enumeration(enumeration)
    if found is None or member not in found.__members__:
        raise ValueError(f"get_weight: no weights are known as {name!r}")
    return found[member]


def by_enumeration(name):
    """The enumeration of this name, or None."""
    for model, (enumeration, _, _) in PUBLISHED.items():
        if enumeration == name:
            return get_model_weights(model)
    return None
