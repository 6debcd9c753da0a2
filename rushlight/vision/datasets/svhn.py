"""Street View House Numbers: 32x32 colour images in MATLAB files, which SciPy reads.

Only the cropped digits; the full pictures have another format.
"""

import os

from .utils import check_integrity, download_url, verify_str_arg
from .vision import SplitOfPlanes

__all__ = ["SVHN"]

_HOST = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(SplitOfPlanes):
    """Digits cropped from house numbers; label 10 of the files becomes 0 (Netzer et al. 2011).

    `data` is a uint8 array of shape `(N, 3, 32, 32)`, `labels` an int64 array.

    Args:
        root: folder that holds `train_32x32.mat` and so on.
        split: "train", "test" or "extra".
        transform, target_transform: applied to image and label.
        download: fetches the file if it is missing, which needs the network.

    Raises RuntimeError if the file is missing or damaged, ImportError without SciPy.
    """

    split_list = {
        "train": [
            _HOST + "train_32x32.mat",
            "train_32x32.mat",
            "e26dedcc434d2e4c54c9b2d4a06d8373",
        ],
        "test": [_HOST + "test_32x32.mat", "test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"],
        "extra": [
            _HOST + "extra_32x32.mat",
            "extra_32x32.mat",
            "a93ce644f1a588dc4d68dda5feec44a7",
        ],
    }

    def __init__(self, root, split="train", transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", tuple(self.split_list))
        self.url, self.filename, self.file_md5 = self.split_list[self.split]
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                f"SVHN: dataset not found or damaged at {os.path.join(self.root, self.filename)}; "
                "pass download=True to fetch it"
            )
        self.data, self.labels = self._load()

    def _load(self):
        try:
            from scipy.io import loadmat
        except ImportError as error:
            raise ImportError("SVHN: MATLAB files need SciPy; `pip install scipy`") from error
        import numpy as np

        content = loadmat(os.path.join(self.root, self.filename))
        labels = content["y"].astype(np.int64).squeeze(1) % 10
        return np.transpose(content["X"], (3, 2, 0, 1)), labels

    def _check_integrity(self):
        return check_integrity(os.path.join(self.root, self.filename), self.file_md5)

    def download(self):
        """Fetches the file of this split; RuntimeError if it fails."""
        download_url(self.url, self.root, self.filename, self.file_md5)
