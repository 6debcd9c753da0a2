"""The preprocessing that published weights expect; `models._weights` makes these."""

from rushlight import nn

from .._pillow import is_pil
from . import functional as F
from .functional import InterpolationMode

__all__ = ["ImageClassification"]


class ImageClassification(nn.Module):
    """Resize, crop the middle, convert to float, normalise; of images or of batches of tensors."""

    def __init__(
        self,
        *,
        crop_size,
        resize_size=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        interpolation=InterpolationMode.BILINEAR,
        antialias=True,
    ):
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img):
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        img = F.pil_to_tensor(img) if is_pil(img) else img
        return F.normalize(F.convert_image_dtype(img), self.mean, self.std)

    def __repr__(self):
        shown = "".join(
            f"\n    {name}={getattr(self, name)}"
            for name in ("crop_size", "resize_size", "mean", "std", "interpolation")
        )
        return f"{type(self).__name__}({shown}\n)"
