"""Random images, for trying out programs without a dataset."""

import rushlight as rl

from .. import transforms
from .vision import VisionDataset

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """`size` random images with random labels; each is the same whenever it is read.

    Args:
        size: number of images.
        image_size: `(channels, height, width)`.
        num_classes: labels are below it.
        transform, target_transform: applied to image and label.
        random_offset: added to the index to seed the image.

    Example::

        >>> from rushlight.vision.datasets import FakeData
        >>> image, label = FakeData(size=2, image_size=(3, 8, 8))[1]
        >>> image.size
        (8, 8)
    """

    def __init__(
        self,
        size=1000,
        image_size=(3, 224, 224),
        num_classes=10,
        transform=None,
        target_transform=None,
        random_offset=0,
    ):
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = image_size
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(f"FakeData: index {index} is out of range for size {len(self)}")
        state = rl.get_rng_state()
        rl.manual_seed(index + self.random_offset)
        image = rl.randn(*self.image_size)
        label = rl.randint(0, self.num_classes, size=(1,), dtype=rl.long)[0]
        rl.set_rng_state(state)
        image, label = self._transformed(transforms.ToPILImage()(image), label)
        return image, int(label) if isinstance(label, rl.Tensor) else label

    def __len__(self):
        return self.size
