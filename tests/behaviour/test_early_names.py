"""The names of PyTorch 0.3.0 and torchvision 0.2.0: what PyTorch has kept is there, what it has
removed works or says what to use. What a few of them compute is checked here as well; the walk over
all of them is in early_names.py, their list in tests/data (tools/record_early_names.py writes it).
"""

import json
import pathlib
import subprocess
import sys

import pytest

import rushlight as rl


def test_every_name_is_there_or_says_what_to_use():
    walk = pathlib.Path(__file__).with_name("early_names.py")
    done = subprocess.run([sys.executable, walk], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_storages_are_made_of_files_and_buffers(tmp_path):
    raw = rl.tensor([1.0, 2.0, 3.0]).numpy().tobytes()
    (tmp_path / "f").write_bytes(raw)
    assert rl.FloatStorage.from_file(str(tmp_path / "f"), size=3).tolist() == [1, 2, 3]
    assert rl.FloatStorage.from_buffer(raw, "native", 1, 4).tolist() == [2]
    swapped = b"".join(raw[i : i + 4][::-1] for i in (0, 4, 8))
    other = "big" if sys.byteorder == "little" else "little"
    assert rl.FloatStorage.from_buffer(swapped, other).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="multiple of element size"):
        rl.FloatStorage.from_buffer(raw[:5], "native")
    with pytest.raises(RuntimeError, match="byte_order"):
        rl.FloatStorage.from_buffer(raw)
    with pytest.raises(RuntimeError, match="accelerator"):
        rl.FloatStorage(2).pin_memory()
    assert not rl.FloatStorage(2).is_pinned()


def test_tensors_are_added_and_spread_on_the_cpu():
    from rushlight.cuda import comm

    x = rl.arange(4.0)
    first, second = comm.broadcast(x, ["cpu", "cpu"])
    assert first is x and second is not x and rl.equal(second, x)
    assert comm.reduce_add([x, x, x]).tolist() == [0, 3, 6, 9]
    assert [p.tolist() for p in comm.scatter(x, ["cpu"] * 2, [1, 3])] == [[0], [1, 2, 3]]
    with pytest.raises(ValueError, match="one size"):
        comm.reduce_add([x, x[:2]])
    with pytest.raises(AssertionError, match="CUDA"):
        comm.broadcast(x, [0])


def test_pictures_with_annotations(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from rushlight.vision import datasets

    for number in (7, 3):
        image.new("L", (2, 1), number).save(tmp_path / f"{number}.png")
    listed = {
        "images": [{"id": n, "file_name": f"{n}.png"} for n in (7, 3)],
        "annotations": [
            {"id": 1, "image_id": 7, "caption": "a seven"},
            {"id": 2, "image_id": 7, "caption": "a number"},
        ],
    }
    (tmp_path / "list.json").write_text(json.dumps(listed))
    captions = datasets.CocoCaptions(str(tmp_path), str(tmp_path / "list.json"))
    assert len(captions) == 2 and captions[0][1] == []
    picture, texts = captions[1]
    assert picture.getpixel((0, 0)) == (7, 7, 7) and texts == ["a seven", "a number"]
    detection = datasets.CocoDetection(str(tmp_path), str(tmp_path / "list.json"))
    assert [a["id"] for a in detection[1][1]] == [1, 2]
    with pytest.raises(ValueError, match="index"):
        detection["7"]


def test_patches_and_their_pairs(tmp_path):
    image = pytest.importorskip("PIL.Image")
    from rushlight.vision import datasets

    folder = tmp_path / "liberty"
    folder.mkdir()
    sheet = image.new("L", (128, 128), 5)
    sheet.paste(9, (64, 0, 128, 64))
    sheet.save(folder / "patches0000.bmp")
    (folder / "info.txt").write_text("0 0\n0 0\n1 0\n")
    (folder / "m50_100000_100000_0.txt").write_text("0 0 0 1 0 0 0\n1 0 0 2 1 0 0\n")
    patches = datasets.PhotoTour(str(tmp_path), "liberty")
    assert len(patches) == 3 and patches[1].tolist() == [[9] * 64] * 64
    assert patches.labels.tolist() == [0, 0, 1]
    pairs = datasets.PhotoTour(str(tmp_path), "liberty", train=False)
    assert len(pairs) == 2 and pairs[0][2] == 1 and pairs[1][2] == 0
    assert pairs[0][1].unique().item() == 9
    with pytest.raises(RuntimeError, match="download=True"):
        datasets.PhotoTour(str(tmp_path), "yosemite")
    with pytest.raises(RuntimeError, match="not found or damaged"):
        datasets.SEMEION(str(tmp_path), download=False)
    with pytest.raises(NotImplementedError, match="LMDB"):
        datasets.LSUN(str(tmp_path))
