"""PhotoTour: patches of photographs of three places, and pairs of patches that show one point."""

import os

import rushlight as rl

from .._pillow import pillow
from .utils import download_and_extract_archive, verify_str_arg
from .vision import VisionDataset

__all__ = ["PhotoTour"]

_SIDE = 64  # of a patch; sheets have 16 rows of 16


class PhotoTour(VisionDataset):
    """Grey patches of 64x64 pixels.

    Brown, Hua, Winder: Discriminative learning of local image descriptors (2011). A sample is a
    patch for training, a tensor `(64, 64)`; for testing it is two patches and whether they match.

    Args:
        root: folder that holds the folder `name` of the archive.
        name: "liberty", "notredame" or "yosemite"; or with "_harris", from another detector.
        train: patches, or pairs.
        transform: applied to each patch.
        download: fetches the archive if it is missing, which needs the network.

    Raises RuntimeError if files are missing, ValueError for another name.
    """

    url = "http://matthewalunbrown.com/patchdata/{}.zip"
    #: name -> mean, standard deviation and number of all patches, as published
    facts = {
        "liberty": (0.4437, 0.2019, 450092),
        "liberty_harris": (0.4437, 0.2019, 379587),
        "notredame": (0.4854, 0.1864, 468159),
        "notredame_harris": (0.4854, 0.1864, 325295),
        "yosemite": (0.4844, 0.1818, 633587),
        "yosemite_harris": (0.4844, 0.1818, 450912),
    }
    info_file, matches_files = "info.txt", "m50_100000_100000_0.txt"

    def __init__(self, root, name, train=True, transform=None, download=False):
        super().__init__(root, transform=transform)
        self.name = verify_str_arg(name, "name", tuple(self.facts))
        self.train, self.data_dir = train, os.path.join(self.root, name)
        self.mean, self.std, _ = self.facts[name]
        if download and not os.path.exists(self._path(self.info_file)):
            download_and_extract_archive(self.url.format(name), self.root, self.data_dir)
        if not os.path.exists(self._path(self.info_file)):
            raise RuntimeError(
                f"PhotoTour: dataset not found under {self.data_dir}; pass download=True to fetch "
                "it"
            )
        self.labels = rl.tensor([int(row[0]) for row in self._rows(self.info_file)])
        self.data = self._patches(len(self.labels))
        pairs = [
            (int(row[0]), int(row[3]), int(row[1] == row[4]))
            for row in self._rows(self.matches_files)
        ]
        self.matches = rl.tensor(pairs).reshape(-1, 3)

    def _path(self, name):
        return os.path.join(self.data_dir, name)

    def _rows(self, name):
        with open(self._path(name)) as lines:
            return [line.split() for line in lines if line.strip()]

    def _patches(self, count):
        """All patches of the sheets, row by row."""
        import numpy as np

        sheets = sorted(f for f in os.listdir(self.data_dir) if f.endswith(".bmp"))
        parts = []
        for sheet in sheets:
            pixels = np.array(pillow("Image").open(self._path(sheet)).convert("L"))
            rows, columns = pixels.shape[0] // _SIDE, pixels.shape[1] // _SIDE
            cut = pixels.reshape(rows, _SIDE, columns, _SIDE).transpose(0, 2, 1, 3)
            parts.append(cut.reshape(-1, _SIDE, _SIDE))
        found = np.concatenate(parts)[:count] if parts else np.empty((0, _SIDE, _SIDE), np.uint8)
        if len(found) < count:
            raise RuntimeError(f"PhotoTour: {count} patches are listed, {len(found)} were found")
        return rl.from_numpy(found)

    def __getitem__(self, index):
        if self.train:
            return self._patch(index)
        first, second, same = self.matches[index].tolist()
        return self._patch(first), self._patch(second), same

    def _patch(self, index):
        patch = self.data[index]
        return patch if self.transform is None else self.transform(patch)

    def __len__(self):
        return len(self.data if self.train else self.matches)

    def extra_repr(self):
        return f"Split: {'Train' if self.train else 'Test'}"
