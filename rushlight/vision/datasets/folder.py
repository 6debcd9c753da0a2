"""Datasets that are folders: one folder a class, any files in it.

`DatasetFolder` is for any kind of file, `ImageFolder` for images. Another kind of sample is another
`loader`.
"""

import os

from .._pillow import pillow
from .vision import VisionDataset

__all__ = ["DatasetFolder", "ImageFolder"]

IMG_EXTENSIONS = (
    ".jpg",
    ".jpeg",
    ".png",
    ".ppm",
    ".bmp",
    ".pgm",
    ".tif",
    ".tiff",
    ".webp",
)


def has_file_allowed_extension(filename, extensions):
    """Whether the name ends in one of `extensions`, a string or a tuple, in any case."""
    lower = extensions if isinstance(extensions, str) else tuple(extensions)
    return filename.lower().endswith(lower)


def is_image_file(filename):
    """Whether the name ends like an image's."""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory):
    """`(names, name to index)` of the folders in `directory`; FileNotFoundError without one."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"expected one folder a class in {directory}, found no folder")
    return classes, {name: index for index, name in enumerate(classes)}


def make_dataset(
    directory, class_to_idx=None, extensions=None, is_valid_file=None, allow_empty=False
):
    """List of `(path, class index)` of the valid files below the folders of the classes, sorted.

    Raises ValueError unless exactly one of `extensions` and `is_valid_file` is given, and
    FileNotFoundError for classes without files unless `allow_empty`.
    """
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            "make_dataset: expected exactly one of extensions and is_valid_file, "
            f"got {'neither' if extensions is None else 'both'}"
        )
    if class_to_idx is None:
        class_to_idx = find_classes(directory)[1]
    elif not class_to_idx:
        raise ValueError("make_dataset: class_to_idx must have at least one entry")
    if is_valid_file is None:
        is_valid_file = lambda path: has_file_allowed_extension(path, extensions)
    samples, empty = [], []
    for name in sorted(class_to_idx):
        found = [p for p in _files_below(os.path.join(directory, name)) if is_valid_file(p)]
        samples += [(path, class_to_idx[name]) for path in found]
        if not found:
            empty.append(name)
    if empty and not allow_empty:
        kinds = "" if extensions is None else f"; extensions are {extensions}"
        raise FileNotFoundError(f"no valid file for the classes {', '.join(empty)}{kinds}")
    return samples


def _files_below(folder):
    """Paths of all files below, links followed, folder by folder in order."""
    for root, _, names in sorted(os.walk(os.path.expanduser(folder), followlinks=True)):
        for name in sorted(names):
            yield os.path.join(root, name)


class DatasetFolder(VisionDataset):
    """Samples `(loader(path), class index)` of the files `root/<class>/.../<file>`.

    Args:
        root: the folder of the classes.
        loader: reads a path.
        extensions: endings of valid files; or
        is_valid_file: says of a path whether it is valid.
        transform, target_transform: applied to sample and class index.
        allow_empty: whether a class may have no file.

    Raises FileNotFoundError if there are no classes, or a class has no file and that isn't allowed.
    """

    def __init__(
        self,
        root,
        loader,
        extensions=None,
        transform=None,
        target_transform=None,
        is_valid_file=None,
        allow_empty=False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(
            self.root, self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.targets = [target for _, target in self.samples]
        self.loader = loader
        self.extensions = extensions

    @staticmethod
    def make_dataset(
        directory, class_to_idx, extensions=None, is_valid_file=None, allow_empty=False
    ):
        """The list of samples; override it to choose among the files."""
        if class_to_idx is None:
            raise ValueError("make_dataset: class_to_idx cannot be None")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory):
        """Names and indices of the classes; override it for another layout."""
        return find_classes(directory)

    def __getitem__(self, index):
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)

    def __len__(self):
        return len(self.samples)


def pil_loader(path):
    """The image at `path` in mode "RGB"."""
    with open(path, "rb") as file:
        return pillow("Image").open(file).convert("RGB")


def default_loader(path):
    """What `ImageFolder` reads images with."""
    return pil_loader(path)


class ImageFolder(DatasetFolder):
    """`DatasetFolder` of images: samples are Pillow images of mode "RGB" before `transform`."""

    def __init__(
        self,
        root,
        transform=None,
        target_transform=None,
        loader=default_loader,
        is_valid_file=None,
        allow_empty=False,
    ):
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
