"""Writes files in MNIST's format, so that programs which want MNIST need no download.

    python tools/tryouts/mnist_files.py DIR/examples/data DIR/examples/mnist_forward_forward/data

The "digits" are bars at ten angles, in noise.
"""

import pathlib
import struct
import sys

import numpy as np


def images(count, seed):
    """(pixels, labels)."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 10, count).astype(np.uint8)
    rows, columns = np.mgrid[-1:1:28j, -1:1:28j]
    angle = labels[:, None, None] * np.pi / 10
    shift = draw.uniform(-0.2, 0.2, (count, 1, 1))
    across = rows * np.sin(angle) + columns * np.cos(angle) + shift
    bright = np.exp(-((across / 0.15) ** 2)) * (rows**2 + columns**2 < 0.7)
    pixels = 220 * bright + 30 * draw.uniform(size=bright.shape)
    return pixels.astype(np.uint8), labels


def write(root):
    """Both sets, below `root`."""
    raw = pathlib.Path(root, "MNIST", "raw")
    raw.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", 3840, 0), ("t10k", 1000, 1)):
        pixels, labels = images(count, seed)
        header = struct.pack(">IIII", 2051, count, 28, 28)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = struct.pack(">II", 2049, count)
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(header + labels.tobytes())


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        write(folder)
