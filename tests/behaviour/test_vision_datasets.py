"""Datasets read the published formats, which the tests write; bad and hostile files are refused."""

import gzip
import hashlib
import io
import os
import pathlib
import pickle
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

import rushlight as rl
from rushlight.vision import datasets, transforms
from rushlight.vision.datasets import utils


def idx(array, code):
    """The bytes of an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return (
        bytes([0, 0, code, array.ndim])
        + sizes
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def digits():
    """Seven pictures of bytes and their labels."""
    images = (np.arange(7 * 28 * 28) % 251).astype(np.uint8).reshape(7, 28, 28)
    return images, np.array([3, 1, 4, 1, 5, 9, 2], np.uint8)


def write_mnist(folder, images, labels, packed=False):
    """The four files of MNIST with the same pictures for training and testing; their checksums."""
    sums = {}
    for part in ("train", "t10k"):
        for kind, array in (
            (f"{part}-images-idx3-ubyte", images),
            (f"{part}-labels-idx1-ubyte", labels),
        ):
            data = idx(array, 8)
            name = kind + ".gz" * packed
            sums[kind] = write(folder / name, gzip.compress(data) if packed else data)
    return sums


@pytest.mark.parametrize("kind", ["MNIST", "FashionMNIST", "KMNIST"])
def test_mnist_family(tmp_path, digits, kind):
    images, labels = digits
    write_mnist(tmp_path / kind / "raw", images, labels)
    data = getattr(datasets, kind)(str(tmp_path), train=False, transform=transforms.ToTensor())
    assert len(data) == 7 and data.data.dtype == rl.uint8 and data.targets.dtype == rl.int64
    picture, label = data[2]
    assert label == 4 and isinstance(label, int) and picture.shape == (1, 28, 28)
    assert np.array_equal((picture[0] * 255).round().numpy(), images[2])
    assert len(data.classes) == 10 and data.class_to_idx[data.classes[3]] == 3
    assert "Split: Test" in repr(data) and "ToTensor()" in repr(data)
    loader = rl.utils.data.DataLoader(data, batch_size=4)
    assert [tuple(x.shape) for x, _ in loader] == [(4, 1, 28, 28), (3, 1, 28, 28)]


def test_mnist_downloads_from_the_first_mirror_that_works(tmp_path, digits):
    sums = write_mnist(tmp_path / "server", *digits, packed=True)

    class Local(datasets.MNIST):
        mirrors = [f"file://{tmp_path}/nowhere/", f"file://{tmp_path}/server/"]
        resources = [(name + ".gz", md5) for name, md5 in sums.items()]

    data = Local(str(tmp_path / "data"), download=True)
    assert data[0][1] == 3 and data[0][0].mode == "L"
    Local.mirrors = []
    assert len(Local(str(tmp_path / "data"), download=True)) == 7  # nothing left to fetch
    with pytest.raises(RuntimeError, match="no mirror gave"):
        Local(str(tmp_path / "other"), download=True)


def test_missing_dataset_says_how_to_get_it(tmp_path):
    for make in (
        lambda: datasets.MNIST(tmp_path),
        lambda: datasets.CIFAR10(tmp_path),
        lambda: datasets.SVHN(tmp_path),
        lambda: datasets.EMNIST(tmp_path, "letters"),
    ):
        with pytest.raises(RuntimeError, match="download=True"):
            make()


def test_emnist_reads_its_splits_and_archive(tmp_path, digits):
    images, labels = digits
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for part in ("train", "test"):
            for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
                name = f"gzip/emnist-letters-{part}-{kind}-ubyte.gz"
                archive.writestr(name, gzip.compress(idx(array, 8)))

    class Local(datasets.EMNIST):
        md5 = write(tmp_path / "server" / "gzip.zip", packed.getvalue())
        url = f"file://{tmp_path}/server/gzip.zip"

    data = Local(str(tmp_path), split="letters", download=True)
    assert len(data) == 7 and data.classes[1] == "a" and data[1][1] == 1
    with pytest.raises(ValueError, match="byclass"):
        datasets.EMNIST(str(tmp_path), split="cursive")


def test_qmnist_has_long_targets(tmp_path, digits):
    images, labels = digits
    long = np.zeros((7, 8), np.int32)
    long[:, 0], long[:, 2] = labels, 70000 + labels.astype(np.int32)
    folder = tmp_path / "QMNIST" / "raw"
    write(folder / "qmnist-test-images-idx3-ubyte", idx(images, 8))
    write(folder / "qmnist-test-labels-idx2-int", idx(long, 12))
    assert datasets.QMNIST(str(tmp_path), what="test")[5][1] == 9
    assert datasets.QMNIST(str(tmp_path), train=False, compat=False)[5][1][2] == 70009
    assert len(datasets.QMNIST(str(tmp_path), what="test10k")) == 7


@pytest.mark.parametrize(
    "dtype, code", [("u1", 8), ("i1", 9), ("i2", 11), ("i4", 12), ("f4", 13), ("f8", 14)]
)
def test_idx_files_of_every_type(tmp_path, dtype, code):
    from rushlight.vision.datasets.mnist import read_sn3_pascalvincent_tensor as read

    array = np.array([[1, -2, 3], [4, 5, 60]]).astype(dtype)
    write(tmp_path / "x", idx(array, code))
    assert np.array_equal(read(tmp_path / "x").numpy(), array)
    for damaged in (idx(array, code)[:-1], b"\1\0" + idx(array, code)[2:], b"\0\0"):
        write(tmp_path / "y", damaged)
        with pytest.raises(RuntimeError):
            read(tmp_path / "y")


def cifar_archive(base, batches, meta):
    """A gzipped tar of pickles, and the checksums of its members."""
    packed, sums = io.BytesIO(), {}
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in {**batches, **meta}.items():
            data = pickle.dumps(content, protocol=2)
            sums[name] = hashlib.md5(data).hexdigest()
            member = tarfile.TarInfo(f"{base}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue(), sums


@pytest.mark.parametrize("coarse", [False, True])
def test_cifar(tmp_path, coarse):
    base = datasets.CIFAR100 if coarse else datasets.CIFAR10
    rows = (np.arange(4 * 3072) % 253).astype(np.uint8).reshape(4, 3072)
    key = "fine_labels" if coarse else "labels"
    names = [name for name, _ in [*base.train_list, *base.test_list]]
    batches = {name: {"data": rows, key: [0, 1, 2, i]} for i, name in enumerate(names)}
    meta = {base.meta["filename"]: {base.meta["key"]: ["a", "b", "c"]}}
    archive, sums = cifar_archive(base.base_folder, batches, meta)

    class Local(base):
        tgz_md5 = write(tmp_path / "server.tar.gz", archive)
        url = f"file://{tmp_path}/server.tar.gz"
        train_list = [[name, sums[name]] for name, _ in base.train_list]
        test_list = [[name, sums[name]] for name, _ in base.test_list]

    Local.meta = {**base.meta, "md5": sums[base.meta["filename"]]}
    data = Local(str(tmp_path), download=True)
    assert len(data) == 4 * len(base.train_list) and data.classes == ["a", "b", "c"]
    picture, label = data[1]
    assert label == 1 and picture.mode == "RGB" and data.data.shape[1:] == (32, 32, 3)
    assert np.array_equal(np.asarray(picture)[:, :, 2].ravel(), rows[1][2048:])
    assert Local(str(tmp_path), train=False).targets[3] == len(names) - 1
    damaged = tmp_path / base.base_folder / names[0]
    damaged.write_bytes(damaged.read_bytes() + b" ")
    with pytest.raises(RuntimeError, match="damaged"):
        Local(str(tmp_path))


def test_svhn(tmp_path):
    from scipy.io import savemat

    pictures = (np.arange(32 * 32 * 3 * 2) % 255).astype(np.uint8).reshape(32, 32, 3, 2)
    savemat(tmp_path / "test_32x32.mat", {"X": pictures, "y": np.array([[10], [3]], np.uint8)})

    class Local(datasets.SVHN):
        split_list = {
            "test": ["", "test_32x32.mat", utils.calculate_md5(tmp_path / "test_32x32.mat")]
        }

    data = Local(str(tmp_path), split="test")
    assert data.data.shape == (2, 3, 32, 32) and [data[i][1] for i in range(2)] == [0, 3]
    assert np.array_equal(np.asarray(data[1][0]), pictures[..., 1])


def test_image_folder(tmp_path):
    from PIL import Image

    for name, colour in (
        ("cat/b.png", 10),
        ("cat/x/a.PNG", 20),
        ("dog/c.jpg", 30),
        ("dog/notes.txt", 0),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no picture") if colour == 0 else Image.new("L", (4, 3), colour).save(
            path
        )
    data = datasets.ImageFolder(str(tmp_path), target_transform=lambda t: -t)
    assert data.classes == ["cat", "dog"] and data.targets == [0, 0, 1]
    assert [os.path.basename(path) for path, _ in data.samples] == ["b.png", "a.PNG", "c.jpg"]
    picture, label = data[1]
    assert (picture.mode, picture.size, label, picture.getpixel((0, 0))) == (
        "RGB",
        (4, 3),
        0,
        (20,) * 3,
    )
    texts = datasets.DatasetFolder(
        str(tmp_path),
        loader=lambda p: pathlib.Path(p).read_text(),
        extensions=(".txt",),
        allow_empty=True,
    )
    assert texts[0] == ("no picture", 1)
    with pytest.raises(FileNotFoundError, match="cat"):
        datasets.DatasetFolder(str(tmp_path), loader=open, extensions=(".txt",))
    with pytest.raises(FileNotFoundError):
        datasets.ImageFolder(str(tmp_path / "cat" / "x"))


def test_fake_data_is_the_same_whenever_read():
    data = datasets.FakeData(3, (1, 5, 6), transform=transforms.PILToTensor())
    before = rl.get_rng_state()
    first, label = data[2]
    assert rl.equal(first, data[2][0]) and first.shape == (1, 5, 6) and 0 <= label < 10
    assert rl.equal(before, rl.get_rng_state())
    with pytest.raises(IndexError):
        data[3]


def test_transforms_are_given_in_one_way():
    both = datasets.VisionDataset("x", transforms=lambda a, b: (b, a))
    assert both.transforms(1, 2) == (2, 1)
    with pytest.raises(ValueError, match="transforms"):
        datasets.VisionDataset("x", transforms=len, transform=len)


# ---- files


def test_download_checks_and_leaves_nothing_partial(tmp_path):
    good = write(tmp_path / "source", b"hello")
    utils.download_url(f"file://{tmp_path}/source", str(tmp_path / "to"), "a", good)
    assert (tmp_path / "to" / "a").read_bytes() == b"hello"
    assert utils.check_integrity(tmp_path / "to" / "a", good)
    with pytest.raises(RuntimeError, match="MD5"):
        utils.download_url(f"file://{tmp_path}/source", str(tmp_path / "to"), "b", "0" * 32)
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        utils.download_url(f"file://{tmp_path}/none", str(tmp_path / "to"), "c")
    assert os.listdir(tmp_path / "to") == ["a"]


@pytest.mark.parametrize(
    "suffix, mode", [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.xz", "w:xz")]
)
def test_extract_tar(tmp_path, suffix, mode):
    write(tmp_path / "in" / "deep" / "f", b"data")
    with tarfile.open(tmp_path / f"a{suffix}", mode) as archive:
        archive.add(tmp_path / "in", "in")
    utils.extract_archive(tmp_path / f"a{suffix}", tmp_path / "out", remove_finished=True)
    assert (tmp_path / "out/in/deep/f").read_bytes() == b"data"
    assert not (tmp_path / f"a{suffix}").exists()


def link(name, target, kind=tarfile.SYMTYPE):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "members",
    [
        [tarfile.TarInfo("../evil")],
        [tarfile.TarInfo("/tmp/evil")],
        [tarfile.TarInfo("a/../../evil")],
        [link("a", "../..")],
        [link("a", "../outside", tarfile.LNKTYPE)],
        [link("a", "."), tarfile.TarInfo("a/evil")],
        [link("a", "x", tarfile.FIFOTYPE)],
    ],
)
def test_extract_refuses_tar_members_that_lead_out(tmp_path, members):
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("good"))
        for member in members:
            archive.addfile(member)
    (tmp_path / "out").mkdir()
    with pytest.raises(RuntimeError):
        utils.extract_archive(tmp_path / "bad.tar", tmp_path / "out")
    assert os.listdir(tmp_path / "out") == [] and sorted(os.listdir(tmp_path)) == ["bad.tar", "out"]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_extract_refuses_zip_members_that_lead_out(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("good", "x")
        archive.writestr(name, "x")
    with pytest.raises(RuntimeError, match="leads out"):
        utils.extract_archive(tmp_path / "bad.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(RuntimeError, match="expected"):
        utils.extract_archive(tmp_path / "what.rar")


def test_vision_is_imported_lazily_and_pillow_later_still():
    code = (
        "import sys, rushlight as rl\n"
        "assert not any(name.startswith('rushlight.vision') for name in sys.modules)\n"
        "rl.vision.transforms, rl.vision.datasets\n"
        "assert 'PIL' not in sys.modules and 'numpy' not in sys.modules\n"
        "rl.vision.transforms.ToPILImage()(rl.rand(1, 2, 2))\n"
        "assert 'PIL' in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], cwd=os.path.dirname(os.path.dirname(rl.__file__)), check=True
    )


def test_stl10(tmp_path):
    folder = tmp_path / "stl10_binary"
    columns = (np.arange(4 * 3 * 96 * 96) % 253).astype(np.uint8).reshape(4, 3, 96, 96)
    content = {"train_X.bin": columns[:2], "unlabeled_X.bin": columns[2:3], "test_X.bin": columns}
    content |= {"train_y.bin": np.array([1, 10]), "test_y.bin": np.array([3, 2, 1, 4])}
    write(folder / "class_names.txt", b"airplane bird")
    write(folder / "fold_indices.txt", b"1\n0\n")

    class Local(datasets.STL10):
        files = {
            name: write(folder / name, array.astype(np.uint8).tobytes())
            for name, array in content.items()
        }

    both = Local(tmp_path, "train+unlabeled")
    assert len(both) == 3
    assert both.labels.tolist() == [0, 9, -1]
    image, label = both[1]
    assert label == 9
    assert np.array_equal(np.asarray(image), columns[1].transpose(2, 1, 0))
    assert Local(tmp_path, folds=0).labels.tolist() == [9]
    with pytest.raises(ValueError, match="0 to 9"):
        Local(tmp_path, folds=10)
    write(folder / "test_y.bin", b"other")
    with pytest.raises(RuntimeError, match="damaged"):
        Local(tmp_path)
