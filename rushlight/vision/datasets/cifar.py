"""CIFAR-10 and CIFAR-100: pickled batches of 32x32 colour images.

A new dataset in this format is a class with its own lists of files and checksums.
"""

import os
import pickle

from .._pillow import pillow
from .utils import check_integrity, download_and_extract_archive
from .vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100"]


class CIFAR10(VisionDataset):
    """60,000 colour images of ten classes, 50,000 of them for training.

    Krizhevsky: Learning multiple layers of features from tiny images (2009). `data` is a uint8
    array of shape `(N, 32, 32, 3)`, `targets` a list of ints; samples are `(image, label)`, a
    Pillow image of mode "RGB" before `transform`.

    Args:
        root: folder that holds `cifar-10-batches-py`.
        train: training or test part.
        transform, target_transform: applied to image and label.
        download: fetches the archive if it is missing, which needs the network.

    Raises RuntimeError if files are missing or have another checksum than the published ones: the
    batches are pickles, so nothing else is opened.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                f"{type(self).__name__}: dataset not found or damaged under "
                f"{os.path.join(self.root, self.base_folder)}; pass download=True to fetch it"
            )
        self.data, self.targets = self._load_batches()
        self.classes = self._load_pickle(self.meta["filename"])[self.meta["key"]]
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

    def _path(self, name):
        return os.path.join(self.root, self.base_folder, name)

    def _load_pickle(self, name):
        with open(self._path(name), "rb") as file:
            return pickle.load(file, encoding="latin1")

    def _load_batches(self):
        import numpy as np

        batches = [
            self._load_pickle(name)
            for name, _ in (self.train_list if self.train else self.test_list)
        ]
        # CIFAR-100 calls its labels after the two levels of its classes.
        targets = [
            label for b in batches for label in (b["labels"] if "labels" in b else b["fine_labels"])
        ]
        rows = np.vstack([batch["data"] for batch in batches])
        return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), targets

    def __getitem__(self, index):
        image = pillow("Image").fromarray(self.data[index])
        return self._transformed(image, self.targets[index])

    def __len__(self):
        return len(self.data)

    def _check_integrity(self):
        files = [*self.train_list, *self.test_list, [self.meta["filename"], self.meta["md5"]]]
        return all(check_integrity(self._path(name), md5) for name, md5 in files)

    def download(self):
        """Fetches and unpacks the archive unless the files are there; RuntimeError if it fails."""
        if not self._check_integrity():
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )

    def extra_repr(self):
        return f"Split: {'Train' if self.train is True else 'Test'}"


class CIFAR100(CIFAR10):
    """Like `CIFAR10`, with a hundred classes of 600 images."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
