"""Semeion: 1593 handwritten digits of 16x16 black and white pixels, in one file of text."""

import os

from .._pillow import pillow
from .utils import check_integrity, download_url
from .vision import VisionDataset

__all__ = ["SEMEION"]


class SEMEION(VisionDataset):
    """Digits by about 80 people, from the UCI machine learning repository.

    `data` is a uint8 array of shape `(1593, 16, 16)` with values 0 and 255.

    Args:
        root: folder that holds `semeion.data`.
        transform, target_transform: applied to image and label.
        download: fetches the file if it is missing, which needs the network.

    Raises RuntimeError if the file is missing or damaged.
    """

    url = "http://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data"
    filename = "semeion.data"
    md5_checksum = "cb545d371d2ce14ec121470795a77432"

    def __init__(self, root, transform=None, target_transform=None, download=True):
        super().__init__(root, transform=transform, target_transform=target_transform)
        path = os.path.join(self.root, self.filename)
        if download and not check_integrity(path, self.md5_checksum):
            download_url(self.url, self.root, self.filename, self.md5_checksum)
        if not check_integrity(path, self.md5_checksum):
            raise RuntimeError(
                f"SEMEION: dataset not found or damaged at {path}; pass download=True to fetch it"
            )
        import numpy as np

        rows = np.loadtxt(path)  # 256 pixels, then a 1 among ten numbers
        self.data = (255 * rows[:, :256]).astype(np.uint8).reshape(-1, 16, 16)
        self.labels = rows[:, 256:].argmax(1)

    def __getitem__(self, index):
        image = pillow("Image").fromarray(self.data[index])
        return self._transformed(image, int(self.labels[index]))

    def __len__(self):
        return len(self.data)
