"""Truncated, altered and half-written checkpoint files: clear errors, and the old file survives."""

import io
import os
import pathlib
import pickle
import random
import subprocess
import sys
import textwrap

import pytest

import rushlight as rl

FILES = pathlib.Path(__file__).parent.parent / "data/checkpoints"
EXPECTED = (RuntimeError, EOFError, pickle.UnpicklingError, ValueError)


@pytest.mark.parametrize("name", ["tensors.pt", "legacy.pt"])
def test_every_truncation_is_noticed(name):
    data = (FILES / name).read_bytes()
    for length in range(0, len(data) - 1, 61):
        with pytest.raises(EXPECTED):
            rl.load(io.BytesIO(data[:length]))


@pytest.mark.parametrize("name", ["tensors.pt", "legacy.pt", "training.pt"])
def test_flipped_bits_give_an_error_or_a_value(name):
    data = (FILES / name).read_bytes()
    chance = random.Random(0)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            rl.load(io.BytesIO(bytes(damaged)))
        except (*EXPECTED, NotImplementedError):
            continue  # an error that a caller can handle; crashes and other errors fail the test


def test_damaged_tensor_bytes_are_named():
    data = bytearray((FILES / "training.pt").read_bytes())
    at = data.index(b"training/data/0")  # in the local header: name, padding to 64, bytes
    data[(at // 64 + 2) * 64] ^= 1
    with pytest.raises(RuntimeError, match="data/0.*checksum"):
        rl.load(io.BytesIO(bytes(data)))


def test_messages_say_what_is_wrong(tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes((FILES / "tensors.pt").read_bytes()[:-30])
    with pytest.raises(RuntimeError, match="x.pt.*cut short"):
        rl.load(path)
    path.write_bytes(b"hello, this is text")
    with pytest.raises(pickle.UnpicklingError, match="x.pt"):
        rl.load(path)
    path.write_bytes(b"")
    with pytest.raises(EOFError):
        rl.load(path)
    with pytest.raises(FileNotFoundError):
        rl.load(tmp_path / "none.pt")


class Unpicklable:
    def __reduce__(self):
        raise ValueError("not me")


def test_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    rl.save({"epoch": 1}, path)
    with pytest.raises(ValueError, match="not me"):
        rl.save({"epoch": 2, "bad": Unpicklable()}, path)
    assert rl.load(path) == {"epoch": 1}
    assert os.listdir(tmp_path) == ["model.pt"]


KILLED = textwrap.dedent(
    """
    import os, signal, sys
    import rushlight as rl
    from rushlight._serialization.writer import ZipWriter

    plain = ZipWriter.add

    def add(self, name, data):
        if name == "data/0":
            os.kill(os.getpid(), signal.SIGKILL)
        plain(self, name, data)

    ZipWriter.add = add
    rl.save({"epoch": 2, "w": rl.ones(10)}, sys.argv[1])
    """
)


def test_kill_while_saving_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.pt"
    rl.save({"epoch": 1}, path)
    package = os.path.dirname(os.path.dirname(rl.__file__))  # "-c" looks in the current directory
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, cwd=package)
    assert done.returncode != 0
    assert rl.load(path) == {"epoch": 1}


def test_permissions_and_links_are_kept(tmp_path):
    target, link = tmp_path / "target.pt", tmp_path / "link.pt"
    rl.save(1, target)
    target.chmod(0o640)
    link.symlink_to(target)
    rl.save(2, link)
    assert link.is_symlink() and rl.load(target) == 2
    assert target.stat().st_mode & 0o777 == 0o640


def test_missing_directory(tmp_path):
    with pytest.raises(RuntimeError, match="does not exist"):
        rl.save(1, tmp_path / "none" / "x.pt")
