"""The base class of the datasets, and how the transforms of samples and targets go together.

Formats are elsewhere: one file a family. A new dataset derives from `VisionDataset` and defines
`__getitem__` and `__len__`.
"""

import os

from rushlight.utils.data import Dataset

from .._pillow import pillow

__all__ = ["StandardTransform", "VisionDataset"]


class VisionDataset(Dataset):
    """A map-style dataset of images that lives under a folder.

    Args:
        root: the folder; `~` is expanded.
        transforms: takes sample and target and returns both.
        transform: takes the sample.
        target_transform: takes the target.

    Raises ValueError if `transforms` is given together with one of the other two.

    Example::

        >>> from rushlight.vision.datasets import VisionDataset
        >>> class Ones(VisionDataset):
        ...     def __len__(self): return 1
        ...     def __getitem__(self, i): return self.transforms(1, 0)
        >>> Ones(".", transform=lambda x: x + 1, target_transform=str)[0]
        (2, '0')
    """

    _repr_indent = 4

    def __init__(self, root=None, transforms=None, transform=None, target_transform=None):
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        single = transform is not None or target_transform is not None
        if transforms is not None and single:
            raise ValueError(
                f"{type(self).__name__}: expected either transforms or transform/target_transform, "
                "got both; pass only one of the two"
            )
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if single else transforms

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def _transformed(self, sample, target):
        """The pair after `transform` and `target_transform`."""
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return sample, target

    def __repr__(self):
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body.append(repr(self.transforms))
        lines = [" " * self._repr_indent + line for line in body]
        return "\n".join([f"Dataset {type(self).__name__}", *lines])

    def extra_repr(self):
        """Further lines of the repr; for derived classes."""
        return ""


class SplitOfPlanes(VisionDataset):
    """The base of those that hold one `split` as arrays: `data` `(N, 3, H, W)`, `labels` `(N,)`."""

    def __getitem__(self, index):
        image = pillow("Image").fromarray(self.data[index].transpose(1, 2, 0))
        return self._transformed(image, int(self.labels[index]))

    def __len__(self):
        return len(self.data)

    def extra_repr(self):
        return f"Split: {self.split}"


class StandardTransform:
    """`transform` for the sample and `target_transform` for the target, as one callable."""

    def __init__(self, transform=None, target_transform=None):
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input, target):
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self):
        body = [type(self).__name__]
        named = (("Transform: ", self.transform), ("Target transform: ", self.target_transform))
        for head, transform in named:
            if transform is not None:
                lines = repr(transform).splitlines()
                body.append(head + lines[0])
                body += [" " * len(head) + line for line in lines[1:]]
        return "\n".join(body)
