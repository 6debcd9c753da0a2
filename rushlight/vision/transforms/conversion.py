"""Transforms that convert images and normalise tensors; nothing here is random."""

import rushlight as rl
from rushlight import nn

from . import functional as F

__all__ = [
    "ConvertImageDtype",
    "LinearTransformation",
    "Normalize",
    "PILToTensor",
    "ToPILImage",
    "ToTensor",
]


class ToTensor:
    """A Pillow image or array `(H, W, C)` as a tensor `(C, H, W)`; bytes scaled to [0, 1]."""

    def __call__(self, pic):
        return F.to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class PILToTensor:
    """A Pillow image as a tensor `(C, H, W)` of its own type, unscaled."""

    def __call__(self, pic):
        return F.pil_to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class ToPILImage:
    """A tensor `(C, H, W)` or array `(H, W, C)` as a Pillow image of `mode`, or what fits best."""

    def __init__(self, mode=None):
        self.mode = mode

    def __call__(self, pic):
        return F.to_pil_image(pic, self.mode)

    def __repr__(self):
        shown = "" if self.mode is None else f"mode={self.mode}"
        return f"{type(self).__name__}({shown})"


class ConvertImageDtype(nn.Module):
    """A tensor image in another dtype, scaled between the ranges of the two."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, image):
        return F.convert_image_dtype(image, self.dtype)


class Normalize(nn.Module):
    """`(image - mean) / std`, channel by channel, of floating tensors `(..., C, H, W)`.

    Example::

        >>> import rushlight as rl
        >>> from rushlight.vision import transforms
        >>> transforms.Normalize([0.5], [0.5])(rl.tensor([[[0.0, 1.0]]]))
        tensor([[[-1.,  1.]]])
    """

    def __init__(self, mean, std, inplace=False):
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor):
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self):
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


class LinearTransformation(nn.Module):
    """Flattens `(..., C, H, W)`, subtracts `mean_vector`, multiplies by `transformation_matrix`.

    With the eigenvectors of the data's covariance this whitens images.

    Raises ValueError if the matrix isn't square or sizes disagree.
    """

    def __init__(self, transformation_matrix, mean_vector):
        super().__init__()
        shape = tuple(transformation_matrix.shape)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"LinearTransformation: expected a square matrix, got {shape}")
        if mean_vector.shape[0] != shape[0]:
            raise ValueError(
                f"LinearTransformation: mean_vector has {mean_vector.shape[0]} elements "
                f"for a matrix of {shape}"
            )
        if transformation_matrix.dtype != mean_vector.dtype:
            raise ValueError(
                "LinearTransformation: matrix and mean have different dtypes, "
                f"{transformation_matrix.dtype} and {mean_vector.dtype}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor):
        shape, wanted = tensor.shape, self.transformation_matrix.shape[0]
        if rl.Size(shape[-3:]).numel() != wanted:
            raise ValueError(
                f"LinearTransformation: image {tuple(shape[-3:])} does not have {wanted} elements"
            )
        flat = tensor.reshape(-1, wanted) - self.mean_vector
        return (flat @ self.transformation_matrix).reshape(shape)

    def __repr__(self):
        return (
            f"{type(self).__name__}(transformation_matrix={self.transformation_matrix.tolist()}, "
            f"mean_vector={self.mean_vector.tolist()})"
        )
