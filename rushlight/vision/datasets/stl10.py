"""STL-10: 96x96 colour images in plain binary files, mostly without labels."""

import os

from .utils import check_integrity, download_and_extract_archive, verify_str_arg
from .vision import SplitOfPlanes

__all__ = ["STL10"]


class STL10(SplitOfPlanes):
    """5,000 training and 8,000 test images of ten classes, and 100,000 without labels.

    Coates, Ng, Lee: An analysis of single-layer networks in unsupervised feature learning (2011).
    `data` is a uint8 array of shape `(N, 3, 96, 96)`, `labels` an int64 array, -1 where there is no
    label.

    Args:
        root: folder that holds `stl10_binary`.
        split: "train", "test", "unlabeled" or "train+unlabeled".
        folds: 0 to 9: one of the published tenths of the training images; None: all of them.
        transform, target_transform: applied to image and label.
        download: fetches the archive if it is missing, which needs the network.

    Raises RuntimeError if files are missing or damaged, ValueError for another split or fold.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    splits = ("train", "train+unlabeled", "unlabeled", "test")
    #: file of the archive -> its published checksum
    files = {
        "train_X.bin": "918c2871b30a85fa023e0c44e0bee87f",
        "train_y.bin": "5a34089d4802c674881badbb80307741",
        "unlabeled_X.bin": "5242ba1fed5e4be9e1e742405eb56ca4",
        "test_X.bin": "7f263ba9f9e0b06b93213547f721ac82",
        "test_y.bin": "36f9794fa4beb8a2c72628de14fa638e",
    }

    def __init__(
        self,
        root,
        split="train",
        folds=None,
        transform=None,
        target_transform=None,
        download=False,
    ):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        if folds is not None and folds not in range(10):
            raise ValueError(f"STL10: folds is None or a number from 0 to 9, got {folds!r}")
        self.folds = folds
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                f"STL10: dataset not found or damaged under {self._path('')}; "
                "pass download=True to fetch it"
            )
        self.data, self.labels = self._load()
        with open(self._path("class_names.txt")) as names:
            self.classes = names.read().split()

    def _path(self, name):
        return os.path.join(self.root, self.base_folder, name)

    def _load(self):
        import numpy as np

        parts = [self._part(name) for name in self.split.split("+")]
        if self.folds is not None and self.split.startswith("train"):
            with open(self._path("fold_indices.txt")) as lines:
                chosen = np.array(lines.read().splitlines()[self.folds].split(), dtype=np.int64)
            parts[0] = tuple(array[chosen] for array in parts[0])
        images, labels = zip(*parts, strict=True)
        return np.concatenate(images), np.concatenate(labels)

    def _part(self, name):
        """Images and labels of one part. The files hold columns first, classes from 1."""
        import numpy as np

        images = np.fromfile(self._path(f"{name}_X.bin"), dtype=np.uint8)
        images = images.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)
        if name == "unlabeled":
            return images, np.full(len(images), -1)
        return images, np.fromfile(self._path(f"{name}_y.bin"), dtype=np.uint8).astype(np.int64) - 1

    def _check_integrity(self):
        return all(check_integrity(self._path(name), md5) for name, md5 in self.files.items())

    def download(self):
        """Fetches and unpacks the archive unless its files are there; RuntimeError if it fails."""
        if not self._check_integrity():
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )
