"""CIFAR-10 from its python archive: found or downloaded, verified, read.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009). Used by train_digits.py.
"""

import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request

import rushlight as torch
from rushlight.utils.data import TensorDataset

ARCHIVE = "cifar-10-python.tar.gz"
ADDRESS = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
MD5 = "c58f30108f718f92721af3b95e74349a"
MEAN, SPREAD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def load_cifar10(root):
    """(training set, test set), normalised per channel."""
    path = os.path.join(root, ARCHIVE)
    if not os.path.exists(path):
        _download(path)
    found = _md5(path)
    if found != MD5:
        raise FileNotFoundError(f"{path} is damaged: md5 is {found}, expected {MD5}; delete it")
    with tarfile.open(path) as archive:
        train = [_read(archive, f"data_batch_{i}") for i in range(1, 6)]
        return _dataset(train), _dataset([_read(archive, "test_batch")])


def _download(path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    print(f"downloading {ADDRESS}")
    draft = path + ".part"
    try:
        urllib.request.urlretrieve(ADDRESS, draft)
    except (urllib.error.URLError, OSError) as error:
        raise ConnectionError(
            f"CIFAR-10 is not at {path} and cannot be downloaded ({error}). Get {ARCHIVE} from "
            "its home page on another machine and put it there, or use --data digits."
        ) from error
    os.replace(draft, path)


def _md5(path):
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _read(archive, name):
    """(pixels as N x 3072 bytes, labels) of one batch;
    the archive's md5 makes the pickle trusted.
    """
    import pickle

    member = archive.extractfile(f"cifar-10-batches-py/{name}")
    batch = pickle.load(io.BytesIO(member.read()), encoding="bytes")
    return torch.from_numpy(batch[b"data"]), torch.tensor(batch[b"labels"])


def _dataset(batches):
    images = torch.cat([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32).float() / 255
    mean, spread = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, SPREAD))
    return TensorDataset((images - mean) / spread, torch.cat([labels for _, labels in batches]))
