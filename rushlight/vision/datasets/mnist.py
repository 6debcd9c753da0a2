"""MNIST and the datasets in its format: IDX files of labels and 28x28 grey images.

The format is described at the end of LeCun's MNIST page: a big-endian magic number (dtype code and
number of dimensions), the sizes, the data. A new one is a class with `mirrors`, `resources`,
`classes`.
"""

import gzip
import os
import shutil
import sys
import zipfile

import rushlight as rl

from .._pillow import pillow
from .utils import download_and_extract_archive, download_url, extract_archive, verify_str_arg
from .vision import VisionDataset

__all__ = ["EMNIST", "KMNIST", "MNIST", "QMNIST", "FashionMNIST", "read_image_file"]

# IDX dtype codes: name of the dtype and bytes an element; elements are stored big-endian.
_IDX_DTYPES = {
    8: ("uint8", 1),
    9: ("int8", 1),
    11: ("int16", 2),
    12: ("int32", 4),
    13: ("float32", 4),
    14: ("float64", 8),
}


def read_sn3_pascalvincent_tensor(path, strict=True):
    """The tensor in an IDX file ("SN3" of Pascal Vincent); the file may be gzipped.

    Raises RuntimeError if the header is not one of IDX or, when `strict`, if the length is off.
    """
    opener = gzip.open if os.fspath(path).endswith(".gz") else open
    with opener(path, "rb") as file:
        data = bytearray(file.read())
    code, dims = (data[2], data[3]) if len(data) >= 4 else (0, 0)
    if data[:2] != b"\0\0" or code not in _IDX_DTYPES or not 1 <= dims <= 8:
        raise RuntimeError(f"{path}: expected an IDX file, got a header of {bytes(data[:4])!r}")
    name, width = _IDX_DTYPES[code]
    begin = 4 + 4 * dims
    sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    body = data[begin:]
    expected = width * _product(sizes)
    if len(body) < expected or (strict and len(body) != expected):
        raise RuntimeError(f"{path}: expected {expected} bytes for sizes {sizes}, got {len(body)}")
    if width > 1 and sys.byteorder == "little":
        for byte in range(width // 2):  # swaps the bytes of every element at once
            other = width - 1 - byte
            body[byte::width], body[other::width] = body[other::width], body[byte::width]
    dtype = getattr(rl, name)
    if not expected:
        return rl.empty(sizes, dtype=dtype)
    return rl.frombuffer(body, dtype=dtype, count=expected // width).view(sizes)


def _product(sizes):
    result = 1
    for size in sizes:
        result *= size
    return result


def read_label_file(path):
    """Labels of an IDX file as int64, shape `(N,)`."""
    labels = read_sn3_pascalvincent_tensor(path, strict=False)
    if labels.dtype != rl.uint8 or labels.ndim != 1:
        raise ValueError(f"{path}: expected uint8 (N,), got {labels.dtype} {tuple(labels.shape)}")
    return labels.long()


def read_image_file(path):
    """Images of an IDX file as uint8, shape `(N, H, W)`."""
    images = read_sn3_pascalvincent_tensor(path, strict=False)
    if images.dtype != rl.uint8 or images.ndim != 3:
        raise ValueError(
            f"{path}: expected uint8 (N, H, W), got {images.dtype} {tuple(images.shape)}"
        )
    return images


class MNIST(VisionDataset):
    """Handwritten digits: 60,000 for training and 10,000 for testing, 28x28, grey.

    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition (1998).
    Samples are `(image, label)`, a Pillow image of mode "L" before `transform`.

    Args:
        root: folder that holds `MNIST/raw/train-images-idx3-ubyte` and so on.
        train: training or test part.
        transform, target_transform: applied to image and label.
        download: fetches the files that are missing, which needs the network.

    Raises RuntimeError if the files are missing and `download` is False or fails.
    """

    mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_exists():
            raise RuntimeError(
                f"{type(self).__name__}: dataset not found under {self.raw_folder}; "
                "pass download=True to fetch it"
            )
        self.data, self.targets = self._load_data()

    def _file_names(self):
        """Names of the image file and of the label file of this part."""
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"

    def _load_data(self):
        images, labels = (os.path.join(self.raw_folder, name) for name in self._file_names())
        return read_image_file(images), read_label_file(labels)

    def _image(self, index):
        return pillow("Image").fromarray(self.data[index].numpy())

    def __getitem__(self, index):
        return self._transformed(self._image(index), int(self.targets[index]))

    def __len__(self):
        return len(self.data)

    @property
    def raw_folder(self):
        """The folder of the published files."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self):
        """A folder for what a program derives from the files."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self):
        """Class name to label."""
        return {name: index for index, name in enumerate(self.classes)}

    def _check_exists(self):
        names = [name for name, _ in self.resources]
        paths = [os.path.join(self.raw_folder, os.path.splitext(name)[0]) for name in names]
        return all(os.path.isfile(path) for path in paths)

    def download(self):
        """Fetches and unpacks the files, trying the mirrors in turn; RuntimeError if all fail."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for name, md5 in self.resources:
            self._download_one(name, md5)

    def _download_one(self, name, md5):
        failures = []
        for mirror in self.mirrors:
            try:
                url = mirror + name
                download_and_extract_archive(url, self.raw_folder, filename=name, md5=md5)
                return
            except RuntimeError as error:
                failures.append(str(error))
        raise RuntimeError(
            f"{type(self).__name__}: no mirror gave {name}:\n  " + "\n  ".join(failures)
        )

    def extra_repr(self):
        return f"Split: {'Train' if self.train is True else 'Test'}"


class FashionMNIST(MNIST):
    """Ten kinds of clothing in MNIST's format (Xiao, Rasul, Vollgraf 2017)."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Ten cursive Japanese characters in MNIST's format (Clanuwat et al. 2018)."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class EMNIST(MNIST):
    """Handwritten letters and digits in six splits (Cohen, Afshar, Tapson, van Schaik 2017).

    Args:
        split: "byclass", "bymerge", "balanced", "letters", "digits" or "mnist"; labels of "letters"
            begin at 1. Images are stored transposed, as published.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    _all_classes = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    _merged_classes = set("cijklmopsuvwxyz")
    classes_split_dict = {
        "byclass": sorted(_all_classes),
        "bymerge": sorted(_all_classes - _merged_classes),
        "balanced": sorted(_all_classes - _merged_classes),
        "letters": ["N/A", *"abcdefghijklmnopqrstuvwxyz"],
        "digits": list("0123456789"),
        "mnist": list("0123456789"),
    }

    def __init__(self, root, split, **kwargs):
        self.split = verify_str_arg(split, "split", self.splits)
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    def _file_names(self):
        stem = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte"

    def _check_exists(self):
        return all(os.path.isfile(os.path.join(self.raw_folder, n)) for n in self._file_names())

    def download(self):
        """Fetches the one archive of all splits and unpacks it."""
        if self._check_exists():
            return
        download_url(self.url, self.raw_folder, "gzip.zip", self.md5)
        archive = os.path.join(self.raw_folder, "gzip.zip")
        with zipfile.ZipFile(archive) as names:
            members = [name for name in names.namelist() if name.endswith(".gz")]
        extract_archive(archive, self.raw_folder)
        for member in members:
            packed = os.path.join(self.raw_folder, member)
            extract_archive(
                packed, os.path.join(self.raw_folder, os.path.basename(packed)[: -len(".gz")])
            )
        shutil.rmtree(os.path.join(self.raw_folder, "gzip"), ignore_errors=True)


class QMNIST(MNIST):
    """MNIST with its provenance, and 60,000 test digits (Yadav, Bottou 2019).

    Args:
        what: "train", "test", "test10k", "test50k" or "nist"; by default after `train`.
        compat: whether the target is the class alone, as in MNIST, or the full vector of eight
            numbers
            (class, NIST series, writer, ...).
    """

    classes = MNIST.classes
    mirrors = ["https://raw.githubusercontent.com/facebookresearch/qmnist/master/"]
    _files = {
        "train": (
            ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370"),
            ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4"),
        ),
        "test": (
            ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412"),
            ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa"),
        ),
        "nist": (
            ("xnist-images-idx3-ubyte.xz", "7f124b3b8ab81486c9d8c2749c17f834"),
            ("xnist-labels-idx2-int.xz", "5ed0e788978e45d4a8bd4b7caec3d79d"),
        ),
    }
    # Where the two parts of the full test set begin and end.
    _ranges = {"test10k": slice(0, 10000), "test50k": slice(10000, None)}

    def __init__(self, root, what=None, compat=True, train=True, **kwargs):
        what = what or ("train" if train else "test")
        self.what = verify_str_arg(what, "what", (*self._files, *self._ranges))
        self.compat = compat
        self.resources = list(self._files["test" if what in self._ranges else what])
        super().__init__(root, train=what == "train", **kwargs)

    def _load_data(self):
        paths = [os.path.join(self.raw_folder, os.path.splitext(n)[0]) for n, _ in self.resources]
        part = self._ranges.get(self.what, slice(None))
        labels = read_sn3_pascalvincent_tensor(paths[1])
        if labels.dtype != rl.int32 or labels.ndim != 2:
            raise ValueError(f"{paths[1]}: expected int32 (N, 8), got {labels.dtype}")
        return read_image_file(paths[0])[part], labels[part].long()

    def __getitem__(self, index):
        target = self.targets[index]
        return self._transformed(self._image(index), int(target[0]) if self.compat else target)

    def extra_repr(self):
        return f"Split: {self.what}"
